/** `/v1/plans` over the real engine, with a planner that answers from a list. */
import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import { createApprovals } from "../../pipeline/calls/approvals/mod.ts";
import { createProgram } from "../../pipeline/walk/interpreter.ts";
import { parsePipeline } from "../../pipeline/document/parse.ts";
import { createEngine, type Json, realWorld } from "../../pipeline/kernel/mod.ts";
import { type Act, act, planDefinition, planDeps, planOf } from "../pipeline/plans/_plans.ts";
import { openStore } from "../../store/mod.ts";
import { firstCommitsOver } from "../pipeline/_memory_store.ts";
import { expectProblem, parseSse, setup } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

// deno-lint-ignore no-explicit-any -- JSON as it came
type Body = any;

/** A fresh app whose pipeline `plan` carries out these plans in turn. */
async function serve(plans: Json[], action?: Act) {
  const world = realWorld();
  const { now, sleep } = world.clock;
  const opened = await openStore(":memory:", { worker: "w1", now, sleep, lease_ms: 10_000 });
  const { store } = opened;
  const approvals = { store, now, newId: world.newId };
  const text = await Deno.readTextFile("pipeline/definitions/plan.yaml");
  const pipeline = await parsePipeline(text, "plan.yaml");
  const definition = { ...await planDefinition(), pipeline };
  const program = createProgram(definition, planDeps(plans, action, { approvals }));
  const engine = createEngine({
    store,
    world,
    log: { info() {}, warn() {}, error() {} },
    concurrency: 10,
    queue_limit: 10,
    idempotency_ttl_ms: 60_000,
    lease_ms: 10_000,
    sweep_ms: 1_000,
  });
  await engine.open(({ pipeline }) =>
    pipeline === "plan" ? program : () => Promise.resolve("other")
  );
  const catalog = { prepare: () => Promise.resolve({ version: "v1" }) };
  const fixture = setup({
    deps: { engine, catalog, approvals: createApprovals({ ...approvals, engine }) },
  });
  const get = async (path: string): Promise<Body> => {
    const response = await fixture.app.request(path);
    expect([path, response.status]).toEqual([path, 200]);
    return await response.json();
  };
  /** Follows the plan until it needs somebody, or has ended. */
  const idle = async (id: string, after = 0): Promise<Body> => {
    const watch = new AbortController();
    await engine.follow(LOCAL, id, { after, signal: watch.signal }, (event) => {
      if (event.type === "run.waiting") watch.abort();
    });
    return await get(`/v1/plans/${id}`);
  };
  return {
    ...fixture,
    get,
    idle,
    async start(body: unknown, headers = {}): Promise<Body> {
      return await (await fixture.post("/v1/plans", body, headers)).json();
    },
    async [Symbol.asyncDispose]() {
      fixture.shutdown.abort();
      await engine.drain(1000);
      await opened.close();
      await firstCommitsOver();
    },
  };
}

const PLAN = planOf(act("a", { give: 1 }), act("b", { give: "${ steps.a.output + 1 }" }));

Deno.test("a plan is started, followed and shown with the outputs of its steps", async () => {
  await using t = await serve([PLAN]);
  const response = await t.post("/v1/plans", { goal: "x", context: { y: 1 } });
  const { id } = await response.json();
  expect([response.status, response.headers.get("location")]).toEqual([202, `/v1/plans/${id}`]);
  const events = parseSse(await (await t.app.request(`/v1/plans/${id}/events`)).text());
  expect(events.at(-1)?.event).toBe("run.completed");
  const plan = await t.get(`/v1/plans/${id}`);
  expect(plan).toMatchObject({
    id,
    goal: "x",
    context: { y: 1 },
    approve: false,
    status: "completed",
    phase: "ended",
    summary: "As planned.",
    round: 1,
    steps: [
      { id: "a", status: "completed", output: 1, depends_on: [] },
      { id: "b", status: "completed", output: 2, depends_on: ["a"] },
    ],
    earlier_plans: [],
    output: 2,
    pending_approvals: [],
  });
  expect(await t.get(`/v1/plans/${id}/steps`)).toEqual({ steps: plan.steps });
  const last = await t.app.request(`/v1/plans/${id}/events`, {
    headers: { "last-event-id": events.at(-1)!.id! },
  });
  expect(last.status).toBe(204);
});

Deno.test("plans are listed without the runs of other pipelines", async () => {
  await using t = await serve([PLAN]);
  const one = await t.start({ goal: "one" }, { prefer: "wait=10" });
  await (await t.post("/v1/runs", { pipeline: "compose" }, { prefer: "wait=10" })).json();
  const two = await t.start({ goal: "two" }, { prefer: "wait=10" });
  const page = await t.get("/v1/plans?limit=1");
  expect(page.plans).toMatchObject([{ id: two.id, goal: "two", status: "completed" }]);
  const rest = await t.get(`/v1/plans?limit=5&cursor=${page.next_cursor}`);
  expect(rest).toMatchObject({ plans: [{ id: one.id, goal: "one" }], next_cursor: null });
  expect((await t.get("/v1/plans?status=failed")).plans).toEqual([]);
  await expectProblem(await t.app.request("/v1/plans?status=odd"), 400, "invalid_request");
  const { runs } = await t.get("/v1/runs");
  const other = runs.find(({ pipeline }: Body) => pipeline === "compose").id;
  for (const id of [other, "run_none", "%20"]) {
    await expectProblem(await t.app.request(`/v1/plans/${id}`), 404, "not_found");
  }
});

Deno.test("the same request again has the same plan, also while that is under way", async () => {
  await using t = await serve([PLAN]);
  const body = { goal: "x", approve: true };
  const key = { "idempotency-key": "k" };
  const { id } = await t.start(body, key);
  const again = await t.post("/v1/plans", body, key);
  expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([202, "true"]);
  expect((await again.json()).id).toBe(id);
  const other = await t.post("/v1/plans", { goal: "y" }, key);
  await expectProblem(other, 422, "idempotency_mismatch");
  await t.idle(id);
  const seq = (await t.get(`/v1/runs/${id}/journal`)).at(-1).seq;
  await t.post(`/v1/plans/${id}/cancel`, {});
  expect((await t.idle(id, seq)).status).toBe("cancelled");
});

Deno.test("what is no request for a plan is refused", async () => {
  await using t = await serve([PLAN]);
  const cases: [Body, string][] = [
    [{}, "/goal"],
    [{ goal: "  " }, "/goal"],
    [{ goal: "x", aprove: true }, "/aprove"],
    [{ goal: "x", max_replans: 11 }, "/max_replans"],
    [{ goal: "x", context: "text" }, "/context"],
  ];
  for (const [body, location] of cases) {
    const { errors } = await expectProblem(
      await t.post("/v1/plans", body),
      422,
      "validation_failed",
    );
    expect(errors).toMatchObject([{ location }]);
  }
});

Deno.test("a plan is approved as it was edited, when that can be carried out", async () => {
  await using t = await serve([PLAN]);
  const { id } = await t.start({ goal: "x", approve: true });
  const plan = await t.idle(id);
  expect(plan).toMatchObject({
    status: "awaiting_approval",
    phase: "planning",
    steps: [{ status: "pending" }, { status: "pending" }],
    pending_approvals: [{ id: plan.approval.id }],
  });
  const wrong = planOf(act("a", {}, "b"), act("b", {}, "a"));
  const refused = await t.post(`/v1/plans/${id}/approve`, { plan: wrong });
  expect((await expectProblem(refused, 422, "validation_failed")).errors).toEqual([{
    location: "/plan/steps/0/depends_on",
    message: "the steps depend on each other: a → b → a. Break the cycle",
  }]);
  const shapeless = await t.post(`/v1/plans/${id}/approve`, { plan: "none" });
  expect((await expectProblem(shapeless, 422, "validation_failed")).errors[0].location)
    .toBe("/plan");
  const edited = planOf(act("only", { give: "mine" }));
  const approved = await t.post(`/v1/plans/${id}/approve`, { plan: edited, comment: "Shorter." });
  expect([approved.status, (await approved.json()).approval]).toEqual([202, undefined]);
  const { last_seq } = await t.idle(id).then(() => t.get(`/v1/runs/${id}`));
  expect(last_seq).toBeGreaterThan(0);
  expect(await t.get(`/v1/plans/${id}`)).toMatchObject({
    status: "completed",
    steps: [{ id: "only", output: "mine" }],
    output: "mine",
  });
  for (const what of ["approve", "reject"]) {
    const late = await t.post(`/v1/plans/${id}/${what}`, {});
    await expectProblem(late, 409, "conflict");
  }
});

Deno.test("a plan that was rejected with a comment is made anew, as often as it may", async () => {
  await using t = await serve([PLAN, planOf(act("other", { give: 3 })), PLAN]);
  const { id } = await t.start({ goal: "x", approve: true, max_replans: 1 });
  await t.idle(id);
  const seq = (await t.get(`/v1/runs/${id}/journal`)).at(-1).seq;
  await t.post(`/v1/plans/${id}/reject`, { comment: "Another one." });
  expect(await t.idle(id, seq)).toMatchObject({ round: 2, steps: [{ id: "other" }] });
  const next = (await t.get(`/v1/runs/${id}/journal`)).at(-1).seq;
  await t.post(`/v1/plans/${id}/reject`, { comment: "Not that one." });
  expect(await t.idle(id, next)).toMatchObject({
    status: "failed",
    error: { code: "approval_rejected", details: { comment: "Not that one." } },
    steps: [{ id: "other", status: "skipped" }],
  });
});

Deno.test("a decision about a plan that is not the current one is refused with that one", async () => {
  await using t = await serve([PLAN, planOf(act("other", { give: 3 }))]);
  const { id } = await t.start({ goal: "x", approve: true });
  const { approval: first } = await t.idle(id);
  const seq = (await t.get(`/v1/runs/${id}/journal`)).at(-1).seq;
  const { payload_hash } = first;
  await t.post(`/v1/plans/${id}/reject`, { comment: "Another one.", payload_hash });
  const { approval } = await t.idle(id, seq);
  expect(approval.payload_hash).not.toBe(payload_hash);
  const stale: [string, object][] = [
    ["approve", { payload_hash }],
    ["approve", { payload_hash, plan: "none" }],
    ["reject", { payload_hash }],
  ];
  for (const [what, body] of stale) {
    const response = await t.post(`/v1/plans/${id}/${what}`, body);
    const { details } = await expectProblem(response, 409, "conflict");
    const { payload_hash: current } = approval;
    expect(details.approval).toMatchObject({ id: approval.id, payload_hash: current });
  }
  const wrong = await t.post(`/v1/plans/${id}/approve`, { payload_hash: "x" });
  await expectProblem(wrong, 422, "validation_failed");
  const next = (await t.get(`/v1/runs/${id}/journal`)).at(-1).seq;
  await t.post(`/v1/plans/${id}/approve`, { payload_hash: approval.payload_hash });
  expect(await t.idle(id, next)).toMatchObject({ status: "completed", output: 3 });
});

Deno.test("what was edited past the check is asked about again; a rejection without a comment ends it", async () => {
  await using t = await serve([PLAN]);
  const { id } = await t.start({ goal: "x", approve: true });
  const { approval } = await t.idle(id);
  const seq = (await t.get(`/v1/runs/${id}/journal`)).at(-1).seq;
  const decision = { decision: "approve", payload: planOf(act("a", {}, "a")) };
  expect((await t.post(approval.links.decide, decision)).status).toBe(200);
  const asked = await t.idle(id, seq);
  expect(asked.approval.id).not.toBe(approval.id);
  expect((await t.get(asked.approval.links.self)).preview)
    .toContain("The edited plan is invalid:\n- /steps/0/depends_on: the steps depend");
  const next = (await t.get(`/v1/runs/${id}/journal`)).at(-1).seq;
  await t.post(`/v1/plans/${id}/reject`, undefined);
  expect(await t.idle(id, next)).toMatchObject({
    status: "failed",
    error: { code: "approval_rejected", details: { by: ["local"] } },
  });
});

Deno.test("a failed plan shows what failed, with it and before", async () => {
  const bad = (id: string) => planOf(act(id, { fail: true }), act("ok", { give: 1 }));
  await using t = await serve([bad("bad"), planOf(act("worse", { fail: true }))], (args) => {
    if (args.fail) throw new OrchestratorError("call_failed", "It is broken.");
    return args.give!;
  });
  const plan = await t.start({ goal: "x", max_replans: 1 }, { prefer: "wait=10" });
  expect(plan).toMatchObject({
    status: "failed",
    error: { code: "plan_failed" },
    round: 2,
    steps: [
      { id: "ok", status: "completed", round: 1, output: 1 },
      { id: "worse", status: "failed", error: { code: "call_failed" } },
    ],
    earlier_plans: [{ round: 1, failed: [{ id: "bad" }] }],
  });
  const { dead_letters } = await t.get("/v1/dead-letters");
  expect(dead_letters.map(({ id }: Body) => id)).toEqual([plan.id]);
});
