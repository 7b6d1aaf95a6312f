import assert from "node:assert/strict";
import type { Json, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { keys, setJson } from "../../../store/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { allEnded, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

const nap: RunFunction = (ctx, input) =>
  ctx.wait("nap", { timeout_ms: input as number }) as Promise<Json>;

Deno.test("a crowd of timers that wake no run does not hold up the ones behind it", async () => {
  const { world, node, cluster } = await oneNode(nap);
  // As many as one round takes, of runs that are not there.
  const mutations = Array.from(
    { length: 200 },
    (_, n) => setJson(keys.timer(world.now + n, "t", `run_gone_${n}`), {}),
  );
  cluster.db.apply({ checks: [], mutations });
  const { run, result } = await settle(world, node().engine.start(T, request(5_000)));
  assert.equal((await settle(world, result)).status, "completed");
  const late = world.now - Date.parse(run.created_at) - 5_000;
  assert(late < 100, `${late} virtual ms late`);
});

Deno.test("a crowd of runs that are due at the same time is woken no faster than it is driven", async () => {
  const world = new SimWorld(1);
  let inMemory = 0, most = 0;
  const cluster = new Cluster(world, () => async (ctx) => {
    await ctx.wait("nap", { until: began + 10_000 });
    most = Math.max(most, ++inMemory);
    await ctx.step(
      "work",
      () => new Promise<number>((done) => world.at(30, undefined, () => done(1))),
    );
    inMemory--;
    return null;
  }, { concurrency: 4 });
  const began = world.now;
  const node = cluster.boot();
  await world.run(2_000, () => node.open);
  const waiting = new Set<string>();
  for (let n = 0; n < 300; n++) {
    const started = node.engine.start(T, request(n)).catch(() => undefined);
    waiting.add((await settle(world, started))!.run.id);
  }
  await world.run(9_000, () => cluster.db.list({ prefix: ["waiting"] }).length === 300);
  let queued = 0;
  const ended = () => {
    queued = Math.max(queued, node.engine.stats().queued);
    return allEnded(cluster.db);
  };
  assert(await world.run(60_000, ended), "every run ends");
  assert.equal(most, 4);
  assert(queued <= 6, `${queued} runs were in memory without being driven`);
  checkInvariants(cluster.db, [...waiting], cluster.calls);
});

Deno.test("a signal and the time of a wait that come together end it once, by either", async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const world = new SimWorld(seed);
    const cluster = new Cluster(world, () => async (ctx) => {
      const first = await ctx.wait("one", { signal: "go", timeout_ms: 5_000 });
      const second = await ctx.wait("two", { signal: "go", timeout_ms: 2_000 });
      return [first, second] as Json;
    });
    const node = cluster.boot();
    await world.run(2_000, () => node.open);
    cluster.faults = { ...cluster.faults, latency_ms: 6 };
    const { run, result } = await settle(world, node.engine.start(T, request()));
    const due = Date.parse(run.created_at) + 5_000 - world.now;
    world.at(
      due + world.int(-15, 15),
      undefined,
      () => void node.engine.signal(T, run.id, "go", 1),
    );
    const end = await settle(world, result);
    assert(end.status === "completed");
    const taken = (end.output as Record<string, unknown>[]).map((one) => Object.keys(one)[0]);
    outcomes.add(taken.join());
    const received = journalOf(cluster.db, run.id).filter(({ type }) => type === "signal.received");
    assert.equal(received.length, 1);
    assert.notEqual(taken.join(), "signal,signal");
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
  assert(outcomes.size === 2, [...outcomes].join(" or "));
});

Deno.test("a run is woken for what arrives in the moment in which it leaves memory", async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const world = new SimWorld(seed);
    const cluster = new Cluster(world, (process) => async (ctx) => {
      const pause = () =>
        new Promise<number>((done) => world.at(world.int(0, 30), process, () => done(1)));
      await ctx.step("a", pause, { effect: "none" });
      return await ctx.wait("gate", { signal: "go" }) as Json;
    });
    const node = cluster.boot();
    await world.run(2_000, () => node.open);
    cluster.faults = { ...cluster.faults, latency_ms: 10 };
    const { run, result } = await settle(world, node.engine.start(T, request()));
    let sent = world.now;
    world.at(world.int(0, 40), undefined, () => {
      sent = world.now;
      void node.engine.signal(T, run.id, "go", 1);
    });
    assert.equal((await settle(world, result)).status, "completed");
    // Less than a sweep: nothing had to look for it.
    assert(world.now - sent < 200, `seed ${seed}: after ${world.now - sent} virtual ms`);
  }
});

for (const crash of [false, true]) {
  const after = crash ? ", also after a restart" : "";
  Deno.test(`a time is kept to the moment, not to the next sweep${after}`, async () => {
    for (const ms of [10_000, 10_111, 10_222]) {
      const { world, node, cluster } = await oneNode(nap);
      const { run } = await settle(world, node().engine.start(T, request(ms)));
      await world.run(2_000, () => runsOf(cluster.db)[0]!.status === "waiting");
      if (crash) cluster.crash(node(), 100);
      await world.run(20_000, () => allEnded(cluster.db));
      const late = world.now - Date.parse(run.created_at) - ms;
      assert(late >= 0 && late < 20, `${late} virtual ms late`);
    }
  });
}
