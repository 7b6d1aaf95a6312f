import { expect } from "expect";
import { type Approval, payloadHash } from "../../pipeline/calls/approvals/mod.ts";
import { createCommit } from "../../pipeline/calls/approvals/record.ts";
import type { Json } from "../../pipeline/kernel/events.ts";
import type { Store } from "../../store/mod.ts";
import { withStore } from "../pipeline/_memory_store.ts";
import type { Script } from "./_fake_engine.ts";
import { expectProblem, parseSse, setup, user } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

const NOW = Date.parse("2026-01-02T03:04:05.000Z");

/** A pipeline that asks for one approval and gives what it was told. */
function asking(store: Store, more: Partial<Approval> = {}) {
  let ids = 0;
  return async ({ emit, wait, run_id }: Script): Promise<Json> => {
    const payload = { text: "hello" };
    const approval: Approval = {
      id: `apr_${String(++ids).padStart(26, "0")}`,
      tenant: "default",
      run_id,
      step: "check",
      ancestors: [],
      pipeline: "asking",
      title: "Publish?",
      preview: "hello",
      payload,
      payload_hash: payloadHash(payload),
      editable: false,
      approvers: 1,
      self_approval: true,
      created_at: new Date(NOW).toISOString(),
      status: "pending",
      decisions: [],
      ...more,
    };
    const { id, title } = approval;
    await store.commit(createCommit(approval));
    emit({ type: "approval.requested", step: "check", approval: id, title });
    const outcome = await wait(`approval/${id}`);
    emit({ type: "approval.decided", step: "check", approval: id, decision: "approved" });
    return outcome;
  };
}

/** A fresh app with one run that waits for `apr_00000000000000000000000001`. */
async function waiting(store: Store, more: Partial<Approval> = {}) {
  const t = setup({ store, now: () => NOW, scripts: { asking: asking(store, more) } });
  const chat = { pipeline: "asking", messages: [user("hi")] };
  const response = await t.post("/v1/chat", chat, { "x-user": "bob" });
  const get = async (path: string) => {
    const response = await t.app.request(path);
    return { status: response.status, body: await response.json() };
  };
  const decide = (body: object, who = "ann", id = "apr_00000000000000000000000001") =>
    t.post(`/v1/approvals/${id}/decide`, body, { "x-user": who });
  return { ...t, response, get, decide, chat };
}

const LINKS = {
  self: "/v1/approvals/apr_00000000000000000000000001",
  decide: "/v1/approvals/apr_00000000000000000000000001/decide",
  run: "/v1/runs/run_00000000000000000000000001",
};

Deno.test("a chat turn whose run waits for an approval answers 202 with what is asked", () =>
  withStore(async (store) => {
    const { response, engine } = await waiting(store);
    expect([response.status, response.headers.get("location")])
      .toEqual([202, "/v1/runs/run_00000000000000000000000001"]);
    expect(response.headers.get("preference-applied")).toBeNull();
    expect(await response.json()).toEqual({
      conversation_id: expect.any(String),
      run_id: "run_00000000000000000000000001",
      status: "waiting",
      approvals: [{
        id: "apr_00000000000000000000000001",
        title: "Publish?",
        run_id: "run_00000000000000000000000001",
        step: "check",
        links: LINKS,
      }],
      links: expect.objectContaining({ self: "/v1/runs/run_00000000000000000000000001" }),
    });
    expect(engine.started[0]!.started_by).toBe("bob");
  }));

Deno.test("a chat turn with Prefer: wait waits for the decision", () =>
  withStore(async (store) => {
    const t = await waiting(store);
    const turn = t.post("/v1/chat", t.chat, { prefer: "wait=5" });
    while (t.engine.started.length < 2) await new Promise((resolve) => setTimeout(resolve));
    while (
      (await t.engine.get(LOCAL, "run_00000000000000000000000002"))!.status !== "waiting"
    ) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    expect(
      (await t.decide({ decision: "approve" }, "ann", "apr_00000000000000000000000002")).status,
    ).toBe(200);
    expect([(await turn).status, (await (await turn).json()).status]).toEqual([200, "completed"]);
    const tired = await t.post("/v1/chat", t.chat, { prefer: "wait=0" });
    expect([tired.status, (await tired.json()).run_id]).toEqual([
      202,
      "run_00000000000000000000000003",
    ]);
  }));

Deno.test("a chat stream stays open over an approval", () =>
  withStore(async (store) => {
    const t = await waiting(store);
    const stream = await t.post("/v1/chat", { ...t.chat, stream: true });
    while (
      !(await t.get("/v1/runs/run_00000000000000000000000002")).body.pending_approvals?.length
    ) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    await t.decide({ decision: "approve" }, "ann", "apr_00000000000000000000000002");
    const events = parseSse(await stream.text()).map(({ event }) => event);
    expect(events).toEqual([
      "run.started",
      "approval.requested",
      "run.waiting",
      "signal.received",
      "run.resumed",
      "approval.decided",
      "run.completed",
      "complete",
    ]);
  }));

Deno.test("GET /v1/runs/{id} shows what a waiting run waits for", () =>
  withStore(async (store) => {
    const { get, decide } = await waiting(store);
    const { body } = await get("/v1/runs/run_00000000000000000000000001");
    expect(body).toMatchObject({
      status: "waiting",
      started_by: "bob",
      waiting_for: [{ step: "wait", signal: "approval/apr_00000000000000000000000001" }],
      pending_approvals: [{
        id: "apr_00000000000000000000000001",
        title: "Publish?",
        links: LINKS,
      }],
      children: [],
    });
    expect((await get("/v1/runs?status=waiting")).body.runs.length).toBe(1);
    await decide({ decision: "approve" });
    expect((await get("/v1/runs/run_00000000000000000000000001")).body).toMatchObject({
      pending_approvals: [],
    });
  }));

Deno.test("POST /v1/approvals/{id}/decide decides as the X-User, once", () =>
  withStore(async (store) => {
    const { get, decide, engine } = await waiting(store);
    const first = await decide({
      decision: "approve",
      comment: "fine",
      payload_hash: payloadHash({ text: "hello" }),
    });
    const view = await first.json();
    expect([first.status, view]).toMatchObject([200, {
      id: "apr_00000000000000000000000001",
      status: "approved",
      decisions: [{ by: "ann", decision: "approve", comment: "fine" }],
      links: LINKS,
    }]);
    expect(view.tenant).toBeUndefined();
    const outcome = await engine.result(LOCAL, "run_00000000000000000000000001");
    expect(outcome).toMatchObject({ output: { decision: "approved", by: ["ann"] } });

    const again = await expectProblem(await decide({ decision: "approve" }), 409, "conflict");
    expect(again.details.approval).toMatchObject({
      status: "approved",
      decisions: [{ by: "ann" }],
    });
    expect((await get("/v1/approvals/apr_00000000000000000000000001")).body).toEqual(view);
  }));

Deno.test("POST /v1/approvals/{id}/decide refuses who may not and what does not fit", () =>
  withStore(async (store) => {
    const more = {
      allowed: ["ann", "bob"],
      self_approval: false,
      requested_by: "bob",
      editable: true,
    };
    const schema = { type: "object", properties: { text: { type: "string" } } };
    const { decide, app } = await waiting(store, { ...more, schema });
    await expectProblem(await decide({ decision: "approve" }, "eve"), 403, "forbidden");
    await expectProblem(await decide({ decision: "approve" }, "bob"), 403, "forbidden");
    const anonymous = await app.request("/v1/approvals/apr_00000000000000000000000001/decide", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"decision":"approve"}',
    });
    await expectProblem(anonymous, 403, "forbidden");
    const wrong = await decide({ decision: "approve", payload: { text: 1 } });
    expect((await expectProblem(wrong, 422, "validation_failed")).errors[0].location)
      .toBe("/payload/text");
    const stale = { decision: "approve", payload_hash: `sha256:${"0".repeat(64)}` };
    await expectProblem(await decide(stale), 409, "conflict");
    for (
      const body of [
        {},
        { decision: "maybe" },
        { decision: "approve", by: "bob" },
        { decision: "approve", comment: "x".repeat(2001) },
        { decision: "approve", payload_hash: "x" },
      ]
    ) await expectProblem(await decide(body), 422, "validation_failed");
    await expectProblem(
      await decide({ decision: "approve" }, "x".repeat(129)),
      400,
      "invalid_request",
    );
    await expectProblem(await decide({ decision: "approve" }, ""), 400, "invalid_request");
    expect((await decide({ decision: "approve", payload: { text: "x" } })).status).toBe(200);
  }));

Deno.test("an approval cannot be decided by a signal", () =>
  withStore(async (store) => {
    const { post, get } = await waiting(store);
    for (const name of ["approval/apr_00000000000000000000000001", "child/x", "budget/x"]) {
      const forged = await post("/v1/runs/run_00000000000000000000000001/signal", {
        name,
        payload: {},
      });
      const { errors } = await expectProblem(forged, 422, "validation_failed");
      expect(errors[0]).toMatchObject({
        location: "/name",
        message: expect.stringMatching(/reserved/),
      });
    }
    expect((await get("/v1/approvals/apr_00000000000000000000000001")).body.status).toBe("pending");
  }));

Deno.test("GET /v1/approvals filters and pages", () =>
  withStore(async (store) => {
    const t = await waiting(store);
    await t.post("/v1/chat", t.chat);
    await t.decide({ decision: "reject" });
    const list = async (query: string) => {
      const { body } = await t.get(`/v1/approvals${query}`);
      return [body.approvals.map(({ id }: Approval) => id), body.next_cursor];
    };
    expect(await list("")).toEqual([[
      "apr_00000000000000000000000002",
      "apr_00000000000000000000000001",
    ], null]);
    expect(await list("?limit=1")).toEqual([
      ["apr_00000000000000000000000002"],
      "apr_00000000000000000000000002",
    ]);
    expect(await list("?limit=1&cursor=apr_00000000000000000000000002")).toEqual([[
      "apr_00000000000000000000000001",
    ], null]);
    expect(await list("?status=pending")).toEqual([["apr_00000000000000000000000002"], null]);
    expect(await list("?run=run_00000000000000000000000001&status=rejected")).toEqual([[
      "apr_00000000000000000000000001",
    ], null]);
    for (const query of ["status=x", "run=%20", "limit=0", "cursor="]) {
      await expectProblem(await t.app.request(`/v1/approvals?${query}`), 400, "invalid_request");
    }
  }));

Deno.test("an approval that does not exist is 404", async () => {
  const { app, post } = setup();
  for (const id of ["apr_00000000000000000000000009", "a%20b"]) {
    await expectProblem(await app.request(`/v1/approvals/${id}`), 404, "not_found");
    const decision = await post(`/v1/approvals/${id}/decide`, { decision: "approve" });
    await expectProblem(decision, 404, "not_found");
  }
});
