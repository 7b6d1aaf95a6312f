import { expect } from "expect";
import { OrchestratorError } from "../../../errors.ts";
import { localCaller } from "../../../guard/mod.ts";
import {
  type Approval,
  type ApprovalDeps,
  type ApprovalRequest,
  type Approvals,
  createApprovals,
  type DecideRequest,
  payloadHash,
  requestApproval,
} from "../../../pipeline/calls/approvals/mod.ts";
import type { WaitOutcome } from "../../../pipeline/kernel/context.ts";
import type { Engine } from "../../../pipeline/kernel/runs.ts";
import type { Commit, Store } from "../../../store/mod.ts";
import { FakeContext } from "../_fake_context.ts";
import { withStore } from "../_memory_store.ts";
import { callerOf, LOCAL } from "../../_caller.ts";

const T = LOCAL;
const START = Date.parse("2026-01-02T03:04:05.000Z");

/** A service on a fresh store, with a clock to turn and runs that take signals. */
interface Desk {
  store: Store;
  deps: ApprovalDeps;
  approvals: Approvals;
  clock: { now: number };
  /** Signals that were delivered. */
  sent: { run: string; name: string; payload: unknown }[];
  /** What decisions are sent with. */
  engine: Pick<Engine, "signal">;
  /** Commits what a run asks for; gives the approval's id. */
  ask(request?: Partial<ApprovalRequest>, ctx?: FakeContext): Promise<string>;
  decide(id: string, request: Partial<DecideRequest> & { by?: string }): Promise<Approval>;
}

function atDesk(fn: (desk: Desk) => Promise<void>): () => Promise<void> {
  return () =>
    withStore(async (store) => {
      const clock = { now: START };
      let ids = 0;
      const deps: ApprovalDeps = {
        store,
        now: () => clock.now,
        newId: () => String(++ids).padStart(4, "0"),
      };
      const sent: Desk["sent"] = [];
      const send: Engine["signal"] = async (_caller, run, name, payload, commit) => {
        if (await store.commit(commit!) === null) throw refused();
        sent.push({ run, name, payload });
      };
      const engine = { signal: send };
      const approvals = createApprovals({ store, engine, now: deps.now });
      await fn({
        store,
        deps,
        approvals,
        clock,
        sent,
        engine,
        async ask(request = {}, ctx = new FakeContext()) {
          void requestApproval(ctx, "review", { ...REQUEST, ...request }, deps);
          await waits(ctx);
          await store.commit(ctx.changes[0]!);
          return ctx.waits[0]!.options.signal!.slice("approval/".length);
        },
        decide: (id, { by = "ann", ...request }) =>
          approvals.decide(localCaller(by), id, { decision: "approve", ...request }),
      });
    });
}

const REQUEST: ApprovalRequest = { title: "Publish?", payload: { text: "hello", n: 1 } };

/** Until the run waits for its approval. */
async function waits(ctx: FakeContext): Promise<void> {
  while (ctx.waits.length === 0) await new Promise((resolve) => setTimeout(resolve));
}

function refused(): OrchestratorError {
  return new OrchestratorError("conflict", "Cannot signal the run: it has ended.");
}

Deno.test(
  "requestApproval() puts the approval into the store with the commit that begins the wait",
  atDesk(async ({ ask, approvals }) => {
    const ctx = new FakeContext([], { caller: localCaller("bob"), ancestors: ["run_0"] });
    const id = await ask({ expires_seconds: 60 }, ctx);
    const approval = await approvals.get(T, id);
    expect(approval).toEqual({
      id: "apr_0001",
      tenant: "default",
      run_id: "run_1",
      step: "review",
      ancestors: ["run_0"],
      pipeline: "test",
      title: "Publish?",
      preview: JSON.stringify(REQUEST.payload, null, 2),
      payload: REQUEST.payload,
      payload_hash: payloadHash({ n: 1, text: "hello" }),
      editable: false,
      approvers: 1,
      self_approval: true,
      requested_by: "bob",
      created_at: "2026-01-02T03:04:05.000Z",
      expires_at: "2026-01-02T03:05:05.000Z",
      status: "pending",
      decisions: [],
    });
    expect(ctx.waits[0]!.options.until).toBe(START + 60_000);
    expect(ctx.events).toEqual([{
      type: "approval.requested",
      step: "review",
      approval: id,
      title: "Publish?",
      expires_at: "2026-01-02T03:05:05.000Z",
    }]);
    for (const run_id of ["run_0", "run_1"]) {
      expect((await approvals.list(T, { run_id })).approvals).toEqual([approval]);
    }
    expect((await approvals.list(T, { status: "pending" })).approvals).toEqual([approval]);
    expect((await approvals.list(callerOf("other"))).approvals).toEqual([]);
  }),
);

Deno.test(
  "requestApproval() gives what was decided, once the run is told",
  atDesk(async ({ ask, decide, sent, deps }) => {
    const first = new FakeContext();
    const id = await ask({}, first);
    await decide(id, { comment: "fine" });
    expect(sent).toEqual([{
      run: "run_1",
      name: `approval/${id}`,
      payload: { decision: "approved", payload: REQUEST.payload, by: ["ann"], comment: "fine" },
    }]);

    const replay = new FakeContext(first.steps);
    replay.onWait = () => ({ signal: sent[0]!.payload }) as WaitOutcome;
    const outcome = await requestApproval(replay, "review", REQUEST, deps);
    expect(outcome)
      .toEqual({ decision: "approved", payload: REQUEST.payload, by: ["ann"], comment: "fine" });
    expect(replay.events.at(-1)).toEqual({
      type: "approval.decided",
      step: "review",
      approval: id,
      decision: "approved",
      by: ["ann"],
      comment: "fine",
    });
    expect(replay.steps.at(-1)).toMatchObject({ key: "review", outcome: { output: outcome } });
  }),
);

Deno.test(
  "requestApproval() does not go on with a payload that nobody decided about",
  atDesk(async ({ ask, decide, deps }) => {
    const first = new FakeContext();
    const id = await ask({}, first);
    const told = async (signal: object) => {
      const replay = new FakeContext(first.steps);
      replay.onWait = () => ({ signal }) as WaitOutcome;
      await expect(requestApproval(replay, "review", REQUEST, deps))
        .rejects.toMatchObject({ code: "internal" });
    };
    const verdict = { decision: "approved", payload: REQUEST.payload, by: ["eve"] };
    await told(verdict); // still pending
    await decide(id, {});
    await told({ ...verdict, payload: { text: "another" } });
    await told({ ...verdict, decision: "rejected" });
  }),
);

Deno.test(
  "an approval expires when nobody decided in time",
  atDesk(async ({ ask, approvals, deps, store, decide, clock }) => {
    const first = new FakeContext();
    const id = await ask({ expires_seconds: 60 }, first);
    clock.now += 60_000;
    await expect(decide(id, {})).rejects.toMatchObject({ code: "conflict" });

    const replay = new FakeContext(first.steps);
    replay.onWait = () => ({ timed_out: true });
    const request = { ...REQUEST, expires_seconds: 60 };
    expect(await requestApproval(replay, "review", request, deps))
      .toEqual({ decision: "expired", payload: REQUEST.payload, by: [] });
    expect(await store.commit(replay.changes[1]!)).not.toBeNull();
    const decided_at = new Date(clock.now).toISOString();
    expect(await approvals.get(T, id)).toMatchObject({ status: "expired", decided_at });
    expect((await approvals.list(T, { status: "pending" })).approvals).toEqual([]);
    await expect(decide(id, {})).rejects.toMatchObject({ details: { approval: { id } } });
  }),
);

Deno.test(
  "a decision in the moment of expiry wins, whichever is first",
  atDesk(async ({ ask, decide, store, approvals }) => {
    const settle = async (ctx: FakeContext) =>
      await ctx.waits[0]!.options.settle!({ timed_out: true }) as Commit;
    const before = new FakeContext();
    const id = await ask({ expires_seconds: 60 }, before);
    const late = await settle(before);
    await decide(id, {});
    expect(await store.commit(late)).toBeNull();
    expect(await store.commit(await settle(before))).toBeNull();
    expect((await approvals.get(T, id))!.status).toBe("approved");
    expect(await before.waits[0]!.options.settle!({ signal: null })).toBeUndefined();
  }),
);

Deno.test(
  "an approval may expire in the commit that makes it",
  atDesk(async ({ deps, store, approvals }) => {
    const ctx = new FakeContext();
    void requestApproval(ctx, "review", { ...REQUEST, expires_seconds: 0.001 }, deps);
    await waits(ctx);
    const both = [ctx.changes[0]!, await ctx.waits[0]!.options.settle!({ timed_out: true })];
    const commit = {
      checks: both.flatMap((one) => one!.checks),
      mutations: both.flatMap((one) => one!.mutations),
    };
    expect(await store.commit(commit)).not.toBeNull();
    expect((await approvals.get(T, "apr_0001"))!.status).toBe("expired");
    expect((await approvals.list(T, { status: "pending" })).approvals).toEqual([]);
  }),
);

for (const code of ["run_cancelled", "branch_stopped", "step_timeout"] as const) {
  Deno.test(
    `${code} makes a pending approval void and goes on`,
    atDesk(async ({ ask, approvals, deps, decide, sent }) => {
      const first = new FakeContext();
      const id = await ask({}, first);
      const stop = () => {
        const replay = new FakeContext(first.steps);
        replay.onWait = () => {
          throw new OrchestratorError(code, "Cannot wait: stopped.", { kind: "cancelled" });
        };
        return [replay, requestApproval(replay, "review", REQUEST, deps)] as const;
      };
      const [replay, stopped] = stop();
      await expect(stopped).rejects.toMatchObject({ code });
      expect((await approvals.get(T, id))!.status).toBe("void");
      expect(replay.events.at(-1)).toMatchObject({ type: "approval.decided", decision: "void" });
      await expect(decide(id, {})).rejects.toMatchObject({ code: "conflict" });
      await expect(stop()[1]).rejects.toMatchObject({ code });
      expect(sent).toEqual([]);
    }),
  );
}

Deno.test(
  "a run that only leaves this process keeps its approval pending",
  atDesk(async ({ ask, approvals, deps }) => {
    const first = new FakeContext();
    const id = await ask({}, first);
    const replay = new FakeContext(first.steps);
    replay.onWait = () => {
      throw new OrchestratorError("shutting_down", "Cannot go on.", { kind: "cancelled" });
    };
    await expect(requestApproval(replay, "review", REQUEST, deps))
      .rejects.toMatchObject({ code: "shutting_down" });
    expect((await approvals.get(T, id))!.status).toBe("pending");
  }),
);

Deno.test(
  "a payload that is too large is not asked about",
  atDesk(async ({ deps }) => {
    const request = { ...REQUEST, payload: "x".repeat(100_000) };
    await expect(requestApproval(new FakeContext(), "review", request, deps))
      .rejects.toMatchObject({ code: "payload_too_large", kind: "terminal" });
  }),
);

Deno.test(
  "a preview is the payload's text unless there is one, and is cut off when it is long",
  atDesk(async ({ ask, approvals }) => {
    const preview = async (request: Partial<ApprovalRequest>) =>
      (await approvals.get(T, await ask(request)))!.preview;
    expect(await preview({ payload: "a text" })).toBe("a text");
    expect(await preview({ preview: "look" })).toBe("look");
    expect((await preview({ preview: "x".repeat(30_000) })).length).toBe(20_001);
  }),
);

Deno.test(
  "decide() takes one decision: the second gets a conflict with the first one",
  atDesk(async ({ ask, decide, approvals, sent }) => {
    const id = await ask();
    const rejected = await decide(id, { decision: "reject", comment: "no" });
    expect(rejected).toMatchObject({ status: "rejected", decided_at: expect.any(String) });
    const error = await decide(id, { by: "bob" }).catch((error) => error);
    expect(error).toMatchObject({
      code: "conflict",
      details: { approval: { status: "rejected", decisions: [{ by: "ann", comment: "no" }] } },
    });
    expect(error.details.approval.tenant).toBeUndefined();
    expect(sent.map(({ payload }) => payload)).toMatchObject([{ decision: "rejected" }]);
    expect((await approvals.list(T, { status: "pending" })).approvals).toEqual([]);
    await expect(decide("apr_9", {})).rejects.toMatchObject({ code: "not_found" });
  }),
);

Deno.test(
  "decide() lets only those decide who may",
  atDesk(async ({ ask, decide, sent }) => {
    const ctx = new FakeContext([], { caller: localCaller("ann") });
    const id = await ask({ allowed: ["ann", "bob"], self_approval: false }, ctx);
    await expect(decide(id, { by: "eve" })).rejects.toMatchObject({ code: "forbidden" });
    await expect(decide(id, { by: "ann" })).rejects.toMatchObject({ code: "forbidden" });
    await expect(decide(id, { by: "ann", decision: "reject" }))
      .rejects.toMatchObject({ code: "forbidden" });
    expect(sent).toEqual([]);
    expect((await decide(id, { by: "bob" })).status).toBe("approved");
  }),
);

Deno.test(
  "decide() waits for two different approvers; one rejection is final",
  atDesk(async ({ ask, decide, sent }) => {
    const id = await ask({ approvers: 2 });
    expect(await decide(id, {})).toMatchObject({ status: "pending", decisions: [{ by: "ann" }] });
    expect(sent).toEqual([]);
    await expect(decide(id, {})).rejects.toMatchObject({ code: "conflict" });
    expect((await decide(id, { by: "bob" })).status).toBe("approved");
    expect(sent[0]!.payload).toMatchObject({ by: ["ann", "bob"] });

    const other = await ask({ approvers: 2 });
    await decide(other, {});
    await decide(other, { by: "bob", decision: "reject" });
    expect(sent[1]!.payload).toMatchObject({ decision: "rejected", by: ["bob"] });
  }),
);

Deno.test(
  "decide() takes an edited payload where it may be edited and fits the schema",
  atDesk(async ({ ask, decide, sent }) => {
    const schema = {
      type: "object",
      required: ["text"],
      properties: { text: { type: "string" } },
    };
    const fixed = await ask({ schema });
    const issue = async (id: string, request: Parameters<typeof decide>[1]) => {
      const error = await decide(id, request).catch((error) => error);
      return [error.code, error.issues?.[0].location];
    };
    const payload = { text: "better" };
    expect(await issue(fixed, { payload })).toEqual(["validation_failed", "/payload"]);

    const id = await ask({ schema, editable: true });
    expect(await issue(id, { payload: { text: 1 } }))
      .toEqual(["validation_failed", "/payload/text"]);
    expect(await issue(id, { payload: {} })).toEqual(["validation_failed", "/payload/text"]);
    expect(await issue(id, { payload, decision: "reject" }))
      .toEqual(["validation_failed", "/payload"]);
    expect(await issue(id, { payload: { text: "x".repeat(100_000) } }))
      .toEqual(["payload_too_large", undefined]);

    const approved = await decide(id, { payload });
    expect(approved).toMatchObject({
      payload,
      payload_hash: payloadHash(payload),
      decisions: [{ payload }],
      preview: expect.stringMatching(/^Edited by ann:\n/),
    });
    expect(sent[0]!.payload).toMatchObject({ payload });
    const same = await decide(fixed, { payload: { n: 1, text: "hello" } });
    expect(same.decisions[0]!.payload).toBeUndefined();
  }),
);

Deno.test(
  "an edit by the first approver is what the second must approve",
  atDesk(async ({ ask, decide }) => {
    const id = await ask({ approvers: 2, editable: true });
    const seen = payloadHash(REQUEST.payload);
    const payload = { text: "better" };
    await decide(id, { payload, payload_hash: seen });
    await expect(decide(id, { by: "bob", payload_hash: seen }))
      .rejects.toMatchObject({ code: "conflict" });
    await expect(decide(id, { by: "bob", payload: { text: "mine" } }))
      .rejects.toMatchObject({ code: "conflict" });
    const done = await decide(id, { by: "bob", payload_hash: payloadHash(payload) });
    expect(done).toMatchObject({ status: "approved", payload });
  }),
);

Deno.test(
  "decide() makes an approval void whose run has ended",
  atDesk(async ({ ask, approvals, decide, engine }) => {
    const id = await ask();
    engine.signal = () => Promise.reject(refused());
    await expect(decide(id, {})).rejects.toMatchObject({
      code: "conflict",
      details: { approval: { status: "void" } },
    });
    expect((await approvals.get(T, id))!.status).toBe("void");
  }),
);

Deno.test(
  "decide() passes on what the engine throws and decides nothing",
  atDesk(async ({ ask, approvals, decide, engine }) => {
    const id = await ask();
    engine.signal = () =>
      Promise.reject(new OrchestratorError("store_unavailable", "Cannot write."));
    await expect(decide(id, {}))
      .rejects.toMatchObject({ code: "store_unavailable" });
    expect((await approvals.get(T, id))!.status).toBe("pending");
  }),
);

Deno.test(
  "of a hundred decisions in one moment one wins, and the run is told once",
  atDesk(async ({ ask, decide, sent, approvals }) => {
    const id = await ask({ approvers: 2 });
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, n) => decide(id, { by: `p${n % 50}` })),
    );
    expect(results.filter(({ status }) => status === "fulfilled").length).toBe(2);
    expect(sent.length).toBe(1);
    const { decisions } = (await approvals.get(T, id))!;
    expect(new Set(decisions.map(({ by }) => by)).size).toBe(2);
  }),
);

Deno.test(
  "list() pages newest first and filters",
  atDesk(async ({ ask, decide, approvals }) => {
    for (let n = 0; n < 5; n++) {
      await ask({}, new FakeContext([], { id: `run_${n % 2}` }));
    }
    await decide("apr_0003", {});
    const ids = async (query: Parameters<Approvals["list"]>[1]) => {
      const { approvals: found, next_cursor } = await approvals.list(T, query);
      return [found.map(({ id }) => Number(id.slice(4))), next_cursor];
    };
    expect(await ids({})).toEqual([[5, 4, 3, 2, 1], undefined]);
    expect(await ids({ limit: 2 })).toEqual([[5, 4], "apr_0004"]);
    expect(await ids({ limit: 2, cursor: "apr_0004" })).toEqual([[3, 2], "apr_0002"]);
    expect(await ids({ limit: 2, cursor: "apr_0002" })).toEqual([[1], undefined]);
    expect(await ids({ status: "pending" })).toEqual([[5, 4, 2, 1], undefined]);
    expect(await ids({ status: "approved" })).toEqual([[3], undefined]);
    expect(await ids({ run_id: "run_0" })).toEqual([[5, 3, 1], undefined]);
    expect(await ids({ run_id: "run_0", status: "pending" })).toEqual([[5, 1], undefined]);
  }),
);
