import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import { agentDone, expectProblem, parseSse, setup, USAGE } from "./_setup.ts";
import { callerOf, LOCAL } from "../_caller.ts";

Deno.test("POST /v1/runs answers 202 with the run and where it is", async () => {
  const { post, engine } = setup();
  const response = await post("/v1/runs", {
    pipeline: "echo",
    input: { a: 1 },
    conversation_id: "c",
  });
  expect([response.status, response.headers.get("location")]).toEqual([
    202,
    "/v1/runs/run_00000000000000000000000001",
  ]);
  expect(response.headers.get("preference-applied")).toBeNull();
  expect(await response.json()).toEqual({
    id: "run_00000000000000000000000001",
    pipeline: "echo",
    version: "v-echo",
    status: "running",
    created_at: expect.any(String),
    conversation_id: "c",
    started_by: "local",
    links: {
      self: "/v1/runs/run_00000000000000000000000001",
      events: "/v1/runs/run_00000000000000000000000001/events",
      journal: "/v1/runs/run_00000000000000000000000001/journal",
      artifacts: "/v1/runs/run_00000000000000000000000001/artifacts",
      cancel: "/v1/runs/run_00000000000000000000000001/cancel",
    },
  });
  expect(engine.started[0]).toMatchObject({ tenant: "default", input: { a: 1 } });
});

Deno.test("POST /v1/runs with Prefer: wait answers 200 when the run ends in time", async () => {
  const { post, open } = setup();
  const done = await post("/v1/runs", { pipeline: "echo", input: [1] }, { prefer: "wait=5" });
  expect([done.status, done.headers.get("preference-applied")]).toEqual([200, "wait=5"]);
  expect(await done.json()).toMatchObject({ status: "completed", input: [1], output: [1] });

  const slow = await post("/v1/runs", { pipeline: "gated" }, { prefer: "wait=0" });
  expect([slow.status, (await slow.json()).status]).toEqual([202, "running"]);
  open();
});

Deno.test("POST /v1/runs with Prefer: wait answers what GET says afterwards", async () => {
  const { app, post, engine } = setup({
    scripts: {
      async asks({ emit, wait }) {
        emit({ type: "step.started", step: "inner", attempt: 1, child: "run_1.0123456789" });
        const output = await wait("go");
        emit({ type: "step.completed", step: "inner", attempt: 1, output, duration_ms: 1 });
        return output;
      },
    },
  });
  const answer = post("/v1/runs", { pipeline: "asks" }, { prefer: "wait=5" });
  const id = "run_00000000000000000000000001";
  while ((await engine.get(LOCAL, id))?.status !== "waiting") await Promise.resolve();
  await engine.signal(LOCAL, id, "go", 7);
  const told = await (await answer).json();
  expect(told).toMatchObject({ children: [{ step: "inner" }], state: { nodes: { inner: 7 } } });
  expect(told).toEqual(await (await app.request(`/v1/runs/${id}`)).json());
});

Deno.test("POST /v1/runs with an unknown pipeline or a bad input starts nothing", async () => {
  const { post, engine } = setup();
  await expectProblem(await post("/v1/runs", { pipeline: "nope" }), 404, "not_found");
  const bad = await post("/v1/runs", { pipeline: "echo", input: { wrong: 1 } });
  expect((await expectProblem(bad, 422, "validation_failed")).errors)
    .toEqual([{ location: "/wrong", message: "must not be there" }]);
  for (const body of [{}, { pipeline: "" }, { pipeline: "echo", tenant: "x" }, { pipeline: 1 }]) {
    await expectProblem(await post("/v1/runs", body), 422, "validation_failed");
  }
  expect(engine.started).toEqual([]);
});

Deno.test("POST /v1/runs with an Idempotency-Key makes one run", async () => {
  const { post, engine } = setup();
  const start = (body: unknown) =>
    post("/v1/runs", body, { "idempotency-key": "k", prefer: "wait=5" });
  const first = await (await start({ pipeline: "echo", input: 1 })).json();
  const second = await start({ input: 1, pipeline: "echo" });
  expect(second.headers.get("idempotency-replayed")).toBe("true");
  expect(await second.json()).toEqual(first);
  await expectProblem(await start({ pipeline: "echo", input: 2 }), 422, "idempotency_mismatch");
  expect(engine.started.length).toBe(1);
});

Deno.test("POST /v1/runs is 429 with Retry-After when the engine is full", async () => {
  const { post, engine } = setup();
  engine.state.fail = new OrchestratorError("overloaded", "Cannot start: full.", {
    retry_after_ms: 2_500,
  });
  const response = await post("/v1/runs", { pipeline: "echo" });
  expect(response.headers.get("retry-after")).toBe("3");
  await expectProblem(response, 429, "overloaded");
});

Deno.test("GET /v1/runs pages newest first and filters by status", async () => {
  const { app, post, open } = setup();
  for (const pipeline of ["echo", "gated", "echo"]) {
    await post("/v1/runs", { pipeline }, { prefer: pipeline === "echo" ? "wait=5" : "" });
  }
  const list = async (query: string) => await (await app.request(`/v1/runs${query}`)).json();
  const ids = ({ runs }: { runs: { id: string }[] }) => runs.map(({ id }) => id);
  const page = await list("?limit=2");
  expect([ids(page), page.next_cursor]).toEqual([[
    "run_00000000000000000000000003",
    "run_00000000000000000000000002",
  ], "run_00000000000000000000000002"]);
  expect(ids(await list(`?limit=2&cursor=${page.next_cursor}`))).toEqual([
    "run_00000000000000000000000001",
  ]);
  expect(ids(await list("?status=running"))).toEqual(["run_00000000000000000000000002"]);
  expect((await list("")).next_cursor).toBeNull();
  expect((await list("")).runs[0].tenant).toBeUndefined();
  open();
});

Deno.test("a list refuses parameters that it does not know or that are there twice", async () => {
  const { app } = setup();
  const refusal = async (path: string) =>
    (await expectProblem(await app.request(path), 400, "invalid_request")).errors;
  expect(await refusal("/v1/runs?state=failed")).toEqual([
    { location: "?state", message: "is unknown; did you mean ?status?" },
  ]);
  expect(await refusal("/v1/runs?status=failed&status=completed")).toEqual([
    { location: "?status", message: "is given more than once: send it once" },
  ]);
  const lists = ["pipelines", "pipelines/echo/versions", "schedules", "approvals", "dead-letters"];
  const more = [
    "documents",
    "documents/doc_1/passages",
    "conversations",
    "conversations/c",
    "plans",
  ];
  for (const list of [...lists, ...more, "memory", "../workflows"]) {
    expect(await refusal(`/v1/${list}?colour=x`)).toEqual([
      { location: "?colour", message: "is not a parameter of this list" },
    ]);
  }
});

for (const query of ["limit=0", "limit=201", "limit=x", "status=odd", "cursor="]) {
  Deno.test(`GET /v1/runs?${query} is 400`, async () => {
    const { app } = setup();
    const problem = await expectProblem(
      await app.request(`/v1/runs?${query}`),
      400,
      "invalid_request",
    );
    expect(problem.errors[0].location).toBe(`?${query.split("=")[0]}`);
  });
}

Deno.test("GET /v1/runs/{id} shows input, output and usage", async () => {
  const { app, post } = setup({
    scripts: {
      fails({ emit }) {
        emit(agentDone("a", "x"));
        throw new OrchestratorError("tool_failed", "Cannot call the tool: it broke.");
      },
    },
  });
  await post("/v1/runs", { pipeline: "echo", input: { a: 1 } }, { prefer: "wait=5" });
  await post("/v1/runs", { pipeline: "fails" }, { prefer: "wait=5" });
  const get = async (id: string) => await (await app.request(`/v1/runs/${id}`)).json();
  expect(await get("run_00000000000000000000000001"))
    .toMatchObject({ status: "completed", input: { a: 1 }, output: { a: 1 }, last_seq: 2 });
  expect(await get("run_00000000000000000000000002"))
    .toMatchObject({ status: "failed", input: {}, usage: USAGE, error: { code: "tool_failed" } });
});

Deno.test("a run that does not exist is 404 on every one of its routes", async () => {
  const { app, post } = setup();
  for (const id of ["run_9", "%00", "a%2Fb", "x".repeat(200)]) {
    for (const part of ["", "/journal", "/events"]) {
      await expectProblem(await app.request(`/v1/runs/${id}${part}`), 404, "not_found");
    }
    await expectProblem(await post(`/v1/runs/${id}/cancel`, {}), 404, "not_found");
  }
});

Deno.test("another tenant's run is 404", async () => {
  const { app, engine } = setup();
  const request = { pipeline: "echo", version: "1", input: null };
  const { run } = await engine.start(callerOf("other"), request);
  for (const part of ["", "/journal", "/events"]) {
    await expectProblem(await app.request(`/v1/runs/${run.id}${part}`), 404, "not_found");
  }
  expect((await (await app.request("/v1/runs")).json()).runs).toEqual([]);
});

Deno.test("GET /v1/runs/{id}/journal gives the events, also from the middle", async () => {
  const { app, post } = setup();
  await post("/v1/runs", { pipeline: "echo" }, { prefer: "wait=5" });
  const journal = async (query: string) =>
    (await (await app.request(`/v1/runs/run_00000000000000000000000001/journal${query}`)).json())
      .map(({ seq, type }: { seq: number; type: string }) => [seq, type]);
  expect(await journal("")).toEqual([[1, "run.started"], [2, "run.completed"]]);
  expect(await journal("?after=1")).toEqual([[2, "run.completed"]]);
});

Deno.test("GET /v1/runs/{id}/events replays, gives a joiner a snapshot and follows", async () => {
  const { app, post, open, engine } = setup();
  await post("/v1/runs", { pipeline: "gated" });
  const response = await app.request("/v1/runs/run_00000000000000000000000001/events", {
    headers: { "last-event-id": "1" },
  });
  expect(engine.followers("run_00000000000000000000000001")).toBe(1);
  open();
  const events = parseSse(await response.text());
  expect(events.map(({ id, event }) => [id, event])).toEqual([
    ["2", "step.started"],
    [undefined, "step.snapshot"],
    ["3", "run.completed"],
  ]);
  expect(events[1]?.data.text).toBe("so far");
});

Deno.test("GET /v1/runs/{id}/events is 204 when there is nothing left to send", async () => {
  const { app, post } = setup();
  await post("/v1/runs", { pipeline: "echo" }, { prefer: "wait=5" });
  expect((await app.request("/v1/runs/run_00000000000000000000000001/events?after=2")).status).toBe(
    204,
  );
  const events = parseSse(
    await (await app.request("/v1/runs/run_00000000000000000000000001/events?after=1")).text(),
  );
  expect(events.map(({ id }) => id)).toEqual(["2"]);
});

for (const id of ["x", "-1", "1.5", "", "99999999999999999999"]) {
  Deno.test(`GET /v1/runs/{id}/events after ${JSON.stringify(id)} is 400`, async () => {
    const { app, post } = setup();
    await post("/v1/runs", { pipeline: "echo" });
    const path = "/v1/runs/run_00000000000000000000000001/events";
    const headers = { "last-event-id": id };
    await expectProblem(await app.request(path, { headers }), 400, "invalid_request");
    await expectProblem(await app.request(`${path}?after=${id}`), 400, "invalid_request");
  });
}

Deno.test("POST /v1/runs/{id}/cancel cancels, with and without a body, once", async () => {
  const { app, post } = setup();
  await post("/v1/runs", { pipeline: "gated" });
  await post("/v1/runs", { pipeline: "gated" });
  const first = await app.request("/v1/runs/run_00000000000000000000000001/cancel", {
    method: "POST",
  });
  expect([first.status, first.headers.get("location")]).toEqual([
    202,
    "/v1/runs/run_00000000000000000000000001",
  ]);
  expect((await first.json()).id).toBe("run_00000000000000000000000001");
  expect(
    (await post("/v1/runs/run_00000000000000000000000002/cancel", { reason: "enough" })).status,
  ).toBe(202);
  await (await app.request("/v1/runs/run_00000000000000000000000001/events")).text();
  await expectProblem(
    await post("/v1/runs/run_00000000000000000000000001/cancel", {}),
    409,
    "conflict",
  );
});

Deno.test("POST /v1/runs/{id}/cancel with a bad body cancels nothing", async () => {
  const { app, post, open } = setup();
  await post("/v1/runs", { pipeline: "gated" });
  const path = "/v1/runs/run_00000000000000000000000001/cancel";
  await expectProblem(await post(path, { reason: 1 }), 422, "validation_failed");
  await expectProblem(await post(path, "{"), 400, "invalid_request");
  const typed = await post(path, {}, { "content-type": "text/plain" });
  await expectProblem(typed, 415, "unsupported_media_type");
  expect((await (await app.request("/v1/runs/run_00000000000000000000000001")).json()).status).toBe(
    "running",
  );
  open();
});
