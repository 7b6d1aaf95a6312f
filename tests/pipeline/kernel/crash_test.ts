/** A crash at every commit, runs that kill their process, and processes that wake up too late. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Json, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { Cluster, LEASE_MS } from "../../_sim/cluster.ts";
import { checkBlobs, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { flaky, hang, oneNode, request, settle, T } from "./_harness.ts";

/** Every kind of step, one failing once, events in between. */
const program: RunFunction = async (ctx) => {
  const a = await ctx.step("a", () => 1);
  ctx.emit({ type: "test.noted", step: "b", text: "x" });
  const b = await ctx.step("b", ({ attempt }) => {
    if (attempt === 1) throw flaky();
    return 2;
  }, { retry: { interval_ms: 10, max_attempts: 20 } });
  const c = await ctx.step("c", () => 3, { effect: "none" });
  const [d, e] = await Promise.all([ctx.step("d", () => 4), ctx.step("e", () => 5)]);
  return [a, b, c, d, e];
};

/** What one commit of the database does not take. */
const LARGE = "x".repeat(1_000_000);

/** Large inputs, results, messages and outputs, also of a run within this one. */
const large: RunFunction = async (ctx, input) => {
  const text = await ctx.step("a", () => `${(input as { text: string }).text.slice(1)}y`);
  if (ctx.run.parent) return text;
  const child = await ctx.child("sub", { pipeline: "p", version: "v", input: { text } });
  await ctx.step("b", () => 2);
  return child.status === "completed" ? child.output : child.status;
};

/** Runs a program, killing the process at one moment; `false` once there is no such moment. */
async function crashAt(
  moment: "before" | "after",
  n: number,
  { fn = program, input = {}, output = [1, 2, 3, 4, 5] as Json } = {},
): Promise<boolean> {
  const world = new SimWorld(1);
  const cluster = new Cluster(world, () => fn);
  const node = cluster.boot();
  await world.run(2000, () => node.open);
  const acknowledged: string[] = [];
  let count = 0, crashed = false;
  node.kv.onCommit = (when) => {
    if (when !== moment || ++count !== n || node.process.dead) return;
    crashed = true;
    cluster.crash(node, 10);
  };
  node.engine.start(T, request(input)).then(({ run }) => acknowledged.push(run.id), () => {});
  const ended = () => runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined);
  await world.run(3000, () => false);
  await world.run(20_000, ended);
  checkInvariants(cluster.db, acknowledged, cluster.calls);
  for (const run of runsOf(cluster.db).filter(({ parent }) => !parent)) {
    const last = journalOf(cluster.db, run.id).at(-1);
    assert(last?.type === "run.completed" && isDeepStrictEqual(last.output, output));
  }
  await cluster.sweep();
  checkBlobs(cluster.db);
  return crashed;
}

for (const moment of ["before", "after"] as const) {
  Deno.test(`a crash ${moment} any commit loses nothing and repeats no completed step`, async () => {
    let n = 1;
    while (await crashAt(moment, n)) n++;
    assert(n > 7, `only ${n} commits were tried`);
  });
}

for (const moment of ["before", "after"] as const) {
  Deno.test(`a crash ${moment} any commit of values of 1 MB loses nothing and leaves nothing`, async () => {
    const output = `${LARGE.slice(2)}yy`;
    let n = 1;
    while (await crashAt(moment, n, { fn: large, input: { text: LARGE }, output })) n++;
    assert(n > 20, `only ${n} commits were tried`);
  });
}

Deno.test("a run that kills its process each time is set aside; others go on", async () => {
  const world = new SimWorld(1);
  const cluster: Cluster = new Cluster(world, (process) => async (ctx, input) => {
    await ctx.step("a", () => 1);
    return await ctx.step("b", ({ signal }) => {
      if (input !== "poison") {
        return new Promise<number>((resolve) => world.at(400, process, () => resolve(2)));
      }
      const node = cluster.nodes.find((one) => one.process === process);
      if (node) cluster.crash(node, 10);
      return hang(signal);
    });
  });
  const first = cluster.boot();
  await world.run(2000, () => first.open);
  for (const input of ["good", "poison", "good"]) {
    first.engine.start(T, request(input)).catch(() => {});
  }
  await world.run(1000, () => runsOf(cluster.db).length === 3);
  await world.run(
    120_000,
    () => runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined),
  );
  const statuses = runsOf(cluster.db).map((run) => run.error?.code ?? run.status);
  assert.deepEqual(statuses, ["completed", "run_poisoned", "completed"]);
  checkInvariants(cluster.db, [], cluster.calls);
});

Deno.test("a process that was stopped past its lease commits nothing when it wakes up", async () => {
  for (let round = 0; round < 200; round++) {
    const world = new SimWorld(round);
    const cluster = new Cluster(world, (process) => async (ctx) => {
      for (let i = 0; i < 4; i++) {
        await ctx.step(
          `s${i}`,
          () =>
            new Promise<number>((resolve) =>
              world.at(world.int(1, 200), process, () => resolve(i))
            ),
        );
      }
      return 1;
    });
    const zombie = cluster.boot();
    cluster.boot();
    await world.run(2000, () => cluster.nodes.every((node) => node.open));
    const { run } = await settle(world, zombie.engine.start(T, request()));
    world.at(world.int(0, 600), undefined, () => cluster.freeze(zombie, LEASE_MS * 3));
    await world.run(LEASE_MS * 6, () => false);
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});

Deno.test("a run whose step may run at most once fails when it was interrupted there", async () => {
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.step("once", ({ signal }) => hang(signal), { effect: "at_most_once" })
  );
  const { run } = await settle(world, node().engine.start(T, request()));
  await world.run(100, () => cluster.calls.length === 1);
  cluster.crash(node(), 10);
  await world.run(5000, () => runsOf(cluster.db)[0]!.last_seq !== undefined);
  assert.equal(runsOf(cluster.db)[0]!.error?.code, "effect_unknown");
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("while the store refuses to write nothing is acknowledged; it goes on once it can", async () => {
  const { world, node, cluster } = await oneNode(program);
  const { run } = await settle(world, node().engine.start(T, request()));
  cluster.faults = { ...cluster.faults, before: 1 };
  await assert.rejects(settle(world, node().engine.start(T, request())), {
    code: "store_unavailable",
  });
  assert.equal(node().engine.stats().store_ok, false);
  cluster.faults = { ...cluster.faults, before: 0 };
  await world.run(20_000, () => runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined));
  assert.equal(node().engine.stats().store_ok, true);
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("a drain at any moment neither loses a run nor revives one that has ended", async () => {
  for (let after_ms = 0; after_ms < 60; after_ms++) {
    const { world, node, cluster } = await oneNode(program);
    cluster.faults = { ...cluster.faults, latency_ms: 8 };
    const first = node();
    const { run } = await settle(world, first.engine.start(T, request()));
    await world.run(after_ms, () => false);
    await settle(world, first.engine.drain(0));
    cluster.crash(first, 10);
    await world.run(1000, () => false);
    await world.run(20_000, () => runsOf(cluster.db)[0]!.last_seq !== undefined);
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});
