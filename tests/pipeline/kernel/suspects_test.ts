/** Processes that die again and again: because of a run, or of something else. */
import assert from "node:assert/strict";
import type { RunContext, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { type SimProcess, SimWorld } from "../../_sim/world.ts";
import { hang, request, settle, T } from "./_harness.ts";

const STEP_MS = 5_000;

/** One process at a time, which starts again 10 ms after it died. */
async function start(
  program: (world: SimWorld, die: () => void, process: SimProcess) => RunFunction,
  inputs: string[],
) {
  const world = new SimWorld(1);
  const options = { alone: true, concurrency: 100 };
  const cluster: Cluster = new Cluster(
    world,
    (process) => program(world, () => void (process.dead || crash(process)), process),
    options,
  );
  const crash = (process: SimProcess) => {
    const node = cluster.nodes.find((one) => one.process === process);
    if (node) cluster.crash(node, 10);
  };
  const node = cluster.boot();
  await world.run(1_000, () => node.open);
  for (const input of inputs) node.engine.start(T, request(input)).catch(() => {});
  await world.run(1_000, () => runsOf(cluster.db).length === inputs.length);
  const ended = () => runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined);
  const ends = () => runsOf(cluster.db).map((run) => run.error?.code ?? run.status);
  const kill = async (after_ms: number) => {
    await world.run(after_ms, () => false);
    crash(cluster.nodes[0]!.process);
  };
  return { world, cluster, ended, ends, kill };
}

/** A step that waits for the network, so to speak. */
const wait = (world: SimWorld, process: SimProcess) => (ctx: RunContext) =>
  ctx.step("call", () => new Promise<number>((done) => world.at(STEP_MS, process, () => done(1))));

const many = (count: number) => Array.from({ length: count }, () => "good");

for (const kills of [1, 2, 6]) {
  Deno.test(`${kills} kills during long steps delay no run and end none`, async () => {
    const { world, cluster, ended, ends, kill } = await start(
      (world, _die, process) => wait(world, process),
      many(60),
    );
    for (let n = 0; n < kills; n++) await kill(STEP_MS / 2);
    const restarted = world.now;
    await world.run(10 * STEP_MS, ended);
    assert.deepEqual(ends(), Array(60).fill("completed"));
    assert(world.now - restarted < STEP_MS + 500, `${world.now - restarted} virtual ms`);
    checkInvariants(cluster.db, [], cluster.calls);
  });
}

/** Where a run may end its process. */
type Deadly = (ctx: RunContext, die: () => void, later?: Promise<void>) => Promise<number>;
const deadly: Record<string, Deadly> = {
  "in a step": (ctx, die) => ctx.step("b", ({ signal }) => (die(), hang(signal))),
  "in a pure step": async (ctx, die, later) => {
    await later; // the first time it is on disk before it dies
    return await ctx.step("b", ({ signal }) => (die(), hang(signal)), { effect: "none" });
  },
  "before its first step": async (ctx, die, later) => {
    await later;
    die();
    return await hang(ctx.signal);
  },
  "after a step": async (ctx, die) => {
    await ctx.step("b", () => 1);
    die();
    return await hang(ctx.signal);
  },
  "after a step that failed": async (ctx, die) => {
    await ctx.step("b", () => {
      throw new Error("no");
    }).catch(() => {});
    die();
    return await hang(ctx.signal);
  },
  "in a branch": (ctx, die) =>
    ctx.group("g", async (inner) => {
      await inner.all([
        (branch) => branch.step("b1", ({ signal }) => hang(signal)),
        (branch) => branch.step("b2", ({ signal }) => (die(), hang(signal))),
      ]);
      return 1;
    }),
};

for (const [where, act] of Object.entries(deadly)) {
  Deno.test(`a run that ends its process ${where} is set aside before its fourth try`, async () => {
    let deaths = 0;
    const { world, cluster, ended, ends } = await start(
      (world, die, process) => (ctx, input) => {
        if (input === "good") return wait(world, process)(ctx);
        const later = deaths > 0
          ? undefined
          : new Promise<void>((done) => world.at(20, process, done));
        return act(ctx, () => (deaths++, die()), later);
      },
      [...many(60), "bad"],
    );
    const began = world.now;
    await world.run(20 * STEP_MS, ended);
    assert.equal(deaths, 3);
    const expected = Array(61).fill("completed");
    expected[60] = "run_poisoned";
    assert.deepEqual(ends(), expected);
    assert(world.now - began < STEP_MS + 1_000, `${world.now - began} virtual ms`);
    checkInvariants(cluster.db, [], cluster.calls);
  });
}

Deno.test("a run that ends its process while it seems to wait is found in the end; others go on", async () => {
  let deaths = 0;
  const { world, cluster, ended, ends } = await start(
    (world, die, process) => (ctx, input) =>
      ctx.step("call", ({ signal }) => {
        if (input === "good") {
          return new Promise<number>((done) => world.at(400, process, () => done(1)));
        }
        // What comes out of an await is not seen to have control.
        world.at(300, process, () => (deaths++, die()));
        return hang(signal);
      }),
    [...many(20), "bad"],
  );
  await world.run(120_000, ended);
  const expected = Array(21).fill("completed");
  expected[20] = "run_poisoned";
  assert.deepEqual(ends(), expected);
  assert(deaths <= 10, `${deaths} deaths`);
  checkInvariants(cluster.db, [], cluster.calls);
});

Deno.test("a kill from outside that hits a suspect's turn ends no run", async () => {
  let deaths = 0;
  const { world, cluster, ended, ends } = await start(
    (_world, die) => (ctx) =>
      ctx.step("b", ({ signal }) => deaths < 2 ? (deaths++, die(), hang(signal)) : 1),
    ["good"],
  );
  await world.run(10_000, ended);
  assert.deepEqual(ends(), ["completed"]);
  const [run] = runsOf(cluster.db);
  const blamed = journalOf(cluster.db, run!.id)
    .filter((event) => event.type === "run.resumed" && event.suspect);
  assert.equal(blamed.length, 1);
});

Deno.test("a run that was set aside can be redriven, and what it is blamed for is forgotten", async () => {
  let broken = true;
  const { world, cluster, ended, ends } = await start(
    (_world, die) => (ctx) => ctx.step("b", ({ signal }) => broken ? (die(), hang(signal)) : 1),
    ["bad"],
  );
  await world.run(10_000, ended);
  assert.deepEqual(ends(), ["run_poisoned"]);
  const [run] = runsOf(cluster.db);
  assert.match(run!.error!.message, /redrive/);
  broken = false;
  await settle(world, cluster.nodes[0]!.engine.redrive(T, run!.id));
  await world.run(10_000, ended);
  assert.deepEqual(ends(), ["completed"]);
  const blamed = journalOf(cluster.db, run!.id)
    .filter((event) => event.type === "run.resumed" && event.suspect);
  assert.equal(blamed.length, 2);
});
