import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import { agentDone, expectProblem, parseSse, setup, USAGE, user } from "./_setup.ts";

const ASK = {
  conversation_id: "demo-123",
  messages: [user("Draft a blog post.")],
  context: { tone: "informative" },
};

Deno.test("POST /v1/chat answers with the unified response when the run ends", async () => {
  const { post, engine } = setup();
  const response = await post("/v1/chat", ASK);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    conversation_id: "demo-123",
    run_id: "run_00000000000000000000000001",
    status: "completed",
    message: { role: "assistant", content: "the answer" },
    agents: [
      { name: "researcher", output: "notes", usage: USAGE, duration_ms: 7, attempts: 1 },
      { name: "builder", output: "draft", usage: USAGE, duration_ms: 7, attempts: 1 },
    ],
    sources: [{ title: "A" }],
    review: { score: 8, summary: null, comments: ["fine"], edits: [], violations: [] },
    usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
    metadata: {
      pipeline: "compose",
      version: "v-compose",
      models: ["offline", "test/model"],
      offline: true,
      started_at: expect.any(String),
      ended_at: expect.any(String),
      duration_ms: 40,
    },
  });
  expect(engine.started).toEqual([{
    tenant: "default",
    started_by: "local",
    grants: ["*"],
    concurrency: { key: "conversation/demo-123", limit: 1, on_busy: "enqueue" },
    pipeline: "compose",
    version: "v-compose",
    conversation_id: "demo-123",
    input: { messages: ASK.messages, context: ASK.context },
  }]);
});

Deno.test("POST /v1/chat passes documents, user and metadata on to the run", async () => {
  const { post, engine } = setup();
  const extras = {
    documents: [{ id: "d1", title: "T", url: "https://example.test/a", text: "text" }],
    user_id: "u1",
    metadata: { from: "test" },
  };
  await post("/v1/chat", { ...ASK, ...extras, pipeline: "echo" });
  expect(engine.started[0]).toMatchObject({ pipeline: "echo", input: extras });
});

Deno.test("POST /v1/chat makes a conversation id when there is none", async () => {
  const { post } = setup();
  const { conversation_id } = await (await post("/v1/chat", { messages: [user("hi")] })).json();
  expect(conversation_id).toMatch(/^conv_\d+$/);
});

Deno.test("POST /v1/chat with a prompt runs the assistant, or says that there is none", async () => {
  const without = setup();
  const problem = await expectProblem(
    await without.post("/v1/chat", { prompt: "hi" }),
    404,
    "not_found",
  );
  expect(problem.detail).toContain("assistant");

  const { post, engine } = setup({ scripts: { assistant: () => "hello" } });
  const { message } = await (await post("/v1/chat", { prompt: "hi" })).json();
  expect(message).toEqual({ role: "assistant", content: "hello" });
  expect(engine.started[0]).toMatchObject({
    pipeline: "assistant",
    input: { messages: [user("hi")] },
  });
});

Deno.test("POST /v1/chat answers a failed run with its error and ids", async () => {
  const { post } = setup();
  const response = await post("/v1/chat", { ...ASK, pipeline: "failing" });
  const problem = await expectProblem(response, 502, "model_unavailable");
  expect(problem).toMatchObject({
    run_id: "run_00000000000000000000000001",
    conversation_id: "demo-123",
    details: { model: "test/model" },
  });
});

Deno.test("POST /v1/chat answers 409 run_cancelled when the run is cancelled", async () => {
  const { post } = setup({
    scripts: {
      stopped: ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve(null));
        }),
    },
  });
  const answer = post("/v1/chat", { ...ASK, pipeline: "stopped" });
  while ((await post("/v1/runs/run_00000000000000000000000001/cancel", {})).status !== 202);
  expect(await expectProblem(await answer, 409, "run_cancelled"))
    .toMatchObject({ run_id: "run_00000000000000000000000001" });
});

Deno.test("POST /v1/chat with Prefer: respond-async answers 202 at once", async () => {
  const { post, open, app } = setup();
  const ask = { ...ASK, pipeline: "gated" };
  const response = await post("/v1/chat", ask, { prefer: "respond-async" });
  expect(response.status).toBe(202);
  expect(response.headers.get("location")).toBe("/v1/runs/run_00000000000000000000000001");
  expect(response.headers.get("preference-applied")).toBe("respond-async");
  expect(await response.json()).toEqual({
    conversation_id: "demo-123",
    run_id: "run_00000000000000000000000001",
    status: "running",
    approvals: [],
    links: expect.objectContaining({ events: "/v1/runs/run_00000000000000000000000001/events" }),
  });
  open();
  const events = await (await app.request("/v1/runs/run_00000000000000000000000001/events")).text();
  expect(parseSse(events).at(-1)?.event).toBe("run.completed");
});

Deno.test("POST /v1/chat with Prefer: wait answers 202 when the run takes longer", async () => {
  const { post, open } = setup();
  const slow = await post("/v1/chat", { ...ASK, pipeline: "gated" }, { prefer: "wait=0" });
  expect([slow.status, slow.headers.get("preference-applied")]).toEqual([202, "wait=0"]);
  open();
  expect((await post("/v1/chat", ASK, { prefer: "wait=5" })).status).toBe(200);
});

for (
  const [how, body, headers] of [
    ["Accept", ASK, { accept: "text/event-stream" }],
    ["stream: true", { ...ASK, stream: true }, {}],
  ] as const
) {
  Deno.test(`POST /v1/chat with ${how} streams the run's events and completes`, async () => {
    const { post } = setup();
    const response = await post("/v1/chat", body, headers);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    expect(response.headers.get("cache-control")).toBe("no-cache");
    const events = parseSse(await response.text());
    expect(events.map(({ id, event }) => [id, event])).toEqual([
      ["1", "run.started"],
      ["2", "agent.started"],
      [undefined, "step.delta"],
      [undefined, "step.delta"],
      ["3", "agent.completed"],
      ["4", "agent.completed"],
      ["5", "run.completed"],
      [undefined, "complete"],
    ]);
    expect(events[0]?.data).toMatchObject({
      run_id: "run_00000000000000000000000001",
      conversation_id: "demo-123",
    });
    expect(events.at(-1)?.data).toMatchObject({
      type: "complete",
      run_id: "run_00000000000000000000000001",
      status: "completed",
      message: { content: "the answer" },
    });
  });
}

Deno.test("POST /v1/chat with stream: false beats the Accept header", async () => {
  const { post } = setup();
  const response = await post("/v1/chat", { ...ASK, stream: false }, {
    accept: "text/event-stream",
  });
  expect((await response.json()).status).toBe("completed");
});

Deno.test("a chat stream of a failed run ends with run.failed and complete", async () => {
  const { post } = setup();
  const response = await post("/v1/chat", { ...ASK, pipeline: "failing", stream: true });
  const [failed, complete] = parseSse(await response.text()).slice(-2);
  expect(failed?.event).toBe("run.failed");
  expect(complete?.data).toMatchObject({
    type: "complete",
    status: "failed",
    message: null,
    error: { code: "model_unavailable" },
  });
});

Deno.test("a chat stream that cannot start is a problem, not a stream", async () => {
  const { post, engine } = setup();
  engine.state.fail = new OrchestratorError("overloaded", "Cannot start: full.");
  await expectProblem(await post("/v1/chat", { ...ASK, stream: true }), 429, "overloaded");
});

Deno.test("the run goes on when a stream's client goes away", async () => {
  const { post, open, app, engine } = setup();
  const response = await post("/v1/chat", { ...ASK, pipeline: "gated", stream: true });
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
  open();
  const events = await (await app.request("/v1/runs/run_00000000000000000000000001/events")).text();
  expect(parseSse(events).at(-1)?.event).toBe("run.completed");
  expect(engine.followers("run_00000000000000000000000001")).toBe(0);
});

Deno.test("Idempotency-Key: the same request gets the first answer, whatever its member order", async () => {
  const { post, engine } = setup();
  const headers = { "idempotency-key": "k1" };
  const first = await post("/v1/chat", ASK, headers);
  expect(first.headers.get("idempotency-replayed")).toBeNull();
  const { conversation_id, context, messages } = ASK;
  const second = await post("/v1/chat", { context, messages, conversation_id }, headers);
  expect(second.headers.get("idempotency-replayed")).toBe("true");
  expect(await second.json()).toEqual(await first.json());
  expect(engine.started.length).toBe(1);

  const stream = await post("/v1/chat", { messages: ASK.messages }, { "idempotency-key": "k2" });
  const { conversation_id: made } = await stream.json();
  const again = await post("/v1/chat", { messages: ASK.messages }, { "idempotency-key": "k2" });
  expect((await again.json()).conversation_id).toBe(made);
});

Deno.test("Idempotency-Key: a replayed stream replays the journal and completes", async () => {
  const { post } = setup();
  const headers = { "idempotency-key": "k1" };
  const body = { ...ASK, stream: true };
  const first = parseSse(await (await post("/v1/chat", body, headers)).text());
  const response = await post("/v1/chat", body, headers);
  expect(response.headers.get("idempotency-replayed")).toBe("true");
  const journaled = first.filter(({ event }) => event !== "step.delta");
  expect(parseSse(await response.text())).toEqual(journaled);
});

Deno.test("Idempotency-Key: another body is 422, a run under way 409, a bad key 400", async () => {
  const { post, engine, open } = setup();
  const headers = { "idempotency-key": "k1", prefer: "respond-async" };
  const ask = { ...ASK, pipeline: "gated" };
  await post("/v1/chat", ask, headers);
  await expectProblem(await post("/v1/chat", ask, headers), 409, "idempotency_in_flight");
  await expectProblem(await post("/v1/chat", ASK, headers), 422, "idempotency_mismatch");
  for (const key of ["", "ü", "k".repeat(256)]) {
    const problem = await expectProblem(
      await post("/v1/chat", ASK, { "idempotency-key": key }),
      400,
      "invalid_request",
    );
    expect(problem.errors[0].location).toBe("Idempotency-Key");
  }
  expect(engine.started.length).toBe(1);
  open();
});

const BAD_BODIES: [what: string, body: unknown, location: string][] = [
  ["nothing", {}, "/messages"],
  ["an array", [], ""],
  ["null", null, ""],
  ["messages and prompt", { ...ASK, prompt: "hi" }, "/messages"],
  ["no message", { messages: [] }, "/messages"],
  ["an empty message", { messages: [user("")] }, "/messages/0/content"],
  ["a number for content", { messages: [{ role: "user", content: 1 }] }, "/messages/0/content"],
  ["an unknown role", { messages: [{ role: "root", content: "x" }] }, "/messages/0/role"],
  ["an answer at the end", {
    messages: [user("x"), { role: "assistant", content: "y" }],
  }, "/messages/1/role"],
  ["a tenant", { ...ASK, tenant: "other" }, "/tenant"],
  ["a status", { ...ASK, status: "completed" }, "/status"],
  ["an odd member", { ...ASK, "a/b~c": 1 }, "/a~1b~0c"],
  ["a bad conversation id", { ...ASK, conversation_id: "a b" }, "/conversation_id"],
  ["a long conversation id", { ...ASK, conversation_id: "a".repeat(129) }, "/conversation_id"],
  ["a context that is no object", { ...ASK, context: "x" }, "/context"],
  ["a document without text", { ...ASK, documents: [{}] }, "/documents/0/text"],
  ["a document from a script", {
    ...ASK,
    documents: [{ text: "x", url: "javascript:alert(1)" }],
  }, "/documents/0/url"],
];

for (const [what, body, location] of BAD_BODIES) {
  Deno.test(`POST /v1/chat with ${what} is 422 and starts nothing`, async () => {
    const { post, engine } = setup();
    const problem = await expectProblem(await post("/v1/chat", body), 422, "validation_failed");
    expect(problem.errors.map((issue: { location: string }) => issue.location)).toContain(location);
    expect(engine.started).toEqual([]);
  });
}

Deno.test("POST /v1/chat with a pipeline that does not exist is 404 with the known ones", async () => {
  const { post, engine } = setup();
  const response = await post("/v1/chat", { ...ASK, pipeline: "nope" });
  expect((await expectProblem(response, 404, "not_found")).detail).toContain("compose");
  expect(engine.started).toEqual([]);
});

Deno.test("POST /v1/chat survives a script that reports odd agents", async () => {
  const { post } = setup({
    scripts: {
      odd({ emit }) {
        emit(agentDone("a", { deep: [null] }));
        return [1, 2];
      },
    },
  });
  const response = await (await post("/v1/chat", { ...ASK, pipeline: "odd" })).json();
  expect(response).toMatchObject({
    message: { content: "[1,2]" },
    sources: [],
    review: null,
    agents: [{ name: "a", output: { deep: [null] } }],
    metadata: { offline: false },
  });
});
