/** The routes over the real engine and a store in memory. */
import { expect } from "expect";
import { localCaller } from "../../guard/mod.ts";
import { OrchestratorError } from "../../errors.ts";
import { createConversations } from "../../knowledge/conversations.ts";
import { createMemory } from "../../knowledge/memory.ts";
import { createEngine, type Json, realWorld, type RunFunction } from "../../pipeline/kernel/mod.ts";
import {
  type ApprovalDeps,
  createApprovals,
  requestApproval,
} from "../../pipeline/calls/approvals/mod.ts";
import { createBudgetGate } from "../../pipeline/calls/budget.ts";
import { remembering } from "../../pipeline/recall/remember.ts";
import { createChatSession } from "../../routes/ws_session.ts";
import { openStore } from "../../store/mod.ts";
import { firstCommitsOver } from "../pipeline/_memory_store.ts";
import { agentDone, expectProblem, parseSse, setup, user } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

const ASK = { conversation_id: "c1", messages: [user("hi")] };

/** A fresh app over a fresh engine that runs `programs`. */
async function serve(
  programs: Record<string, RunFunction> | ((asking: ApprovalDeps) => Record<string, RunFunction>),
  concurrency = 10,
) {
  const world = realWorld();
  const opened = await openStore(":memory:", {
    worker: "w1",
    now: world.clock.now,
    sleep: (ms) => world.clock.sleep(ms),
    lease_ms: 10_000,
  });
  const remember = {
    conversations: createConversations(opened.store),
    memory: createMemory(opened.store, world.clock.now),
    limit: 10,
    summarize: () => Promise.resolve(),
  };
  const asking = { store: opened.store, now: world.clock.now, newId: world.newId };
  const known = typeof programs === "function" ? programs(asking) : programs;
  const silent = { info() {}, warn() {}, error() {} };
  const engine = createEngine({
    store: opened.store,
    world,
    log: silent,
    gate: createBudgetGate(asking),
    concurrency,
    queue_limit: 2,
    idempotency_ttl_ms: 60_000,
    lease_ms: 10_000,
    sweep_ms: 1_000,
  });
  await engine.open(({ pipeline }) => remembering(known[pipeline]!, remember));
  const catalog = { prepare: () => Promise.resolve({ version: "v1" }) };
  const fixture = setup({
    deps: { engine, catalog, approvals: createApprovals({ ...asking, engine }) },
  });
  return {
    ...fixture,
    engine,
    async [Symbol.asyncDispose]() {
      fixture.shutdown.abort();
      await engine.drain(1000);
      await opened.close();
      await firstCommitsOver();
    },
  };
}

const compose: RunFunction = async (ctx) => {
  const draft = await ctx.step("build", (scope) => {
    scope.delta("a ");
    scope.delta("draft");
    return "a draft";
  }, { kind: "agent" });
  ctx.emit(agentDone("builder", draft));
  return { content: draft, sources: [] };
};

Deno.test("a chat turn answers, and its stored run makes the same response again", async () => {
  await using t = await serve({ compose });
  const response = await (await t.post("/v1/chat", ASK)).json();
  expect(response).toMatchObject({
    conversation_id: "c1",
    status: "completed",
    message: { role: "assistant", content: "a draft" },
    agents: [{ name: "builder", output: "a draft" }],
  });
  const run = await (await t.app.request(`/v1/runs/${response.run_id}`)).json();
  expect(run).toMatchObject({ status: "completed", output: { content: "a draft" } });
  const { runs } = await (await t.app.request("/v1/runs?status=completed")).json();
  expect(runs.map(({ id }: { id: string }) => id)).toEqual([response.run_id]);
});

Deno.test("a repeated start of a run that waits says which one it is and when to ask again", async () => {
  await using t = await serve({
    asks: async (ctx) => {
      await ctx.wait("go", { signal: "go" });
      return "done";
    },
  });
  const start = () => t.post("/v1/runs", { pipeline: "asks" }, { "idempotency-key": "k" });
  const { id } = await (await start()).json();
  while ((await t.engine.get(LOCAL, id))?.status !== "waiting") {
    await new Promise((resolve) => setTimeout(resolve));
  }
  const again = await start();
  const { headers } = again;
  expect([headers.get("location"), headers.get("retry-after")]).toEqual([`/v1/runs/${id}`, "30"]);
  expect((await expectProblem(again, 409, "idempotency_in_flight")).run_id).toBe(id);
  await t.post(`/v1/runs/${id}/signal`, { name: "go" });
  await (await t.app.request(`/v1/runs/${id}/events`)).text();
  expect((await start()).headers.get("idempotency-replayed")).toBe("true");
});

for (const [what, status] of [["pause", "paused"], ["cancel", "cancelled"]] as const) {
  Deno.test(`to ${what} a run that waits answers that it is ${status}`, async () => {
    await using t = await serve({ asks: (ctx) => ctx.wait("go", { signal: "go" }) });
    const { id } = await (await t.post("/v1/runs", { pipeline: "asks" })).json();
    while ((await t.engine.get(LOCAL, id))?.status !== "waiting") {
      await new Promise((resolve) => setTimeout(resolve));
    }
    const response = await t.post(`/v1/runs/${id}/${what}`, {});
    expect([response.status, (await response.json()).status]).toEqual([202, status]);
  });
}

Deno.test("a chat stream has gapless ids and ends with complete", async () => {
  await using t = await serve({ compose });
  const events = parseSse(await (await t.post("/v1/chat", { ...ASK, stream: true })).text());
  const ids = events.flatMap(({ id }) => id === undefined ? [] : [Number(id)]);
  expect(ids).toEqual(ids.map((_, index) => index + 1));
  expect(events[0]?.data).toMatchObject({ type: "run.started", conversation_id: "c1" });
  const text = events.filter(({ event }) => event === "step.delta").map(({ data }) => data.text);
  expect(text.join("")).toBe("a draft");
  expect(events.at(-2)?.event).toBe("run.completed");
  expect(events.at(-1)?.data).toMatchObject({ type: "complete", message: { content: "a draft" } });
});

Deno.test("an idempotent request is answered like the first one, also as a stream", async () => {
  await using t = await serve({ compose });
  const headers = { "idempotency-key": "k1" };
  const first = await t.post("/v1/chat", ASK, headers);
  const again = await t.post("/v1/chat", ASK, headers);
  expect(again.headers.get("idempotency-replayed")).toBe("true");
  expect(await again.json()).toEqual(await first.json());
  const other = await t.post("/v1/chat", { ...ASK, stream: true }, headers);
  await expectProblem(other, 422, "idempotency_mismatch");
});

Deno.test("what was answered is before the next turn's message", async () => {
  const inputs: Json[] = [];
  await using t = await serve({
    compose(_ctx, input) {
      inputs.push(input);
      const said = (input as { messages: { content: string }[] }).messages.at(-1)!.content;
      return Promise.resolve("answer to " + said);
    },
  });
  await t.post("/v1/chat", { ...ASK, messages: [user("one")] });
  await t.post("/v1/chat", { ...ASK, messages: [user("two")] });
  expect(inputs[1]).toEqual({
    messages: [user("one"), { role: "assistant", content: "answer to one" }, user("two")],
  });
});

Deno.test("a failing run, an unknown run, a cancelled and an ended one", async () => {
  await using t = await serve({
    compose: () => {
      throw new OrchestratorError("model_auth", "Cannot ask the model: the key is wrong.");
    },
    wait: (ctx) =>
      ctx.step("wait", ({ signal }) =>
        new Promise<string>((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        })),
  });
  const problem = await expectProblem(await t.post("/v1/chat", ASK), 502, "model_auth");
  await expectProblem(await t.app.request("/v1/runs/run_x"), 404, "not_found");
  await expectProblem(await t.post(`/v1/runs/${problem.run_id}/cancel`, {}), 409, "conflict");

  const { id } = await (await t.post("/v1/runs", { pipeline: "wait" })).json();
  const events = t.app.request(`/v1/runs/${id}/events`);
  expect((await t.post(`/v1/runs/${id}/cancel`, { reason: "enough" })).status).toBe(202);
  expect(parseSse(await (await events).text()).at(-1)?.event).toBe("run.cancelled");
});

Deno.test("a full engine is 429 with Retry-After and starts nothing", async () => {
  const gate = Promise.withResolvers<string>();
  await using t = await serve({ wait: (ctx) => ctx.step("wait", () => gate.promise) }, 1);
  const answers = [];
  for (let n = 0; n < 6; n++) answers.push(await t.post("/v1/runs", { pipeline: "wait" }));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]!.headers.get("retry-after")).toMatch(/^\d+$/);
  const { runs } = await (await t.app.request("/v1/runs")).json();
  expect(runs.length).toBe(answers.length - refused.length);
  gate.resolve("done");
});

Deno.test("a journal of several megabytes is replayed whole", async () => {
  const piece = "x".repeat(300_000);
  await using t = await serve({
    async compose(ctx) {
      for (let n = 0; n < 10; n++) await ctx.step(`s${n}`, () => piece);
      return "done";
    },
  });
  const { run_id } = await (await t.post("/v1/chat", ASK)).json();
  const text = await (await t.app.request(`/v1/runs/${run_id}/events`)).text();
  expect(text.length).toBeGreaterThan(3_000_000);
  expect(parseSse(text).at(-1)?.event).toBe("run.completed");
});

Deno.test("a request that still waits when the server stops gets 503 and its run's id", async () => {
  await using t = await serve({
    compose: (ctx) =>
      ctx.step("wait", ({ signal }) =>
        new Promise<string>((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        })),
  });
  const chat = t.post("/v1/chat", ASK);
  const run = t.post("/v1/runs", { pipeline: "compose" }, { prefer: "wait=30" });
  while (t.engine.stats().running < 2) await new Promise((resolve) => setTimeout(resolve));
  await t.engine.drain(0);
  for (const response of [await chat, await run]) {
    const { details } = await expectProblem(response, 503, "shutting_down");
    expect(details).toEqual({ run_id: expect.stringMatching(/^run_/) });
    expect(response.headers.get("retry-after")).not.toBeNull();
  }
});

Deno.test("POST /v1/runs/{id}/redrive goes on where a failed run failed", async () => {
  let broken = true;
  const t = await serve({
    flaky: (ctx) =>
      ctx.step("a", () => {
        if (broken) throw new OrchestratorError("model_auth", "Cannot ask: the key is wrong.");
        return "mended";
      }),
  });
  await using _ = t;
  const failed = await t.post("/v1/runs", { pipeline: "flaky" }, { prefer: "wait=30" });
  const { id, status } = await failed.json();
  expect(status).toBe("failed");
  broken = false;
  const response = await t.post(`/v1/runs/${id}/redrive`, {});
  expect(response.status).toBe(202);
  expect(response.headers.get("location")).toBe(`/v1/runs/${id}`);
  await (await t.app.request(`/v1/runs/${id}/events`)).text();
  expect((await (await t.app.request(`/v1/runs/${id}`)).json()).output).toBe("mended");
  await expectProblem(await t.post(`/v1/runs/${id}/redrive`, {}), 409, "conflict");
  await expectProblem(await t.post("/v1/runs/run_none/redrive", {}), 404, "not_found");
});

/** Programs that ask before they answer, by themselves or in a run within. */
const asking = (deps: ApprovalDeps): Record<string, RunFunction> => ({
  async asks(ctx) {
    const request = { title: "Answer?", payload: { content: "yes" } };
    const { decision, payload } = await requestApproval(ctx, "check", request, deps);
    return decision === "approved" ? payload : decision;
  },
  async around(ctx) {
    const result = await ctx.child("inner", { pipeline: "asks", version: "v1", input: {} });
    return result.status === "completed" ? result.output : result.status;
  },
});

for (const pipeline of ["asks", "around"]) {
  Deno.test(`a chat turn of ${pipeline} waits for people, and its run ends as they say`, async () => {
    await using t = await serve(asking);
    const turn = await t.post("/v1/chat", { ...ASK, pipeline });
    const { run_id, status, approvals } = await turn.json();
    expect([turn.status, status, approvals.length]).toEqual([202, "waiting", 1]);
    const [{ title, links }] = approvals;
    expect(title).toBe("Answer?");
    const events = t.app.request(`/v1/runs/${run_id}/events`);

    const view = await (await t.app.request(`/v1/runs/${run_id}`)).json();
    expect(view.pending_approvals).toEqual(approvals);
    expect(view.children.length).toBe(pipeline === "around" ? 1 : 0);

    const decided = await t.post(links.decide, { decision: "approve" }, { "x-user": "ann" });
    expect(decided.status).toBe(200);
    const told = parseSse(await (await events).text());
    expect(told.at(-1)).toMatchObject({
      event: "run.completed",
      data: { output: { content: "yes" } },
    });
    expect(told.filter(({ event }) => event?.startsWith("approval.")).map(({ event }) => event))
      .toEqual(["approval.requested", "approval.decided"]);
    await expectProblem(await t.post(links.decide, { decision: "reject" }), 409, "conflict");
  });

  Deno.test(`cancelling a waiting run of ${pipeline} makes its approval void`, async () => {
    await using t = await serve(asking);
    const { run_id, approvals: [{ links }] } =
      await (await t.post("/v1/chat", { ...ASK, pipeline })).json();
    expect((await t.post(`/v1/runs/${run_id}/cancel`, {})).status).toBe(202);
    await (await t.app.request(`/v1/runs/${run_id}/events`)).text();
    await (await t.app.request(`${links.run}/events`)).text();
    expect((await (await t.app.request(links.self)).json()).status).toBe("void");
    await expectProblem(await t.post(links.decide, { decision: "approve" }), 409, "conflict");
    expect((await (await t.app.request("/v1/approvals?status=pending")).json()).approvals)
      .toEqual([]);
  });
}

Deno.test("a redriven run asks anew what became void when it failed", async () => {
  let broken = true;
  await using t = await serve((deps) => ({
    both: (ctx) =>
      ctx.group("both", async (ctx) => {
        const request = { title: "Go?", payload: 1 };
        const [asked] = await ctx.all<Json>([
          async (ctx) => (await requestApproval(ctx, "check", request, deps)).decision,
          async (ctx) => {
            const asked = await ctx.wait("start", { signal: "start" });
            return await ctx.step("other", () => {
              if (broken) throw new OrchestratorError("tool_failed", "Cannot go on: broken.");
              return "signal" in asked;
            });
          },
        ]);
        return asked!.status === "fulfilled" ? asked!.value : "failed";
      }),
  }));
  const { id } = await (await t.post("/v1/runs", { pipeline: "both" })).json();
  const pending = async () => {
    const { approvals } = await (await t.app.request(`/v1/approvals?run=${id}`)).json();
    return approvals.filter(({ status }: { status: string }) => status === "pending");
  };
  while ((await pending()).length === 0) await new Promise((resolve) => setTimeout(resolve));
  await t.post(`/v1/runs/${id}/signal`, { name: "start" });
  await (await t.app.request(`/v1/runs/${id}/events`)).text();
  expect((await t.engine.get(LOCAL, id))?.error?.code).toBe("tool_failed");
  expect(await pending()).toEqual([]);

  broken = false;
  expect((await t.post(`/v1/dead-letters/${id}/redrive`, {})).status).toBe(202);
  while ((await pending()).length === 0) await new Promise((resolve) => setTimeout(resolve));
  const [{ links, step }] = await pending();
  expect(step).toBe("check/2");
  expect((await t.post(links.decide, { decision: "approve" })).status).toBe(200);
  await (await t.app.request(`/v1/runs/${id}/events`)).text();
  expect(await t.engine.result(LOCAL, id)).toMatchObject({ output: "approved" });
});

for (
  const [decision, raise, end] of [
    ["approve", 20, { status: "completed", output: "done" }],
    ["reject", undefined, { status: "failed", error: { code: "budget_exceeded" } }],
  ] as const
) {
  Deno.test(`a run that spent its budget goes on as people say: ${decision}`, async () => {
    const spent: string[] = [];
    await using t = await serve({
      async thinks(ctx) {
        const usage = () => ({ input_tokens: 4, output_tokens: 4, cost_usd: 0 });
        for (const key of ["a", "b"]) await ctx.step(key, () => spent.push(key), { usage });
        return "done";
      },
    });
    const budget = { tokens: 8, on_exceeded: "approval" };
    const turn = await t.post("/v1/chat", { ...ASK, pipeline: "thinks", budget });
    const { run_id, approvals: [{ title, links }] } = await turn.json();
    expect([title, spent]).toEqual(["Raise the budget of tokens?", ["a"]]);
    const payload = raise === undefined ? {} : { payload: { raise: { tokens: raise } } };
    const shown = await (await t.app.request(links.self)).json();
    expect([shown.payload, shown.editable]).toEqual([{ raise: { tokens: 16 } }, true]);
    expect((await t.post(links.decide, { decision, ...payload })).status).toBe(200);
    await (await t.app.request(`/v1/runs/${run_id}/events`)).text();
    expect(await t.engine.result(LOCAL, run_id)).toMatchObject(end);
    expect(spent).toEqual(decision === "approve" ? ["a", "b"] : ["a"]);
  });
}

Deno.test("a WebSocket turn that waits for people completes when they decided", async () => {
  await using t = await serve(asking);
  const sent: { type: string; approval?: string; status?: string }[] = [];
  const seen = Promise.withResolvers<string>();
  const over = Promise.withResolvers<void>();
  const socket = {
    readyState: WebSocket.OPEN,
    bufferedAmount: 0,
    close() {},
    send(text: string) {
      const message = JSON.parse(text);
      sent.push(message);
      if (message.type === "approval.requested") seen.resolve(message.approval);
      if (message.type === "complete") over.resolve();
    },
  };
  const session = createChatSession(t.deps, socket, {
    caller: localCaller("ann"),
    request_id: "req_1",
  });
  session.receive(JSON.stringify({ ...ASK, pipeline: "asks" }));
  await t.post(`/v1/approvals/${await seen.promise}/decide`, { decision: "reject" });
  await over.promise;
  expect(sent.map(({ type }) => type)).toContain("run.waiting");
  expect(sent.at(-1)).toMatchObject({ type: "complete", status: "completed" });
});
