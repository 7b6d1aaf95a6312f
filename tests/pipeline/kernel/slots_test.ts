/** Places among runs with one concurrency key, on a slow store. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { setJson } from "../../../store/mod.ts";
import { allEnded, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { SimWorld } from "../../_sim/world.ts";
import { callerOf } from "../../_caller.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

const STARTS = 6;

/** Runs of one key that begin around the ends of others; none gets in line. */
async function overlap(
  seed: number,
): Promise<{ runs: string[]; calls: string[]; db: Cluster["db"] }> {
  const world = new SimWorld(seed);
  const calls: string[] = [];
  const cluster = new Cluster(world, () => async (ctx) => {
    calls.push(ctx.run.id);
    if (world.chance(0.5)) return 1;
    const later = () =>
      new Promise<number>((done) => world.at(world.int(0, 8), undefined, () => done(1)));
    return await ctx.step("a", later, { effect: "none" });
  });
  cluster.boot();
  await world.run(400, () => cluster.nodes[0]!.open);
  cluster.faults = { ...cluster.faults, latency_ms: [1, 3, 10, 40][world.int(0, 4)]! };
  const concurrency = { key: "k", limit: 1, on_busy: "reject" as const };
  const runs: string[] = [];
  let over = 0;
  for (let n = 0; n < STARTS; n++) {
    world.at(world.int(0, 150), undefined, () => {
      cluster.nodes[0]!.engine.start(T, request(n, { concurrency }))
        .then(async ({ run, result }) => {
          runs.push(run.id);
          await result;
        })
        .catch(({ code }) => assert.equal(code, "busy"))
        .finally(() => over++);
    });
  }
  await world.run(60_000, () => over === STARTS);
  assert.equal(over, STARTS);
  return { runs, calls, db: cluster.db };
}

Deno.test("a run that begins while another's end is on its way is carried out once", async () => {
  let carriedOut = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const { runs, calls, db } = await overlap(seed);
    checkInvariants(db, runs, []);
    for (const run of runs) {
      assert.equal(calls.filter((call) => call === run).length, 1, `seed ${seed}, ${run}`);
    }
    carriedOut += runs.length;
  }
  assert(carriedOut > 800, `${carriedOut} runs`);
});

/** Below it each run of a key leaves its id with its end. */
const LEFT = ["test", "t"];

interface Counted {
  db: Cluster["db"];
  runs: string[];
}

/** Runs of one key that each count first how many were before them, and are counted with their end. */
async function count(seed: number, kills: number, alone: boolean): Promise<Counted> {
  const world = new SimWorld(seed);
  const cluster: Cluster = new Cluster(world, (process) => async (ctx) => {
    const pause = (ms: number) =>
      new Promise<void>((done) => world.at(world.int(0, ms), process, done));
    if (world.chance(0.3)) await pause(3);
    const before = cluster.db.list({ prefix: LEFT, end: [...LEFT, ctx.run.id] }).length;
    if (world.chance(0.3)) await pause(3);
    if (world.chance(0.5)) await ctx.step("a", () => pause(20).then(() => 1));
    ctx.change({ checks: [], mutations: [setJson([...LEFT, ctx.run.id], before)] });
    return before;
  }, { alone });
  const node = cluster.boot();
  await world.run(400, () => node.open);
  cluster.faults = { ...cluster.faults, latency_ms: [1, 3, 10][world.int(0, 3)]! };
  const concurrency = { key: "k", limit: 1, on_busy: "enqueue" as const };
  const runs: string[] = [];
  /** A client asks again as soon as it has its answer. */
  const client = async (requests: number): Promise<void> => {
    for (let n = 0; n < requests; n++) {
      const { engine } = cluster.nodes.find(({ open }) => open) ?? node;
      const { run, result } = await engine.start(T, request(n, { concurrency }));
      runs.push(run.id);
      await result;
    }
  };
  for (let n = 0; n < 3; n++) world.at(n, undefined, () => void client(6).catch(() => {}));
  for (let n = 0; n < kills; n++) {
    world.at(world.int(20, 200), undefined, () => {
      const [alive] = cluster.nodes;
      if (alive) cluster.crash(alive, world.int(10, 100));
    });
  }
  const ended = () => runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined);
  await world.run(2_000, () => false);
  await world.run(60_000, ended);
  return { db: cluster.db, runs };
}

for (const [kills, alone] of [[0, true], [2, true], [0, false], [2, false]] as const) {
  const where = `with ${kills} kills, ${alone ? "in one process" : "beside other processes"}`;
  Deno.test(`a run sees what the run before it in its place wrote, ${where}`, async () => {
    let runs = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const { db, runs: acknowledged } = await count(seed, kills, alone);
      checkInvariants(db, acknowledged, []);
      const read = runsOf(db).map(({ id }) => journalOf(db, id).at(-1))
        .map((last) => last?.type === "run.completed" ? last.output : last?.type);
      assert.deepEqual(read, read.map((_, index) => index), `seed ${seed}`);
      runs += read.length;
    }
    assert(runs > 2_000 / (kills + 1), `${runs} runs`);
  });
}

/** What may be asked of runs that share slots. */
type Ask = { at: number } & ({ start: "enqueue" | "reject" | "interrupt" } | { cancel: number });
const at = fc.nat(2_000);
const anyAsks = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        at,
        start: fc.constantFrom("enqueue", "enqueue", "enqueue", "reject", "interrupt"),
      }),
    },
    { weight: 1, arbitrary: fc.record({ at, cancel: fc.nat(20) }) },
  ) as fc.Arbitrary<Ask>,
  { minLength: 3, maxLength: 20, size: "max" },
);

Deno.test("a run works only while it holds a slot, and no slot or turn is left behind", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      anyAsks,
      fc.array(at, { maxLength: 2 }),
      async (limit, alone, asks, kills) => {
        const world = new SimWorld(asks.length);
        const slots = () =>
          cluster.db.list({ prefix: ["slot", "t", "k"] }).map((entry) => ({
            n: entry.key[3] as number,
            run: cluster.db.json<{ run: string }>(entry).run,
          }));
        const cluster: Cluster = new Cluster(world, (process) => async (ctx) => {
          for (const step of ["a", "b"]) {
            await ctx.step(step, () => {
              const held = slots();
              assert(held.some(({ run }) => run === ctx.run.id), `${ctx.run.id} holds no slot`);
              assert(held.every(({ n }) => n < limit), `${held.length} slots`);
              return new Promise<number>((done) =>
                world.at(world.int(0, 300), process, () => done(1))
              );
            });
          }
          return 1;
        }, { alone });
        const node = cluster.boot();
        await world.run(2_000, () => node.open);
        cluster.faults = { ...cluster.faults, latency_ms: 4 };
        const runs: string[] = [];
        for (const ask of asks) {
          world.at(ask.at, undefined, () => {
            const engine = cluster.nodes.find(({ open }) => open)?.engine;
            if (!engine) return;
            if ("cancel" in ask) {
              const id = runs[ask.cancel % runs.length];
              if (id) engine.cancel(T, id).catch(() => {});
            } else {
              const concurrency = { key: "k", limit, on_busy: ask.start };
              engine.start(T, request(1, { concurrency })).then(
                ({ run }) => runs.push(run.id),
                ({ code }) => assert(["busy", "shutting_down"].includes(code), code),
              );
            }
          });
        }
        for (const ms of kills) {
          world.at(ms, undefined, () => {
            if (cluster.nodes[0]) cluster.crash(cluster.nodes[0], world.int(10, 100));
          });
        }
        await world.run(2_500, () => false);
        const over = () =>
          allEnded(cluster.db) && cluster.db.list({ prefix: ["inbox"] }).length === 0;
        assert(await world.run(60_000, over), "every run ends");
        checkInvariants(cluster.db, runs, cluster.calls);
        const left = ["slot", "turn"].flatMap((prefix) => cluster.db.list({ prefix: [prefix] }));
        assert.deepEqual(left, [], "slots or turns are left");
        const failed = runsOf(cluster.db).filter(({ status }) => status === "failed");
        assert.deepEqual(failed.map(({ error }) => error), []);
      },
    ),
    { numRuns: 150 },
  ));

Deno.test("a run that is refused because others are busy leaves nothing, not even its idempotency key", async () => {
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.step("work", () => new Promise<number>((done) => world.at(1_000, undefined, () => done(1))))
  );
  const { engine } = node();
  const concurrency = { key: "k", limit: 2, on_busy: "reject" as const };
  const ids: string[] = [];
  for (let n = 0; n < 2; n++) {
    ids.push((await settle(world, engine.start(T, request(n, { concurrency })))).run.id);
  }
  const keyed = request(3, { concurrency, idempotency: { key: "key", fingerprint: "f" } });
  await assert.rejects(settle(world, engine.start(T, keyed)), {
    code: "busy",
    kind: "retryable",
    details: { key: "k", runs: ids },
  });
  await world.run(5_000, () => allEnded(cluster.db));
  const again = await settle(world, engine.start(T, keyed));
  assert.equal(again.replayed, false);
  assert.equal((await settle(world, again.result)).status, "completed");
  assert.equal(runsOf(cluster.db).length, 3);
});

Deno.test("other keys and other tenants have slots of their own", async () => {
  const world = new SimWorld(1);
  const work = () => new Promise<number>((done) => world.at(1_000, undefined, () => done(1)));
  const cluster = new Cluster(world, () => (ctx) => ctx.step("work", work), { concurrency: 20 });
  const { engine } = cluster.boot();
  await world.run(2_000, () => cluster.nodes[0]!.open);
  const start = async (caller: typeof T, key: string) => {
    const concurrency = { key, limit: 2, on_busy: "enqueue" as const };
    return (await settle(world, engine.start(caller, request(1, { concurrency })))).run.status;
  };
  for (const [caller, key] of [[T, "k"], [T, "other"], [callerOf("u"), "k"]] as const) {
    const statuses = [await start(caller, key), await start(caller, key), await start(caller, key)];
    assert.deepEqual(statuses, ["running", "running", "queued"]);
  }
});
