/**
 * A crash before and after each commit of everything that can be asked of an engine. What was
 * acknowledged holds; what was not happens whole or not at all.
 */
import assert from "node:assert/strict";
import type { Engine, Json, RunFunction, StartRequest } from "../../../pipeline/kernel/mod.ts";
import { setJson } from "../../../store/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { allEnded, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { flaky, request, settle, T } from "./_harness.ts";

/** What is asked of an engine, and what is true of its runs in the end. */
interface Operation {
  /** Made once for all processes. */
  program(world: SimWorld): RunFunction;
  /** How the runs are started that are there before, and their statuses then. */
  requests?: Partial<StartRequest>[];
  statuses: string[];
  act(engine: Engine, ids: string[]): Promise<unknown>;
  /** What clients do until all runs have ended. */
  finish?(engine: Engine, ids: string[]): Promise<unknown>;
  /** How all runs may have ended, oldest first, when the operation was acknowledged. */
  ends: string[];
  /** How else they may have ended when it was not. */
  otherwise: string[];
  check?(cluster: Cluster, acknowledged: boolean): void;
}

const later = (world: SimWorld, ms: number) => () =>
  new Promise<number>((done) => world.at(ms, undefined, () => done(1)));
const oneStep = (world: SimWorld): RunFunction => (ctx) => ctx.step("work", later(world, 400));
const twoSteps = (world: SimWorld): RunFunction => async (ctx) => {
  await ctx.step("work", later(world, 400));
  return await ctx.step("more", () => 2);
};
const gate = (): RunFunction => (ctx) => ctx.wait("gate", { signal: "go" }) as Promise<Json>;
const cleaning = (): RunFunction => async (ctx) => {
  try {
    return await ctx.wait("gate", { signal: "go" }) as Json;
  } catch (error) {
    await ctx.cleanup(async (clean) => {
      await clean.step("undo", () => 2);
      await clean.step("report", () => 3);
    });
    throw error;
  }
};
const failsOnce = (): RunFunction => {
  let calls = 0;
  return async (ctx) => {
    await ctx.step("a", () => 1);
    return await ctx.step("b", () => {
      if (++calls === 1) throw flaky();
      return 2;
    }, { retry: { max_attempts: 1 } });
  };
};
const family = (world: SimWorld): RunFunction => async (ctx) => {
  if (ctx.run.parent) return await ctx.step("inner", later(world, 400));
  return (await ctx.child("sub", { pipeline: "p", version: "v", input: null })).status;
};

const slot = (on_busy: "enqueue" | "interrupt", limit = 1): Partial<StartRequest> => ({
  concurrency: { key: "k", limit, on_busy },
});
const keyed = { idempotency: { key: "key", fingerprint: "f" } };
const go = (payload: Json) => (engine: Engine, [id]: string[]) =>
  engine.signal(T, id!, "go", payload);
const resume = (engine: Engine, [id]: string[]) => engine.resume(T, id!);
/** Of all runs, the oldest first. */
const outputs = ({ db }: Cluster) =>
  runsOf(db).map(({ id }) => journalOf(db, id).at(-1)!)
    .map((last) => last.type === "run.completed" ? last.output : last.type);
const count = (cluster: Cluster, step: string) =>
  runsOf(cluster.db).flatMap(({ id }) => journalOf(cluster.db, id))
    .filter((event) => event.type === "step.completed" && event.step === step).length;

const OPERATIONS: Record<string, Operation> = {
  "cancel() of a run that works": {
    program: oneStep,
    statuses: ["running"],
    act: (engine, [id]) => engine.cancel(T, id!, "enough"),
    ends: ["cancelled"],
    otherwise: ["completed"],
    check({ db }) {
      const last = runsOf(db).map(({ id }) => journalOf(db, id).at(-1)!)[0]!;
      if (last.type === "run.cancelled") assert.equal(last.reason, "enough");
    },
  },
  "cancel() of a run that waits and cleans up": {
    program: cleaning,
    statuses: ["waiting"],
    act: (engine, [id]) => engine.cancel(T, id!),
    finish: go(1),
    ends: ["cancelled"],
    otherwise: ["completed"],
    check(cluster) {
      const isCancelled = runsOf(cluster.db)[0]!.status === "cancelled";
      for (const step of ["undo", "report"]) {
        assert.equal(count(cluster, step), isCancelled ? 1 : 0);
      }
    },
  },
  "cancel() of a run that has a run within it": {
    program: family,
    statuses: ["waiting", "running"],
    act: (engine, [id]) => engine.cancel(T, id!),
    ends: ["cancelled,cancelled"],
    otherwise: ["completed,completed"],
  },
  "cancel() of a run that waits for its turn": {
    program: oneStep,
    requests: [slot("enqueue"), slot("enqueue")],
    statuses: ["running", "queued"],
    act: (engine, [, id]) => engine.cancel(T, id!),
    ends: ["completed,cancelled"],
    otherwise: ["completed,completed"],
  },
  "signal()": {
    program: () => async (ctx) =>
      [
        await ctx.wait("one", { signal: "go" }),
        await ctx.wait("two", { signal: "go" }),
      ] as Json,
    statuses: ["waiting"],
    act: go("first"),
    finish: go("second"),
    ends: ["completed"],
    otherwise: ["completed"],
    check(cluster, acknowledged) {
      const taken = (outputs(cluster)[0] as { signal: string }[]).map(({ signal }) => signal);
      const firsts = taken.filter((signal) => signal === "first").length;
      assert(firsts <= 1 && (firsts === 1 || !acknowledged), taken.join());
      if (acknowledged) assert.equal(taken[0], "first");
    },
  },
  "signal() with a commit of its own": {
    program: gate,
    statuses: ["waiting"],
    act: (engine, [id]) =>
      engine.signal(T, id!, "go", "decided", {
        checks: [{ key: ["test", "t"], versionstamp: null }],
        mutations: [setJson(["test", "t"], "decided")],
      }),
    finish: go("otherwise"),
    ends: ["completed"],
    otherwise: ["completed"],
    check(cluster) {
      const { signal } = outputs(cluster)[0] as { signal: string };
      assert.equal(signal === "decided", cluster.db.get(["test", "t"]) !== null);
    },
  },
  "pause() of a run that works": {
    program: twoSteps,
    statuses: ["running"],
    act: (engine, [id]) => engine.pause(T, id!),
    finish: resume,
    ends: ["completed"],
    otherwise: ["completed"],
    check(cluster, acknowledged) {
      const [id] = runsOf(cluster.db).map((run) => run.id);
      const types = journalOf(cluster.db, id!).map(({ type }) => type);
      if (acknowledged) assert.equal(types.filter((type) => type === "run.paused").length, 1);
    },
  },
  "resume()": {
    program: gate,
    statuses: ["waiting"],
    act: async (engine, ids) => {
      await engine.pause(T, ids[0]!);
      await resume(engine, ids);
      await go(1)(engine, ids);
    },
    finish: (engine, ids) => Promise.allSettled([resume(engine, ids), go(2)(engine, ids)]),
    ends: ["completed"],
    otherwise: ["completed"],
  },
  "redrive()": {
    program: failsOnce,
    statuses: ["failed"],
    act: (engine, [id]) => engine.redrive(T, id!),
    ends: ["completed"],
    otherwise: ["failed"],
    check(cluster) {
      const [run] = runsOf(cluster.db);
      assert.equal(count(cluster, "a"), 1);
      assert.equal(run!.attempts, run!.status === "completed" ? 2 : undefined);
      if (run!.status === "completed") assert.equal(run!.error, undefined);
    },
  },
  "redrive() of a run whose slot another one holds": {
    program: (world) => {
      let first: string | undefined;
      return (ctx) => {
        const fails = (first ??= ctx.run.id) === ctx.run.id && !("attempts" in ctx.run);
        const work = fails ? () => Promise.reject(flaky()) : later(world, 400);
        return ctx.step("work", work, { retry: { max_attempts: 1 } });
      };
    },
    requests: [slot("enqueue"), slot("enqueue")],
    statuses: ["failed", "running"],
    act: (engine, [id]) => engine.redrive(T, id!),
    ends: ["completed,completed"],
    otherwise: ["failed,completed"],
    check({ db }) {
      const [redriven, other] = runsOf(db);
      if (redriven!.status === "failed") return;
      const began = journalOf(db, redriven!.id).filter(({ type }) => type === "step.started");
      assert(Date.parse(began.at(-1)!.at) >= Date.parse(other!.ended_at!), "one after the other");
    },
  },
  "restart()": {
    program: failsOnce,
    statuses: ["failed"],
    act: (engine, [id]) => engine.restart(T, id!, { from: "b", ...keyed }),
    finish: (engine, [id]) => engine.restart(T, id!, { from: "b", ...keyed }),
    ends: ["failed,completed"],
    otherwise: [],
    check(cluster) {
      assert.equal(cluster.calls.filter(({ step }) => step === "a").length, 1);
      const [, run] = runsOf(cluster.db);
      assert.equal(run!.restart!.run, runsOf(cluster.db)[0]!.id);
    },
  },
  "start() with a key that its client sends until it is answered": {
    program: oneStep,
    requests: [],
    statuses: [],
    act: (engine) => engine.start(T, request(1, keyed)),
    finish: (engine) => engine.start(T, request(1, keyed)),
    ends: ["completed"],
    otherwise: [],
  },
  "start() behind a run that holds the slot": {
    program: twoSteps,
    requests: [slot("enqueue")],
    statuses: ["running"],
    act: (engine) => engine.start(T, request(1, { ...slot("enqueue"), ...keyed })),
    finish: (engine) => engine.start(T, request(1, { ...slot("enqueue"), ...keyed })),
    ends: ["completed,completed"],
    otherwise: [],
  },
  "start() that interrupts the run that holds the slot": {
    program: twoSteps,
    requests: [slot("interrupt")],
    statuses: ["running"],
    act: (engine) => engine.start(T, request(1, { ...slot("interrupt"), ...keyed })),
    finish: (engine) => engine.start(T, request(1, { ...slot("interrupt"), ...keyed })),
    ends: ["cancelled,completed"],
    otherwise: ["completed,completed"],
  },
  "start() of a run that has a run within it": {
    program: family,
    requests: [],
    statuses: [],
    act: (engine) => engine.start(T, request(1, keyed)),
    finish: (engine) => engine.start(T, request(1, keyed)),
    ends: ["completed,completed"],
    otherwise: [],
  },
  "drain()": {
    program: twoSteps,
    requests: [{}, {}, slot("enqueue"), slot("enqueue")],
    statuses: ["running", "running", "running", "queued"],
    act: (engine) => engine.drain(100),
    ends: ["completed,completed,completed,completed"],
    otherwise: [],
  },
};

/** Does `operation`, the process dying at one moment. @returns false once there is none */
async function crashAt(operation: Operation, moment: "before" | "after", n: number) {
  const world = new SimWorld(1);
  const program = operation.program(world);
  const cluster = new Cluster(world, () => program);
  const node = cluster.boot();
  await world.run(2_000, () => node.open);
  const { requests = [{}], statuses, act, finish } = operation;
  for (const more of requests) await settle(world, node.engine.start(T, request(0, more)));
  const isReady = () => runsOf(cluster.db).map(({ status }) => status).join() === statuses.join();
  assert(await world.run(350, isReady), runsOf(cluster.db).map(({ status }) => status).join());
  const ids = runsOf(cluster.db).map(({ id }) => id);
  let commits = 0, crashed = false, acknowledged = false;
  node.kv.onCommit = (when) => {
    if (when !== moment || ++commits !== n || node.process.dead) return;
    crashed = true;
    cluster.crash(node, 10);
  };
  act(node.engine, ids).then(() => acknowledged = true, () => {});
  const over = () => allEnded(cluster.db) && cluster.db.list({ prefix: ["inbox"] }).length === 0;
  await world.run(3_000, () => false);
  const isAcknowledged: boolean = acknowledged;
  if (!crashed) cluster.crash(node, 10); // so that a drained node is replaced
  for (let round = 0; round < 5 && !(round > 0 && over()); round++) {
    const engine = cluster.nodes.find(({ open }) => open)?.engine;
    if (engine && finish) finish(engine, ids).catch(() => {});
    await world.run(5_000, () => false);
  }
  assert(over(), "every run ends");
  const ends = runsOf(cluster.db).map(({ status }) => status).join();
  const expected = isAcknowledged ? operation.ends : [...operation.ends, ...operation.otherwise];
  assert(expected.includes(ends), `${ends}, ${isAcknowledged ? "" : "not "}acknowledged`);
  checkInvariants(cluster.db, ids, cluster.calls);
  for (const prefix of ["timer", "slot", "turn"]) {
    assert.equal(cluster.db.list({ prefix: [prefix] }).length, 0, `I7: ${prefix} left`);
  }
  operation.check?.(cluster, isAcknowledged);
  return crashed;
}

for (const [what, operation] of Object.entries(OPERATIONS)) {
  Deno.test(`a crash at any commit of ${what} keeps its word`, async () => {
    for (const moment of ["before", "after"] as const) {
      let n = 1;
      while (await crashAt(operation, moment, n)) n++;
      assert(n > 1, "at least one commit was tried");
    }
  });
}
