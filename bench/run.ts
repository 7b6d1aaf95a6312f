/**
 * Measures the service: six pieces of work, one after the other, on loopback.
 *
 *     deno task bench [w1,w2,…]
 *
 * `README.md` says what they are, and what `REPS` and `SCALE` in the environment change.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../version.ts";
import { closeConnections } from "./driver.ts";
import type { Bench, Piece } from "./piece.ts";
import { createProcesses, denoCommand, PROJECT } from "./processes.ts";
import {
  type Conditions,
  formatConditions,
  formatNotMeasured,
  formatPiece,
  type PieceResult,
  summarise,
} from "./report.ts";
import { agents } from "./works/agents.ts";
import { chatTurns } from "./works/chat_turns.ts";
import { crash } from "./works/crash.ts";
import { durableSteps } from "./works/durable_steps.ts";
import { start } from "./works/start.ts";
import { streams } from "./works/streams.ts";

const PIECES: Piece[] = [durableSteps, agents, chatTurns, streams, start, crash];
const RESULTS = join(PROJECT, "bench/results");
const INTERRUPTED = 130;

const encoder = new TextEncoder();
const write = (text: string) => void Deno.stdout.writeSync(encoder.encode(text));

function choosePieces(list: string | undefined): Piece[] {
  const ids = list?.toLowerCase().split(",");
  const unknown = ids?.find((id) => !PIECES.some((piece) => piece.id === id));
  if (unknown !== undefined) {
    const known = PIECES.map(({ id }) => id).join(", ");
    throw new Error(`Cannot measure ${unknown}: there is no such piece. Choose from ${known}.`);
  }
  return PIECES.filter(({ id }) => !ids || ids.includes(id));
}

function readNumber(name: string, fallback: number): number {
  const value = Number(Deno.env.get(name) ?? fallback);
  if (value > 0) return value;
  throw new Error(`Cannot measure: ${name} is not a number above 0.`);
}

function readConditions(): Conditions {
  const { os, arch } = Deno.build;
  return {
    at: new Date().toISOString(),
    version,
    deno: Deno.version.deno,
    system: `${os} ${arch}`,
    cpus: navigator.hardwareConcurrency,
    load: Deno.loadavg()[0] ?? null,
    reps: Math.ceil(readNumber("REPS", 3)),
    scale: readNumber("SCALE", 1),
  };
}

/** Measures and prints piece after piece. */
async function measure(pieces: Piece[], bench: Bench): Promise<PieceResult[]> {
  const results: PieceResult[] = [];
  for (const piece of pieces) {
    const result = summarise(piece, await piece.measure(bench));
    results.push(result);
    write(formatPiece(result));
  }
  return results;
}

function save(conditions: Conditions, pieces: PieceResult[]): string {
  mkdirSync(RESULTS, { recursive: true });
  const path = join(RESULTS, `${conditions.at.replaceAll(":", "-")}.json`);
  writeFileSync(path, `${JSON.stringify({ ...conditions, pieces }, null, 2)}\n`);
  return path;
}

/** Returns whether everything went without a problem. */
async function main(): Promise<boolean> {
  const pieces = choosePieces(Deno.args[0]);
  const conditions = readConditions();
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-bench-"));
  const processes = createProcesses();
  const cleanUp = async () => {
    await processes.killAll();
    closeConnections();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => cleanUp().finally(() => Deno.exit(INTERRUPTED)));
  }
  try {
    write(formatConditions(conditions));
    const command = denoCommand("bench/mock.ts", (port) => [String(port)]);
    const mock = (await processes.start({ ...command, health: "/v1/models" })).url;
    const { reps, scale } = conditions;
    const results = await measure(pieces, { processes, mock, folder, reps, scale });
    write(formatNotMeasured());
    write(`\n${save(conditions, results)}\n`);
    return results.every(({ cases }) => cases.every(({ problems }) => problems.length === 0));
  } finally {
    await cleanUp();
  }
}

const clean = await main().catch((error) => {
  write(`${error instanceof Error ? error.message : error}\n`);
  return false;
});
Deno.exit(clean ? 0 : 1);
