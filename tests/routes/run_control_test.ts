import { expect } from "expect";
import { expectProblem, setup, user } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

/** A fresh app with a run of `waits`, which waits for the signal `go`. */
async function waiting() {
  const t = setup({
    scripts: {
      waits: ({ wait }) => wait("go"),
      fails() {
        throw new Error("broken");
      },
    },
  });
  const started = await t.post("/v1/runs", { pipeline: "waits", input: { a: 1 } });
  const run = (await started.json()).id as string;
  const control = (what: string, body?: unknown) => t.post(`/v1/runs/${run}/${what}`, body ?? {});
  return { ...t, run, control };
}

Deno.test("POST /v1/runs/{id}/signal sends a signal to the run", async () => {
  const { control, engine, run } = await waiting();
  const response = await control("signal", { name: "go", payload: { n: 1 } });
  expect([response.status, response.headers.get("location")]).toEqual([202, `/v1/runs/${run}`]);
  expect((await response.json()).id).toBe(run);
  expect(await engine.result(LOCAL, run)).toMatchObject({ output: { n: 1 } });
  await expectProblem(await control("signal", { name: "go" }), 409, "conflict");
});

Deno.test("a signal without a payload has null", async () => {
  const { control, engine, run } = await waiting();
  await control("signal", { name: "go" });
  expect(await engine.result(LOCAL, run)).toMatchObject({ output: null });
});

for (const body of [{}, { name: "" }, { name: "x".repeat(129) }, { name: "go", more: 1 }]) {
  Deno.test(`POST /v1/runs/{id}/signal with ${JSON.stringify(body).slice(0, 30)} is 422`, async () => {
    const { control } = await waiting();
    await expectProblem(await control("signal", body), 422, "validation_failed");
  });
}

Deno.test("a run is paused and resumed", async () => {
  const { control, app, engine, run } = await waiting();
  await expectProblem(await control("resume"), 409, "conflict");
  expect((await control("pause", { reason: "lunch" })).status).toBe(202);
  expect((await engine.journal(LOCAL, run)).at(-1)).toMatchObject({ reason: "lunch" });
  const paused = await (await app.request("/v1/runs?status=paused")).json();
  expect(paused.runs.map(({ id }: { id: string }) => id)).toEqual([run]);
  const bare = await app.request(`/v1/runs/${run}/resume`, { method: "POST" });
  expect([bare.status, (await bare.json()).status]).toEqual([202, "running"]);
});

Deno.test("a chat turn whose run is paused answers 202", async () => {
  const { post, engine, open } = setup();
  const turn = post("/v1/chat", { pipeline: "gated", messages: [user("hi")] });
  while (engine.started.length === 0) await new Promise((resolve) => setTimeout(resolve));
  await engine.pause(LOCAL, "run_00000000000000000000000001");
  expect([(await turn).status, (await (await turn).json()).status]).toEqual([202, "paused"]);
  open();
});

Deno.test("POST /v1/runs/{id}/restart answers with the new run", async () => {
  const { post, engine, run } = await waiting();
  const path = `/v1/runs/${run}/restart`;
  const body = { from: "write", input: { a: 2 }, with: null };
  const response = await post(path, body, { "x-user": "ann" });
  expect([response.status, response.headers.get("location")])
    .toEqual([202, "/v1/runs/run_00000000000000000000000002"]);
  expect(await response.json()).toMatchObject({
    id: "run_00000000000000000000000002",
    started_by: "ann",
  });
  expect(engine.restarted).toEqual([{ id: run, started_by: "ann", ...body }]);
  await post(path, { from: "write" });
  expect(engine.restarted[1]).toEqual({ id: run, started_by: "local", from: "write" });
  await expectProblem(await post(path, {}), 422, "validation_failed");
});

Deno.test("controlling a run that does not exist is 404", async () => {
  const { post } = setup();
  const bodies = {
    signal: { name: "go" },
    pause: {},
    resume: {},
    redrive: {},
    restart: { from: "a" },
  };
  for (const [what, body] of Object.entries(bodies)) {
    await expectProblem(await post(`/v1/runs/run_9/${what}`, body), 404, "not_found");
  }
});

Deno.test("POST /v1/runs takes priority, budget and what to do when the conversation is busy", async () => {
  const { post, engine } = setup({
    deps: {
      catalog: {
        prepare: (_caller, name) =>
          Promise.resolve({
            version: "v",
            ...(name === "echo" ? { priority: 1, budget: { tokens: 10, steps: 5 } } : {}),
          }),
      },
    },
  });
  await post("/v1/runs", {
    pipeline: "echo",
    conversation_id: "c",
    priority: 7,
    budget: { tokens: 20, steps: 3, cost_usd: 1, on_exceeded: "approval" },
    on_busy: "reject",
  });
  expect(engine.started[0]).toMatchObject({
    priority: 7,
    budget: { tokens: 10, steps: 3, cost_usd: 1, on_exceeded: "approval" },
    concurrency: { key: "conversation/c", limit: 1, on_busy: "reject" },
  });
  await post("/v1/runs", { pipeline: "echo" });
  expect(engine.started[1]).toMatchObject({ priority: 1, budget: { tokens: 10, steps: 5 } });
  expect(engine.started[1]!.concurrency).toBeUndefined();
  await post("/v1/chat", { pipeline: "compose", messages: [user("hi")], budget: { seconds: 9 } });
  expect(engine.started[2]).toMatchObject({ budget: { seconds: 9 } });
  expect(engine.started[2]!.concurrency).toBeUndefined();
  expect(engine.started[2]!.priority).toBeUndefined();
});

Deno.test("a pipeline's own concurrency replaces the conversation's", async () => {
  const concurrency = { key: "site", limit: 2, on_busy: "enqueue" } as const;
  const { post, engine } = setup({
    deps: { catalog: { prepare: () => Promise.resolve({ version: "v", concurrency }) } },
  });
  await post("/v1/runs", { pipeline: "echo", conversation_id: "c" });
  expect(engine.started[0]!.concurrency).toEqual(concurrency);
});

for (
  const more of [
    { on_busy: "reject" },
    { on_busy: "odd", conversation_id: "c" },
    { priority: 1.5 },
    { priority: 101 },
    { budget: { tokens: 0 } },
    { budget: { money: 1 } },
    { started_by: "root" },
  ]
) {
  Deno.test(`a request with ${JSON.stringify(more)} is 422`, async () => {
    const { post, engine } = setup();
    const run = await post("/v1/runs", { pipeline: "echo", ...more });
    await expectProblem(run, 422, "validation_failed");
    const chat = await post("/v1/chat", { messages: [user("hi")], ...more });
    await expectProblem(chat, 422, "validation_failed");
    expect(engine.started).toEqual([]);
  });
}

Deno.test("failed runs are dead letters until they are redriven", async () => {
  const { post, app, engine } = await waiting();
  await post("/v1/runs", { pipeline: "fails", conversation_id: "c" }, { prefer: "wait=5" });
  await post("/v1/runs", { pipeline: "fails" }, { prefer: "wait=5" });
  const list = async (query = "") => await (await app.request(`/v1/dead-letters${query}`)).json();
  expect(await list("?limit=1&cursor=run_00000000000000000000000003")).toEqual({
    dead_letters: [{
      id: "run_00000000000000000000000002",
      pipeline: "fails",
      version: "v-fails",
      error: { code: "internal", kind: "terminal", message: "broken" },
      created_at: expect.any(String),
      failed_at: expect.any(String),
      conversation_id: "c",
      attempts: 1,
      links: {
        run: "/v1/runs/run_00000000000000000000000002",
        journal: "/v1/runs/run_00000000000000000000000002/journal",
        redrive: "/v1/dead-letters/run_00000000000000000000000002/redrive",
      },
    }],
    next_cursor: null,
  });
  expect((await list("?limit=1")).next_cursor).toBe("run_00000000000000000000000003");

  const one = await post("/v1/dead-letters/run_00000000000000000000000002/redrive", {});
  expect([one.status, one.headers.get("location")]).toEqual([
    202,
    "/v1/runs/run_00000000000000000000000002",
  ]);
  const resumed = (await engine.journal(LOCAL, "run_00000000000000000000000002"))[2];
  expect(resumed).toMatchObject({ reason: "redriven" });
  const ids = [
    "run_00000000000000000000000003",
    "run_00000000000000000000000001",
    "run_9",
    "run_00000000000000000000000003",
  ];
  const many = await post("/v1/dead-letters/redrive", { ids });
  expect([many.status, await many.json()]).toMatchObject([202, {
    results: [
      { id: "run_00000000000000000000000003", status: "accepted" },
      { id: "run_00000000000000000000000001", error: { code: "conflict" } },
      { id: "run_9", error: { code: "not_found" } },
    ],
  }]);
  await expectProblem(await post("/v1/dead-letters/run_9/redrive", {}), 404, "not_found");
  await expectProblem(
    await post("/v1/dead-letters/redrive", { ids: [] }),
    422,
    "validation_failed",
  );
});

Deno.test("what is wrong with the service ends a bulk redrive", async () => {
  const { post, engine } = await waiting();
  engine.redrive = () => Promise.reject(new Error("no disk"));
  await expectProblemOf(await post("/v1/dead-letters/redrive", { ids: ["run_1"] }), 500);
});

async function expectProblemOf(response: Response, status: number): Promise<void> {
  expect([response.status, (await response.json()).code]).toEqual([status, "internal"]);
}
