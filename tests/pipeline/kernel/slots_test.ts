/** Places among runs with one concurrency key, on a slow store. */
import assert from "node:assert/strict";
import { checkInvariants } from "../../_sim/invariants.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { SimWorld } from "../../_sim/world.ts";
import { request } from "./_harness.ts";

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
      cluster.nodes[0]!.engine.start(request(n, { concurrency }))
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
