/** Approving, rejecting, expiring and cancelling in one moment, over the real engine. */
import { expect } from "expect";
import {
  type Approval,
  type ApprovalDeps,
  createApprovals,
  requestApproval,
} from "../../../pipeline/calls/approvals/mod.ts";
import { createEngine, realWorld, type RunFunction } from "../../../pipeline/kernel/mod.ts";
import type { Store } from "../../../store/mod.ts";
import { withStore } from "../_memory_store.ts";
import { callerOf } from "../../_caller.ts";

const T = callerOf("t");
const ROUNDS = 20;
const RUNS = 50;
/** How an approval can end: a race has seen them all. */
const ENDS = ["approved", "expired", "rejected", "void"];
/** The least and the most milliseconds that a round gives people until they come. */
const LAG_MS = [75, 5_000] as const;
const SILENT = { info() {}, warn() {}, error() {} };

/** An engine whose runs ask, and then do what was approved. */
async function open(store: Store) {
  const world = realWorld();
  const deps: ApprovalDeps = { store, now: world.clock.now, newId: world.newId };
  /** What was done outside: run and payload. */
  const done: { run: string; payload: unknown }[] = [];
  const program: RunFunction = async (ctx, input) => {
    const { expires_seconds } = input as { expires_seconds: number };
    const request = { title: "Go?", payload: input, expires_seconds };
    const { decision, payload } = await requestApproval(ctx, "check", request, deps);
    if (decision !== "approved") return decision;
    return await ctx.step("act", () => {
      done.push({ run: ctx.run.id, payload });
      return "approved";
    });
  };
  const engine = createEngine({
    store,
    world,
    log: SILENT,
    concurrency: 50,
    queue_limit: 1_000,
    idempotency_ttl_ms: 60_000,
    lease_ms: 15_000,
    sweep_ms: 20,
  });
  await engine.open(() => program);
  return {
    engine,
    deps,
    done,
    approvals: createApprovals({ store, engine, now: deps.now }),
  };
}

Deno.test("a thousand approvals decided, expired and cancelled at once end once each", () =>
  withStore(async (store) => {
    const { engine, approvals, done } = await open(store);
    const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

    /**
     * Starts a run, gets in its way from all sides when it expires, and looks how it ended. `lag`:
     * the milliseconds that rounds before took until the last heard that it was asked. People come
     * in ten groups, the first so long before the expiry, the last a little after it.
     */
    const race = async (n: number, lag: number) => {
      const asked = Promise.withResolvers<string>();
      const input = { n, expires_seconds: 2 * lag / 1_000 };
      const started = await engine.start(
        T,
        { pipeline: "p", version: "v", input },
        (event) => {
          if (event.type === "approval.requested") asked.resolve(event.approval);
        },
      );
      const id = await asked.promise;
      const { expires_at } = (await approvals.get(T, id))!;
      const left = Date.parse(expires_at!) - Date.now();
      const decide = (by: string, decision: "approve" | "reject") =>
        approvals.decide(callerOf("t", by), id, { decision });
      const before = (n % 10 - 1) / 8 * lag;
      await sleep(Math.max(0, left - before));
      const attempts = [
        () => decide("ann", "approve"),
        () => decide("bob", "reject"),
        ...(n % 3 === 0 ? [() => engine.cancel(T, started.run.id)] : []),
      ];
      const order = n % 2 ? attempts : attempts.reverse();
      const outcomes = await Promise.allSettled(order.map(async (attempt, i) => {
        await sleep(i * (n % 5));
        return await attempt();
      }));
      const result = await started.result;
      return {
        run: started.run.id,
        input,
        result,
        outcomes,
        heard: 2 * lag - left,
        record: (await approvals.get(T, id))!,
      };
    };

    let [rounds, lag] = [0, LAG_MS[0] as number];
    const seen = new Set<string>();
    for (; rounds < ROUNDS || (seen.size < ENDS.length && rounds < 3 * ROUNDS); rounds++) {
      const numbers = Array.from({ length: RUNS }, (_, n) => rounds * RUNS + n);
      const races = await Promise.all(numbers.map((n) => race(n, lag)));
      for (const { run, input, result, outcomes, record } of races) {
        const { status, decisions } = record;
        const ended = result.status === "completed" ? result.output : result.status;
        const key = `${status}, ${ended}`;
        const winners = outcomes.filter((one) =>
          one.status === "fulfilled" && one.value && (one.value as Approval).id === record.id
        );
        const calls = done.filter((call) => call.run === run);
        const decided = status === "approved" || status === "rejected";
        expect([key, decisions.length, winners.length])
          .toEqual([key, decided ? 1 : 0, decided ? 1 : 0]);
        expect([status, status === "void" ? "cancelled" : status, "cancelled"]).toContain(ended);
        if (ended === "approved") expect(calls).toEqual([{ run, payload: input }]);
        if (status !== "approved") expect(calls).toEqual([]);
        expect(calls.length).toBeLessThan(2);
        const said = (await engine.journal(T, run))
          .flatMap((event) => event.type === "approval.decided" ? [event.decision] : []);
        if (said.length > 0) expect(said).toEqual([status]);
        seen.add(status);
      }
      const slowest = Math.max(LAG_MS[0], ...races.map(({ heard }) => heard));
      lag = Math.min(Math.ceil((lag + slowest) / 2), LAG_MS[1]);
    }
    expect((await approvals.list(T, { status: "pending" })).approvals).toEqual([]);
    expect([...seen].sort()).toEqual(ENDS);
    await engine.drain(1_000);
  }));
