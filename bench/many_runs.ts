/**
 * What a store full of ended runs costs: lists, single reads, and removing them while others work.
 *
 *     deno run -A bench/many_runs.ts [RUNS]
 *
 * In one process, without HTTP: the figures are those of engine and store. Ctrl-C leaves a folder
 * in the system's folder for temporary files.
 *
 * @module
 */
import { localCaller } from "../guard/mod.ts";
import {
  createEngine,
  createRetention,
  type Engine,
  realWorld,
  type RunContext,
} from "../pipeline/kernel/mod.ts";
import { openStore } from "../store/mod.ts";
import { percentile } from "./driver.ts";

const RUNS = Number(Deno.args[0] ?? 100_000);
const CALLS = 500;
/** Every so many runs fails. */
const FAILS = 20;
const CALLERS = 200;
const REMOVED = 20_000;
const DAY = 86_400_000;
const CALLER = localCaller();
const SILENT = { info() {}, warn() {}, error() {} };
const encoder = new TextEncoder();
const print = (line: string) => void Deno.stdout.writeSync(encoder.encode(`${line}\n`));

const program = async (ctx: RunContext) => {
  await ctx.step("step", () => "x".repeat(500));
  if (ctx.run.pipeline === "fails") throw new Error("on purpose");
  return "done";
};

async function fill(engine: Engine): Promise<void> {
  let started = 0;
  const caller = async () => {
    while (started < RUNS) {
      const pipeline = ++started % FAILS === 0 ? "fails" : "works";
      const request = { pipeline, version: "v", input: "y".repeat(200) };
      await (await engine.start(CALLER, request)).result;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

async function measure(label: string, call: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let n = 0; n < CALLS; n++) {
    const began = performance.now();
    await call();
    times.push(performance.now() - began);
  }
  const ms = (p: number) => percentile(times, p)!.toFixed(2).padStart(7);
  print(`  ${label.padEnd(34)} p50 ${ms(0.5)} ms   p99 ${ms(0.99)} ms`);
}

/** How late a timer of a millisecond fires while `work` runs, in milliseconds. */
async function lagDuring(work: () => Promise<void>): Promise<number[]> {
  const lags: number[] = [];
  let over = false;
  const sampler = (async () => {
    while (!over) {
      const began = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 1));
      lags.push(performance.now() - began - 1);
    }
  })();
  await work();
  over = true;
  await sampler;
  return lags;
}

function printLag(label: string, lags: number[]): void {
  const figures = [0.5, 0.99, 1].map((p) => percentile(lags, p)!.toFixed(1));
  print(`  ${label.padEnd(34)} p50 ${figures[0]} ms   p99 ${figures[1]} ms   max ${figures[2]} ms`);
}

function size(folder: string): string {
  const bytes = [...Deno.readDirSync(folder)]
    .reduce((sum, { name }) => sum + Deno.statSync(`${folder}/${name}`).size, 0);
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

const folder = await Deno.makeTempDir({ prefix: "orchestrator-bench-" });
const world = realWorld();
const { clock } = world;
const lease_ms = 15_000;
const { store, close } = await openStore(folder, {
  worker: world.newId(),
  now: clock.now,
  sleep: (ms) => clock.sleep(ms),
  lease_ms,
});
const engine = createEngine({
  store,
  world,
  log: SILENT,
  concurrency: CALLERS,
  queue_limit: CALLERS,
  idempotency_ttl_ms: DAY,
  lease_ms,
  sweep_ms: 2000,
});
await engine.open(() => program);
const began = performance.now();
await fill(engine);
const seconds = (performance.now() - began) / 1000;
print(
  `${RUNS} ended runs, one in ${FAILS} failed: made in ${seconds.toFixed(0)} s, ${size(folder)}`,
);

const { next_cursor: cursor } = await engine.list(CALLER, { limit: 200 });
const { runs: [some] } = await engine.list(CALLER, { limit: 1, cursor });
const { id } = some!;
await measure("list, 50", () => engine.list(CALLER));
await measure("list, 200", () => engine.list(CALLER, { limit: 200 }));
await measure("list, 50 from a cursor", () => engine.list(CALLER, { cursor }));
await measure("list, 50 failed", () => engine.list(CALLER, { status: "failed" }));
await measure("list, 50 running", () => engine.list(CALLER, { status: "running" }));
await measure("get", () => engine.get(CALLER, id));
await measure("journal", () => engine.journal(CALLER, id));

const idle = await lagDuring(() => clock.sleep(2000));
const later = { ...clock, now: () => clock.now() + 40 * DAY };
const retention = createRetention({ store, clock: later, log: SILENT, keep_ms: 30 * DAY });
const wanted = Math.min(REMOVED, RUNS);
let removed = 0, busy_ms = 0;
const lags = await lagDuring(async () => {
  while (removed < wanted) {
    const from = performance.now();
    removed += (await retention.sweep()).runs;
    busy_ms += performance.now() - from;
    await clock.sleep(10);
  }
});
print(`${removed} runs removed in ${(busy_ms / 1000).toFixed(1)} s of rounds`);
printLag("a timer is late when idle", idle);
printLag("and while runs are removed", lags);
await engine.drain(1000);
await close();
await Deno.remove(folder, { recursive: true });
