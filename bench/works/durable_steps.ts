/** W1: what a durable step costs. @module */
import { join } from "node:path";
import { expectPart, poolFigures, post, runPool } from "../driver.ts";
import { type Bench, type Case, type Piece, type Rep, repeat, scaled } from "../piece.ts";
import { denoCommand, type Running } from "../processes.ts";
import { runSteps, startService } from "../service.ts";

const STEPS = 5;
const RUNS = 500;
const WARM_UP = { runs: 40, callers: 4 };
const CONCURRENCIES = [1, 32, 128];

type Run = (id: string) => Promise<void>;

interface Systems {
  service: Run;
  sqlite: Run;
  memory: Run;
}

/** Five durable steps in the service, on SQLite and in memory. */
export const durableSteps: Piece = {
  id: "w1",
  title: "Five durable steps that do nothing, a request each",
  notes: () => [
    "sqlite: Hono and one SQLite commit (WAL, synchronous=FULL) a step, measured right before.",
    "memory: Hono without durability. ratio: runs_per_sec by sqlite_runs_per_sec.",
  ],
  async measure(bench) {
    const service = await startService(bench);
    const floors = [await startFloor(bench, "sqlite"), await startFloor(bench, "memory")] as const;
    const systems: Systems = {
      service: (id) => runSteps(service, id),
      sqlite: runFloor(floors[0]),
      memory: runFloor(floors[1]),
    };
    for (const run of Object.values(systems)) await pool(run, WARM_UP.runs, WARM_UP.callers);
    const cases: Case[] = [];
    for (const callers of CONCURRENCIES) {
      cases.push(await repeat(bench, `c${callers}`, () => compare(bench, systems, callers)));
    }
    await Promise.all([service, ...floors].map((running) => running.kill()));
    return cases;
  },
};

function startFloor({ processes, folder }: Bench, kind: "sqlite" | "memory"): Promise<Running> {
  const database = kind === "sqlite" ? [join(folder, "floor.sqlite")] : [];
  const command = denoCommand("bench/floor.ts", (port) => [String(port), ...database]);
  return processes.start({ ...command, health: "/health" });
}

function runFloor({ url }: Running): Run {
  return async (run) => expectPart(await post(`${url}/runs`, { run }), `"step":${STEPS}`);
}

function pool(run: Run, runs: number, callers: number) {
  return runPool(runs, callers, () => run(crypto.randomUUID()));
}

/** All three in the same minute: on a shared machine only their ratio means something. */
async function compare(bench: Bench, systems: Systems, callers: number): Promise<Rep> {
  const runs = scaled(bench, RUNS, callers);
  const sqlite = await pool(systems.sqlite, runs, callers);
  const memory = await pool(systems.memory, runs, callers);
  const service = await pool(systems.service, runs, callers);
  return {
    figures: {
      ...poolFigures(service, "runs_per_sec"),
      steps_per_sec: service.per_sec * STEPS,
      sqlite_runs_per_sec: sqlite.per_sec,
      memory_runs_per_sec: memory.per_sec,
      ratio: service.per_sec / sqlite.per_sec,
    },
    problems: [sqlite, memory, service].flatMap(({ problems }) => problems),
  };
}
