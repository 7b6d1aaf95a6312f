/** One random schedule with random faults on three workers; as a program, many of them. */
import { OrchestratorError } from "../../../errors.ts";
import type { Engine, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { allEnded, checkBlobs, checkInvariants, runsOf } from "../../_sim/invariants.ts";
import { type SimProcess, SimWorld } from "../../_sim/world.ts";
import { T } from "./_harness.ts";

/** What one commit of the database does not take. */
const LARGE = "x".repeat(1_000_000);

/**
 * Steps of every kind: quick, slow and failing, pure, parallel, at most once. By its input a run
 * also waits for a signal or a time, has a run within it, branches, or has a large result.
 */
const programOf = (world: SimWorld) => (process: SimProcess): RunFunction => {
  return async (ctx, input) => {
    const retry = { max_attempts: 4, interval_ms: 100 };
    await ctx.step("a", () => 1, { retry });
    const { n, text } = input as { n: number; text?: string };
    const way = ctx.run.parent ? 0 : n % 4;
    if (text) await ctx.step("large", () => text, { retry });
    if (way === 1) await ctx.wait("gate", { signal: "go", timeout_ms: 2500 });
    if (way === 2) await ctx.child("sub", { pipeline: "p", version: "v", input: { n: 0 } });
    if (way === 3) {
      await ctx.group("fan", async (inner) => {
        await inner.all<unknown>([
          (branch) => branch.wait("fan[0]", { signal: "go", timeout_ms: 1800 }),
          (branch) => branch.step("fan[1]", () => 1, { retry }),
        ]);
        return null;
      });
    }
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
  const isLarge = world.chance(0.03);
  for (let i = 0; i < 3; i++) cluster.boot();
  cluster.faults = {
    before: world.chance(0.5) ? 0.05 : 0,
    after: world.chance(0.5) ? 0.05 : 0,
    lied: world.chance(0.5) ? 0.03 : 0,
    read: world.chance(0.3) ? 0.03 : 0,
    latency_ms: world.chance(0.3) ? 60 : 5,
  };
  const some = () => cluster.nodes[world.int(0, cluster.nodes.length)];
  const meddle = (id: string) => {
    const at = (ms: number, act: (engine: Engine) => Promise<void>) =>
      world.at(world.int(0, ms), undefined, () => {
        const node = some();
        if (node?.open) act(node.engine).catch(() => {});
      });
    if (world.chance(0.5)) at(2500, (engine) => engine.signal(T, id, "go", 1));
    if (!world.chance(0.15)) return;
    at(1500, (engine) => engine.pause(T, id));
    paused.push(id);
  };
  const paused: string[] = [];
  const request = (n: number) => {
    const node = some();
    if (!node?.open) return;
    asked++;
    const concurrency = n % 3 ? undefined : { key: "k", limit: 1, on_busy: "enqueue" as const };
    const idempotency = n % 2 ? { key: `key${n % 3}`, fingerprint: "f" } : undefined;
    const request = {
      pipeline: "p",
      version: "v",
      input: { n, ...(isLarge ? { text: LARGE } : {}) },
      idempotency,
      concurrency,
    };
    node.engine.start(T, request).then(
      ({ run }) => {
        acknowledged.push(run.id);
        answered++;
        meddle(run.id);
        if (!world.chance(0.15)) return;
        world.at(world.int(0, 600), undefined, () => {
          some()?.engine.cancel(T, run.id).catch(() => {});
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
  const resume = () => {
    for (const id of paused) some()?.engine.resume(T, id).catch(() => {});
    world.at(3000, undefined, resume);
  };
  resume();
  let looked = -1;
  const quiet = () => {
    if (looked === cluster.db.version) return false;
    looked = cluster.db.version;
    return asked > 0 && cluster.db.list({ prefix: ["inbox"] }).length === 0 &&
      allEnded(cluster.db);
  };
  await world.run(60_000, quiet);
  checkInvariants(cluster.db, acknowledged, cluster.calls);
  if (isLarge) {
    await cluster.sweep();
    checkBlobs(cluster.db);
  }
  for (const prefix of ["timer", "slot", "turn"]) {
    const left = cluster.db.list({ prefix: [prefix] }).length;
    if (left > 0) throw new Error(`I7: ${left} ${prefix} left`);
  }
  const keys = runsOf(cluster.db).filter(({ parent }) => !parent).length;
  if (keys > asked) throw new Error(`more runs (${keys}) than requests (${asked})`);
  void answered;
}

/** Simulates `count` schedules. @throws Error that names the seed of the first that fails */
export async function simulateMany(first: number, count: number): Promise<void> {
  for (let seed = first; seed < first + count; seed++) {
    await simulate(seed).catch((error) => {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
    });
  }
}

if (import.meta.main) {
  const [first, count] = Deno.args.map(Number);
  await simulateMany(first!, count!);
}
