/** A machine whose wall clock jumps by an hour, back and forth, while timers go on. */
import assert from "node:assert/strict";
import { decodeTime } from "ulid";
import { type Json, realWorld, type World } from "../../../pipeline/kernel/mod.ts";
import { secureRandom } from "../../../pipeline/kernel/clock.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { type SimProcess, SimWorld } from "../../_sim/world.ts";
import { request, settle, T } from "./_harness.ts";

const HOUR = 3_600_000;
const JUMPS = 100;

/** Sleeps last as long as ever; what the clock says is off by `offset`. */
class JumpingWorld extends SimWorld {
  offset = 0;

  override of(process: SimProcess): World {
    const world = super.of(process);
    return { ...world, clock: { ...world.clock, now: () => this.now + this.offset } };
  }
}

Deno.test("a clock that jumps by hours fires each timer once and loses no worker", async () => {
  const world = new JumpingWorld(7);
  /** How often each wait was over. */
  const over: Record<string, number> = {};
  const cluster = new Cluster(world, () => async (ctx, input) => {
    const { ms } = input as { ms: number };
    await ctx.step("before", () => 1);
    const outcome = await ctx.wait("nap", { timeout_ms: ms });
    await ctx.step("after", () => over[ctx.run.id] = (over[ctx.run.id] ?? 0) + 1);
    return outcome as Json;
  });
  cluster.boot();
  await world.run(5_000, () => cluster.nodes[0]?.open ?? false);
  const [node] = cluster.nodes;
  const runs: string[] = [];
  for (let jump = 0; jump < JUMPS; jump++) {
    // Within a second in memory, above it on disk; some are due during the jumps to come.
    const ms = [200, 900, 5_000, 60_000, HOUR / 2, 2 * HOUR][jump % 6]!;
    runs.push((await settle(world, node!.engine.start(T, request({ ms })))).run.id);
    await world.run(world.int(0, 3_000), () => false);
    world.offset += world.chance(0.5) ? HOUR : -HOUR;
    await world.run(world.int(0, 3_000), () => false);
    assert.equal(node!.engine.stats().store_ok, true, `after jump ${jump}`);
  }
  const ended = () => runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined);
  await world.run(2 * 60_000, () => false); // the alarm has nothing near any more
  world.offset += JUMPS * HOUR;
  assert(await world.run(HOUR / 30, ended), "every run ends");
  assert.deepEqual(cluster.nodes, [node], "the worker was never replaced");
  assert.equal(node!.process.name, "w1");
  for (const run of runs) {
    assert.equal(over[run], 1, run);
    const events = journalOf(cluster.db, run);
    const crashes = events.filter((event) =>
      event.type === "run.resumed" && event.reason === "crashed"
    );
    assert.deepEqual(crashes, []);
  }
  assert.equal(cluster.db.list({ prefix: ["timer"] }).length, 0);
  checkInvariants(cluster.db, runs, cluster.calls);
});

Deno.test("ids are ULIDs in the order in which they were made, each process with its own", () => {
  const worlds = [realWorld(), realWorld()];
  for (const { newId } of worlds) {
    const ids = Array.from({ length: 2_000 }, newId);
    for (const id of ids) assert.match(id, /^[0-7][0-9a-hjkmnp-tv-z]{25}$/);
    assert.deepEqual(ids, ids.toSorted());
    assert.equal(new Set(ids).size, ids.length);
  }
  const chance = worlds.map(({ newId }) => newId().slice(10));
  assert.notEqual(chance[0], chance[1]);
});

Deno.test("ids sort after those of a time that the clock has not reached again", () => {
  const latest = Date.now() + HOUR;
  const before = realWorld(latest);
  const ids = Array.from({ length: 100 }, before.newId);
  const after = realWorld(latest + 1);
  ids.push(...Array.from({ length: 100 }, after.newId));
  assert.deepEqual(ids, ids.toSorted());
  assert.equal(decodeTime(ids[0]!), latest);
});

Deno.test("secureRandom() gives all bytes about as often, and no draw twice", () => {
  const random = secureRandom();
  const drawn = Array.from({ length: 64 * 1024 }, random);
  const counts = new Map<number, number>();
  for (const value of drawn) counts.set(value, (counts.get(value) ?? 0) + 1);
  assert.equal(counts.size, 256);
  // 256 of each are expected, give or take 16.
  for (const [value, count] of counts) {
    assert(value >= 0 && value < 1 && Number.isInteger(value * 256));
    assert(count > 100 && count < 412, `${count} times ${value}`);
  }
  const draws = Array.from({ length: 64 }, (_, n) => drawn.slice(n * 1024, (n + 1) * 1024).join());
  assert.equal(new Set(draws).size, draws.length);
});
