import { expect } from "expect";
import { parse } from "yaml";
import { desk, document, type World } from "../pipeline/_desk.ts";
import { expectProblem, type Fixture, setup } from "./_setup.ts";

const YAML = { "content-type": "application/yaml" };
const JSON_TYPE = { "content-type": "application/json" };

/** The routes over stored pipelines. */
function withPipelines(use: (fixture: Fixture, world: World) => Promise<void>): Promise<void> {
  return desk(async (world) => {
    const schedules = {
      list: () =>
        Promise.resolve([{
          pipeline: "echo",
          index: 0,
          cron: "@daily",
          timezone: "UTC",
          missed: "skip" as const,
          next: null,
        }]),
    };
    await use(setup({ deps: { pipelines: world.authoring, schedules } }), world);
  });
}

Deno.test("PUT makes a pipeline, GET shows it as JSON and as YAML", async () => {
  await withPipelines(async ({ app }) => {
    const text = document("new", "New.");
    const put = await app.request("/v1/pipelines/new", {
      method: "PUT",
      headers: { ...YAML, "x-user": "ann" },
      body: text,
    });
    const links = {
      self: "/v1/pipelines/new",
      versions: "/v1/pipelines/new/versions",
      runs: "/v1/pipelines/new/runs",
    };
    const expected = {
      name: "new",
      description: "New.",
      source: "stored",
      number: 1,
      by: "ann",
      text,
      document: parse(text),
      agents: [],
      valid: true,
      links,
    };
    expect([put.status, put.headers.get("location")]).toEqual([201, "/v1/pipelines/new"]);
    expect(await put.json()).toMatchObject(expected);
    const got = await app.request("/v1/pipelines/new");
    expect(got.headers.get("etag")).toMatch(/^"[0-9a-f]{32}"$/);
    expect(got.headers.get("etag")).toBe(put.headers.get("etag"));
    const detail = await got.json();
    expect(detail).toMatchObject(expected);
    expect(detail).not.toHaveProperty("tag");
    const { pipelines } = await (await app.request("/v1/pipelines")).json();
    expect(pipelines.map((one: { name: string; source: string }) => [one.name, one.source]))
      .toEqual([["echo", "builtin"], ["mine", "home"], ["new", "stored"]]);
    expect(pipelines[2]).toMatchObject({ number: 1, valid: true, issues: [], links });
    expect(pipelines[0]).not.toHaveProperty("file");
  });
});

Deno.test("a document comes as YAML, as JSON or as YAML within JSON", async () => {
  await withPipelines(async ({ app }) => {
    const put = async (headers: Record<string, string>, body: string) => {
      const response = await app.request("/v1/pipelines/new", { method: "PUT", headers, body });
      return [response.status, (await response.json()).number];
    };
    const text = document("new", "New.");
    expect(await put(YAML, text)).toEqual([201, 1]);
    expect(await put(JSON_TYPE, JSON.stringify({ text }))).toEqual([200, 1]);
    expect(await put({ "content-type": "text/x-yaml; charset=utf-8" }, document("new", "Two.")))
      .toEqual([200, 2]);
    expect(await put(JSON_TYPE, JSON.stringify(parse(text)))).toEqual([200, 3]);
    const request = (headers: Record<string, string>, body: string) =>
      app.request("/v1/pipelines/new", { method: "PUT", headers, body });
    await expectProblem(
      await request({ "content-type": "text/plain" }, text),
      415,
      "unsupported_media_type",
    );
    await expectProblem(await request(JSON_TYPE, "[]"), 422, "validation_failed");
    await expectProblem(await request(YAML, "x".repeat(1_000_001)), 413, "payload_too_large");
  });
});

Deno.test("versions are listed, and each one can be read", async () => {
  await withPipelines(async ({ app }) => {
    for (const description of ["One.", "Two."]) {
      const body = document("new", description);
      await app.request("/v1/pipelines/new", { method: "PUT", headers: YAML, body });
    }
    const { versions } = await (await app.request("/v1/pipelines/new/versions")).json();
    expect(versions).toMatchObject([{ number: 2 }, { number: 1, by: "local" }]);
    expect(versions[0]).not.toHaveProperty("text");
    const first = await app.request(versions[1].links.self);
    expect(await first.json()).toMatchObject({ number: 1, description: "One." });
    await expectProblem(await app.request("/v1/pipelines/new?number=3"), 404, "not_found");
    await expectProblem(await app.request("/v1/pipelines/new?number=x"), 400, "invalid_request");
    await expectProblem(await app.request("/v1/pipelines/none"), 404, "not_found");
  });
});

Deno.test("If-Match and If-None-Match protect what others changed", async () => {
  await withPipelines(async ({ app }) => {
    const put = (description: string, headers: Record<string, string>) =>
      app.request("/v1/pipelines/new", {
        method: "PUT",
        headers: { ...YAML, ...headers },
        body: document("new", description),
      });
    const first = await put("One.", { "if-none-match": "*" });
    expect(first.status).toBe(201);
    await expectProblem(await put("Two.", { "if-none-match": "*" }), 412, "precondition_failed");
    const tag = first.headers.get("etag")!;
    expect((await put("Two.", { "if-match": `"other", ${tag}` })).status).toBe(200);
    await expectProblem(await put("Three.", { "if-match": tag }), 412, "precondition_failed");
    await expectProblem(await put("Three.", { "if-match": "bare" }), 400, "invalid_request");
    const remove = (headers: Record<string, string>) =>
      app.request("/v1/pipelines/new", { method: "DELETE", headers });
    await expectProblem(await remove({ "if-match": tag }), 412, "precondition_failed");
    expect((await remove({})).status).toBe(204);
    await expectProblem(await remove({}), 404, "not_found");
  });
});

Deno.test("what cannot run is a 422 with what is wrong where; validate says it with a 200", async () => {
  await withPipelines(async ({ app }) => {
    const body = document("new", "New.").replace("start: a", "start: b");
    const put = await app.request("/v1/pipelines/new", { method: "PUT", headers: YAML, body });
    const problem = await expectProblem(put, 422, "pipeline_invalid");
    expect(problem.errors[0].location).toBe("line 4, start");
    const validate = async (body: string) =>
      await (await app.request("/v1/pipelines/validate", { method: "POST", headers: YAML, body }))
        .json();
    expect(await validate(body)).toEqual({ valid: false, issues: problem.errors });
    expect(await validate(document("new", "New."))).toEqual({ valid: true, issues: [] });
  });
});

Deno.test("POST /v1/pipelines/{name}/runs starts a run as POST /v1/runs does", async () => {
  await withPipelines(async ({ post, engine, app }) => {
    const response = await post("/v1/pipelines/echo/runs", { input: { a: 1 } }, {
      prefer: "wait=5",
      "idempotency-key": "k",
    });
    expect([response.status, (await response.json()).output]).toEqual([200, { a: 1 }]);
    expect(engine.started[0]).toMatchObject({ pipeline: "echo", input: { a: 1 } });
    const empty = await app.request("/v1/pipelines/echo/runs", { method: "POST" });
    expect(empty.status).toBe(202);
    expect(engine.started[1]).toMatchObject({ pipeline: "echo", input: {} });
    const wrong = await post("/v1/pipelines/echo/runs", { pipeline: "other" });
    await expectProblem(wrong, 422, "validation_failed");
    await expectProblem(await post("/v1/pipelines/none/runs", {}), 404, "not_found");
  });
});

Deno.test("GET /v1/schedules lists when pipelines start by themselves", async () => {
  await withPipelines(async ({ app }) => {
    const { schedules } = await (await app.request("/v1/schedules")).json();
    expect(schedules).toMatchObject([{ pipeline: "echo", index: 0, next: null }]);
  });
});
