import { expect } from "expect";
import { type Artifacts, createArtifacts, openStore } from "../../store/mod.ts";
import { type Fixture, setup } from "./_setup.ts";
import { callerOf, LOCAL } from "../_caller.ts";

interface Bench extends Fixture {
  artifacts: Artifacts;
  upload(body: BodyInit, query?: string, headers?: Record<string, string>): Promise<Response>;
}

async function bench(use: (bench: Bench) => Promise<void>): Promise<void> {
  const now = () => Date.UTC(2026, 0, 1);
  const options = { worker: "w1", now, sleep: () => Promise.resolve(), lease_ms: 1_000 };
  const { store, close } = await openStore(":memory:", options);
  const artifacts = createArtifacts(store, { now, max_bytes: 10_000, keep_ms: 0 });
  const fixture = setup({ deps: { artifacts } });
  try {
    await use({
      ...fixture,
      artifacts,
      upload: async (body, query = "?name=cars.csv", headers = { "content-type": "text/csv" }) =>
        await fixture.app.request(`/v1/artifacts${query}`, { method: "POST", body, headers }),
    });
  } finally {
    await close();
  }
}

const SVG = new TextEncoder().encode("<svg><script>alert(1)</script></svg>");

Deno.test("an upload is kept, described, downloaded and deleted", () =>
  bench(async ({ app, upload }) => {
    const answer = await upload("a,b\n1,2\n");
    expect(answer.status).toBe(201);
    const made = await answer.json();
    expect(made).toEqual({
      id: expect.stringMatching(/^art_/),
      name: "cars.csv",
      type: "text/csv",
      size: 8,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      created_at: "2026-01-01T00:00:00.000Z",
      uri: `artifact://${made.id}`,
      links: {
        self: `/v1/artifacts/${made.id}`,
        content: `/v1/artifacts/${made.id}/content`,
      },
    });
    expect(answer.headers.get("location")).toBe(made.links.self);
    expect(await (await app.request(made.links.self)).json()).toEqual(made);
    expect(await (await app.request(made.links.content)).text()).toBe("a,b\n1,2\n");
    expect((await app.request(made.links.self, { method: "DELETE" })).status).toBe(204);
    for (const path of [made.links.self, made.links.content]) {
      expect((await app.request(path)).status).toBe(404);
    }
    expect((await app.request(made.links.self, { method: "DELETE" })).status).toBe(404);
  }));

Deno.test("the files of a run are listed with their links", () =>
  bench(async ({ app, artifacts, post }) => {
    const { id } = await (await post("/v1/runs", { pipeline: "echo", input: "x" })).json();
    const file = { name: "plot.svg", type: "image/svg+xml", bytes: SVG };
    const made = await artifacts.put(LOCAL, { run: id, step: "eda", key: "eda" }, file);
    const list = await (await app.request(`/v1/runs/${id}/artifacts`)).json();
    expect(list.artifacts).toMatchObject([
      { id: made.id, step: "eda", run_id: id, links: { run: `/v1/runs/${id}` } },
    ]);
    expect((await app.request("/v1/runs/run_none/artifacts")).status).toBe(404);
    await artifacts.put(callerOf("other"), { key: "k" }, file).then(async ({ id }) => {
      expect((await app.request(`/v1/artifacts/${id}/content`)).status).toBe(404);
    });
  }));

Deno.test("a browser saves a file and runs nothing in it", () =>
  bench(async ({ app, artifacts }) => {
    const file = { name: `x"; a='ü'.svg`, type: "image/svg+xml", bytes: SVG };
    const { id, sha256 } = await artifacts.put(LOCAL, { key: "k" }, file);
    const { headers } = await app.request(`/v1/artifacts/${id}/content`);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": "image/svg+xml",
      "content-disposition":
        `attachment; filename="x_; a='_'.svg"; filename*=UTF-8''x%22%3B%20a%3D%27%C3%BC%27.svg`,
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
      "x-content-type-options": "nosniff",
      "etag": `"${sha256}"`,
    });
  }));

Deno.test("known content is not sent again, a range is sent alone", () =>
  bench(async ({ app, artifacts }) => {
    const bytes = new TextEncoder().encode("0123456789");
    const { id, sha256 } = await artifacts.put(LOCAL, { key: "k" }, {
      name: "n",
      type: "text/plain",
      bytes,
    });
    const get = async (headers: Record<string, string>) => {
      const answer = await app.request(`/v1/artifacts/${id}/content`, { headers });
      return [answer.status, await answer.text(), answer.headers.get("content-range")];
    };
    expect(await get({ "if-none-match": `"${sha256}"` })).toEqual([304, "", null]);
    expect(await get({ "if-none-match": '"other"' })).toEqual([200, "0123456789", null]);
    expect(await get({ range: "bytes=2-4" })).toEqual([206, "234", "bytes 2-4/10"]);
    expect(await get({ range: "bytes=7-" })).toEqual([206, "789", "bytes 7-9/10"]);
    expect(await get({ range: "bytes=-3" })).toEqual([206, "789", "bytes 7-9/10"]);
    expect(await get({ range: "bytes=5-99" })).toEqual([206, "56789", "bytes 5-9/10"]);
    expect(await get({ range: "bytes=10-" })).toEqual([416, "", "bytes */10"]);
    expect(await get({ range: "bytes=0-1,3-4" })).toEqual([200, "0123456789", null]);
    expect(await get({ range: "bytes=-" })).toEqual([200, "0123456789", null]);
    expect(await get({ range: "bytes=1-2", "if-range": '"old"' })).toEqual([
      200,
      "0123456789",
      null,
    ]);
  }));

Deno.test("an upload repeated with its Idempotency-Key is one file", () =>
  bench(async ({ upload }) => {
    const headers = { "idempotency-key": "k1" };
    const first = await (await upload("a", "?name=a", headers)).json();
    expect(await (await upload("a", "?name=a", headers)).json()).toEqual(first);
    expect((await upload("b", "?name=a", headers)).status).toBe(422);
    expect((await (await upload("a", "?name=a", {})).json()).id).not.toBe(first.id);
  }));

Deno.test("an upload without a name, too large or multipart is refused", () =>
  bench(async ({ upload }) => {
    expect((await upload("a", "")).status).toBe(400);
    expect((await upload("a", "?name=a", { "idempotency-key": "ä" })).status).toBe(400);
    expect((await upload("x".repeat(10_001))).status).toBe(413);
    const form = new FormData();
    form.set("file", "x");
    expect((await upload(form, "?name=a", {})).status).toBe(415);
  }));
