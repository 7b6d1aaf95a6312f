/**
 * Where the time of five durable steps goes: the main thread by layer, the other threads, and what a
 * commit costs on this disk.
 *
 *     deno run -A bench/profile.ts [CALLERS,…]
 *
 * Default: 1, 32 and 128 callers. A sample is taken every 0.2 ms, which slows the service by about a
 * tenth: compare the shares, and take rates from `deno task bench`.
 *
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeConnections, percentile, runPool } from "./driver.ts";
import { type Inspector, openInspector, type Profile } from "./inspector.ts";
import { LAYERS, timeByLayer } from "./layers.ts";
import type { Bench } from "./piece.ts";
import { createProcesses, denoCommand, freePort, type Running } from "./processes.ts";
import { createHome, runSteps, serviceCommand } from "./service.ts";

const WARM_UP = { runs: 2_000, callers: 32 };
const RUNS = 3_000;
const SAMPLE_US = 200;
const COMMITS = 300;
/** Bytes of what a step of the benchmark commits. */
const VALUE_BYTES = 500;

const encoder = new TextEncoder();
const print = (line: string) => void Deno.stdout.writeSync(encoder.encode(`${line}\n`));
const row = (label: string, cells: (string | number)[]) =>
  print(
    `  ${label.padEnd(34)}${
      cells.map((cell) => (typeof cell === "string" ? cell : cell.toFixed(1)).padStart(9)).join("")
    }`,
  );

/** What one run took, in microseconds, by layer and by thread. */
interface Figures {
  layers: Map<string, number>;
  threads: Map<string, number>;
  per_sec: number;
}

async function profile(service: Running, inspector: Inspector, callers: number): Promise<Figures> {
  const runs = callers === 1 ? RUNS / 5 : RUNS;
  const before = threadTimes(service.pid);
  await inspector.send("Profiler.start");
  const { done, per_sec } = await runPool(
    runs,
    callers,
    () => runSteps(service, crypto.randomUUID()),
  );
  const { profile } = await inspector.send<{ profile: Profile }>("Profiler.stop");
  const perRun = (times: Map<string, number>) =>
    new Map([...times].map(([name, time]) => [name, time / done]));
  const threads = new Map(
    [...threadTimes(service.pid)].map(([name, time]) => [name, time - (before.get(name) ?? 0)]),
  );
  return { layers: perRun(timeByLayer(profile)), threads: perRun(threads), per_sec };
}

/** Processor time of each kind of thread, in microseconds; nothing where there is no `/proc`. */
function threadTimes(pid: number): Map<string, number> {
  const times = new Map<string, number>();
  if (Deno.build.os !== "linux") return times;
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${id}`;
    const name = id === String(pid) ? "main" : nameOf(readFileSync(`${folder}/comm`, "utf8"));
    const [nanoseconds] = readFileSync(`${folder}/schedstat`, "utf8").split(" ");
    times.set(name, (times.get(name) ?? 0) + Number(nanoseconds) / 1000);
  }
  return times;
}

function nameOf(thread: string): string {
  return thread.startsWith("V8") ? "collector and compiler" : "SQLite and sockets";
}

/** Median time of a commit with so many new keys, in microseconds: nearly all of it is the disk's. */
async function commitTime(path: string, keys: number): Promise<number> {
  using kv = await Deno.openKv(path);
  const value = new Uint8Array(VALUE_BYTES);
  const times: number[] = [];
  for (let n = 0; n < COMMITS; n++) {
    const atomic = kv.atomic();
    for (let key = 0; key < keys; key++) atomic.set([keys, crypto.randomUUID()], value);
    const began = performance.now();
    await atomic.commit();
    times.push(performance.now() - began);
  }
  return percentile(times, 0.5)! * 1000;
}

function report(columns: number[], figures: Figures[]): void {
  const cells = (of: "layers" | "threads", name: string) =>
    figures.map((figure) => figure[of].get(name) ?? 0);
  print("\nMain thread, µs a run");
  row("callers", columns.map(String));
  for (const layer of LAYERS) row(layer, cells("layers", layer));
  const busy = (figure: Figures) =>
    LAYERS.reduce((sum, layer) => sum + (figure.layers.get(layer) ?? 0), 0);
  row("busy", figures.map(busy));
  row("idle", cells("layers", "idle"));
  print("\nProcessor time of threads, µs a run");
  for (const thread of figures[0]!.threads.keys()) row(thread, cells("threads", thread));
  row("runs per second, while sampled", figures.map(({ per_sec }) => per_sec));
}

const columns = (Deno.args[0] ?? "1,32,128").split(",").map(Number);
const folder = mkdtempSync(join(tmpdir(), "orchestrator-bench-"));
const processes = createProcesses();
try {
  const bench: Bench = { processes, folder, mock: "http://127.0.0.1:9", reps: 1, scale: 1 };
  const port = freePort();
  const command = denoCommand("bench/server.ts", () => ["serve"], [`--inspect=127.0.0.1:${port}`]);
  const service = await processes.start(serviceCommand(bench, createHome(bench), command));
  const inspector = await openInspector(port);
  await inspector.send("Profiler.enable");
  await inspector.send("Profiler.setSamplingInterval", { interval: SAMPLE_US });
  await runPool(
    WARM_UP.runs,
    WARM_UP.callers,
    () => runSteps(service, crypto.randomUUID()),
  );
  const figures: Figures[] = [];
  for (const callers of columns) figures.push(await profile(service, inspector, callers));
  inspector.close();
  await service.kill();
  report(columns, figures);
  print("\nA commit on this disk, µs");
  for (const keys of [1, 10, 64]) {
    row(`${keys} keys of ${VALUE_BYTES} bytes`, [await commitTime(join(folder, "floor.kv"), keys)]);
  }
} finally {
  await processes.killAll();
  closeConnections();
  rmSync(folder, { recursive: true, force: true });
}
Deno.exit(0);
