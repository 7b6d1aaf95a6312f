import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import { type Approval, payloadHash } from "../../pipeline/calls/approvals/mod.ts";
import { createCommit } from "../../pipeline/calls/approvals/record.ts";
import type { Json } from "../../pipeline/kernel/events.ts";
import type { RunRecord } from "../../pipeline/kernel/runs.ts";
import type { Store } from "../../store/mod.ts";
import { statusOf } from "../../service/workflow_view.ts";
import { withStore } from "../pipeline/_memory_store.ts";
import type { Script } from "./_fake_engine.ts";
import { agentDone, expectProblem, setup } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

const NOW = Date.parse("2026-01-02T03:04:05.000Z");
const BODY = { user_goal: "Predict churn", dataset_url: "https://example.com/churn.csv" };

/** A pipeline that plans, then asks for one approval. */
function asking(store: Store, more: Partial<Approval> = {}) {
  return async ({ emit, wait, run_id }: Script): Promise<Json> => {
    const payload = { code: "print(1)" };
    const approval: Approval = {
      id: `apr_${run_id}`,
      tenant: "default",
      run_id,
      step: "human_approval",
      ancestors: [],
      pipeline: "data-science",
      title: "Run this?",
      preview: "print(1)",
      payload,
      payload_hash: payloadHash(payload),
      editable: true,
      approvers: 1,
      self_approval: true,
      created_at: new Date(NOW).toISOString(),
      status: "pending",
      decisions: [],
      ...more,
    };
    emit(agentDone("research_agent", { research_plan: ["a", "b"], summary: "s" }));
    const { id, title, step } = approval;
    emit({ type: "approval.requested", step, approval: id, title });
    // Last: it is what a test waits for. The engine does both in one commit.
    await store.commit(createCommit(approval));
    return await wait(`approval/${id}`);
  };
}

async function started(store: Store, more: Partial<Approval> = {}) {
  const scripts = { "data-science": asking(store, more) };
  const t = setup({ store, now: () => NOW, scripts });
  const response = await t.post("/workflow/start", BODY, { "idempotency-key": "one" });
  const { workflow_id: id } = await response.clone().json();
  const get = async (path: string) => await (await t.app.request(path)).json();
  const send = (word: string, body?: BodyInit, headers: HeadersInit = {}) =>
    t.app.request(`/workflow/${id}/${word}`, {
      method: "POST",
      headers,
      ...(body ? { body } : {}),
    });
  // The script goes on until it waits.
  while ((await get(`/workflow/${id}/status`)).status === "running") await Promise.resolve();
  return { ...t, response, id, get, send };
}

Deno.test("a workflow starts, says where it is, and is approved without a body", () =>
  withStore(async (store) => {
    const { id, get, send, response } = await started(store);
    expect([response.status, response.headers.get("location")])
      .toEqual([200, "/workflow/wf-00000000000000000000000001/status"]);
    expect(await response.json()).toEqual({
      workflow_id: "wf-00000000000000000000000001",
      status: "started",
      message: "Workflow initialized and running",
    });
    expect(await get(`/workflow/${id}/status`)).toMatchObject({
      workflow_id: "wf-00000000000000000000000001",
      run_id: "run_00000000000000000000000001",
      status: "awaiting_approval",
      current_step: "human_approval",
      ...BODY,
      research_plan_steps: 2,
      feedback_count: 0,
      pending_approval: { id: "apr_run_00000000000000000000000001", payload: { code: "print(1)" } },
    });
    expect(await get(`/workflow/${id}/state`)).toMatchObject({
      user_goal: "Predict churn",
      research_plan: ["a", "b"],
      human_approval: "PENDING",
    });
    const approved = await send("approve");
    expect([approved.status, await approved.json()]).toEqual([200, {
      workflow_id: "wf-00000000000000000000000001",
      status: "running",
      message: "Approved human_approval: the workflow continues",
    }]);
    const again = await expectProblem(await send("approve"), 409, "conflict");
    expect(again.detail).toContain("nothing is awaiting approval (workflow status: completed)");
  }));

Deno.test("a rejection keeps its comment and who made it; its body is checked", () =>
  withStore(async (store) => {
    const { send, deps } = await started(store);
    const json = { "content-type": "application/json", "x-user": "ann" };
    await expectProblem(await send("reject", "x"), 415, "unsupported_media_type");
    const wrong = await send("reject", '{"commment":"x"}', json);
    const problem = await expectProblem(wrong, 422, "validation_failed");
    expect(problem.errors[0].pointer ?? problem.errors[0].location).toContain("/commment");
    const rejected = await send("reject", '{"comment":"No."}', json);
    expect((await rejected.json()).message).toMatch(/^Rejected human_approval/);
    expect(await deps.approvals.get(LOCAL, "apr_run_00000000000000000000000001")).toMatchObject(
      {
        status: "rejected",
        decisions: [{ by: "ann", decision: "reject", comment: "No." }],
      },
    );
  }));

Deno.test("an empty stream as a body counts as no body", () =>
  withStore(async (store) => {
    const { send } = await started(store);
    const empty = new ReadableStream({ start: (controller) => controller.close() });
    expect((await send("approve", empty)).status).toBe(200);
  }));

Deno.test("with two approvers the first approval is not the last", () =>
  withStore(async (store) => {
    const { send } = await started(store, { approvers: 2 });
    expect(await (await send("approve", undefined, { "x-user": "ann" })).json()).toMatchObject({
      status: "awaiting_approval",
      message: "Approved human_approval by 1 of 2 people",
    });
    expect(await (await send("approve", undefined, { "x-user": "bob" })).json())
      .toMatchObject({ status: "running" });
  }));

Deno.test("a repeated start answers with the workflow that it made", () =>
  withStore(async (store) => {
    const { post, deps } = await started(store);
    const { engine } = deps;
    engine.start = () =>
      Promise.reject(
        new OrchestratorError("idempotency_in_flight", "Cannot answer yet.", {
          details: { run_id: "run_00000000000000000000000001" },
        }),
      );
    const again = await post("/workflow/start", BODY, { "idempotency-key": "one" });
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([200, "true"]);
    expect(await again.json()).toMatchObject({
      workflow_id: "wf-00000000000000000000000001",
      status: "started",
    });
    engine.start = () => Promise.reject(new OrchestratorError("overloaded", "Cannot start."));
    await expectProblem(await post("/workflow/start", BODY), 429, "overloaded");
  }));

Deno.test("a start with a wrong body is refused with pointers", () =>
  withStore(async (store) => {
    const { post } = await started(store);
    for (
      const [body, pointer] of [
        [{ user_goal: " ", dataset_url: "x" }, "/user_goal"],
        [{ user_goal: "x" }, "/dataset_url"],
        [{ ...BODY, extra: 1 }, "/extra"],
      ] as const
    ) {
      const problem = await expectProblem(
        await post("/workflow/start", body),
        422,
        "validation_failed",
      );
      expect(JSON.stringify(problem.errors)).toContain(pointer);
    }
  }));

Deno.test("workflows are listed by page and status, without other runs", () =>
  withStore(async (store) => {
    const { app, deps, post, get, id, send } = await started(store);
    // A page costs as much for long workflows as for short ones.
    const { journal } = deps.engine;
    deps.engine.journal = () => Promise.reject(new Error("Cannot list: a whole journal is read."));
    await post("/v1/runs", { pipeline: "echo", input: { a: 1 } });
    await post("/workflow/start", { ...BODY, user_goal: "Second" });
    const first = await get("/workflows?limit=1");
    expect(first).toEqual({
      workflows: [
        expect.objectContaining({
          workflow_id: "wf-00000000000000000000000003",
          user_goal: "Second",
        }),
      ],
      next_cursor: expect.any(String),
    });
    const rest = await get(`/workflows?limit=5&cursor=${first.next_cursor}`);
    expect(rest.workflows).toEqual([
      expect.objectContaining({ workflow_id: id, current_step: "human_approval" }),
    ]);
    expect(rest.next_cursor).toBe(null);
    deps.engine.journal = journal;
    await send("approve");
    const ids = async (status: string) =>
      (await get(`/workflows?status=${status}`)).workflows
        .map((one: { workflow_id: string }) => one.workflow_id);
    expect(await ids("awaiting_approval")).toEqual(["wf-00000000000000000000000003"]);
    expect(await ids("completed")).toEqual([id]);
    expect(await ids("running")).toEqual([]);
    await expectProblem(await app.request("/workflows?status=done"), 400, "invalid_request");
  }));

Deno.test("what is no workflow cannot be found", () =>
  withStore(async (store) => {
    const { app, post } = await started(store);
    await post("/v1/runs", { pipeline: "echo", input: {} });
    for (
      const id of [
        "wf-00000000000000000000000002",
        "run_00000000000000000000000001",
        "wf-x",
        "wf-%00",
      ]
    ) {
      await expectProblem(await app.request(`/workflow/${id}/status`), 404, "not_found");
    }
  }));

Deno.test("statusOf() puts runs into the words of workflows", () => {
  const of = (status: RunRecord["status"], signal?: string) =>
    statusOf(
      { status, ...(signal ? { waiting_for: [{ step: "x", signal }] } : {}) } as RunRecord,
    );
  expect([of("queued"), of("running"), of("waiting"), of("waiting", "other")])
    .toEqual(["running", "running", "running", "running"]);
  expect([of("waiting", "approval/apr_1"), of("paused"), of("failed")])
    .toEqual(["awaiting_approval", "paused", "failed"]);
});
