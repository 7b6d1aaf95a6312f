/**
 * Random schedules with random faults on three workers. A failing seed is printed; run it alone with
 * `SIM_SEED=<seed> deno test -P tests/pipeline/kernel/simulation_test.ts`.
 */
import { OrchestratorError } from "../../../errors.ts";
import type { RunFunction } from "../../../pipeline/kernel/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { checkInvariants, runsOf } from "../../_sim/invariants.ts";
import { type SimProcess, SimWorld } from "../../_sim/world.ts";

const SEEDS = Number(Deno.env.get("SIM_SEEDS") ?? 10_000);
const FIRST = Number(Deno.env.get("SIM_SEED") ?? 1);
const COUNT = Deno.env.get("SIM_SEED") ? 1 : SEEDS;

/** Steps of every kind: quick, slow and failing, pure, parallel, at most once. */
const programOf = (world: SimWorld) => (process: SimProcess): RunFunction => {
  return async (ctx) => {
    const retry = { max_attempts: 4, interval_ms: 100 };
    await ctx.step("a", () => 1, { retry });
    await ctx.step("b", ({ signal }) => {
      if (world.chance(0.3)) {
        throw new OrchestratorError("model_unavailable", "simulated", { kind: "retryable" });
      }
      return new Promise<number>((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        world.at(world.int(0, 800), process, () => resolve(2));
      });
    }, { retry, timeout_ms: 700 });
    const [c, d] = await Promise.all([
      ctx.step("c", () => 3, { effect: "none" }),
      ctx.step("d", () => 4),
    ]);
    if (world.chance(0.3)) await ctx.step("once", () => 5, { effect: "at_most_once" });
    return c + d;
  };
};

async function simulate(seed: number): Promise<void> {
  const world = new SimWorld(seed);
  const cluster = new Cluster(world, programOf(world));
  const acknowledged: string[] = [];
  let asked = 0, answered = 0;
  for (let i = 0; i < 3; i++) cluster.boot();
  cluster.faults = {
    before: world.chance(0.5) ? 0.05 : 0,
    after: world.chance(0.5) ? 0.05 : 0,
    lied: world.chance(0.5) ? 0.03 : 0,
    read: world.chance(0.3) ? 0.03 : 0,
    latency_ms: world.chance(0.3) ? 60 : 5,
  };
  const some = () => cluster.nodes[world.int(0, cluster.nodes.length)];
  const request = (n: number) => {
    const node = some();
    if (!node?.open) return;
    asked++;
    const idempotency = n % 2 ? { key: `key${n % 3}`, fingerprint: "f" } : undefined;
    node.engine.start({ tenant: "t", pipeline: "p", version: "v", input: n, idempotency }).then(
      ({ run }) => {
        acknowledged.push(run.id);
        answered++;
        if (!world.chance(0.15)) return;
        world.at(world.int(0, 600), undefined, () => {
          some()?.engine.cancel("t", run.id).catch(() => {});
        });
      },
      () => answered++,
    );
  };
  for (let n = 0; n < 6; n++) world.at(world.int(20, 1500), undefined, () => request(n));
  for (let n = world.int(0, 3); n > 0; n--) {
    world.at(world.int(50, 2500), undefined, () => {
      const node = some();
      if (node) cluster.crash(node, world.int(10, 800));
    });
  }
  if (world.chance(0.3)) {
    world.at(world.int(50, 2000), undefined, () => {
      const node = some();
      if (!node?.open) return;
      const replace = () => void (node.process.dead || cluster.crash(node, 50));
      node.engine.drain(world.int(0, 300)).then(replace, replace);
    });
  }
  if (world.chance(0.4)) {
    world.at(world.int(50, 1500), undefined, () => {
      const node = some();
      if (node) cluster.freeze(node, world.int(500, 4000));
    });
  }
  await world.run(3000, () => false);
  cluster.faults = { ...cluster.faults, before: 0, after: 0, lied: 0, read: 0 };
  const quiet = () =>
    asked > 0 && runsOf(cluster.db).every((run) => run.last_seq !== undefined) &&
    cluster.db.list({ prefix: ["inbox"] }).length === 0;
  await world.run(30_000, quiet);
  checkInvariants(cluster.db, acknowledged, cluster.calls);
  const keys = runsOf(cluster.db).length;
  if (keys > asked) throw new Error(`more runs (${keys}) than requests (${asked})`);
  void answered;
}

Deno.test(`${COUNT} simulated schedules with faults keep every invariant`, async () => {
  for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
    await simulate(seed).catch((error) => {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
    });
  }
});
