/** W5: how long a start takes, and what an idle service holds. @module */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Bench, type Piece, type Rep, repeat } from "../piece.ts";
import { denoCommand, PROJECT } from "../processes.ts";
import { createHome, serviceCommand } from "../service.ts";

const IDLE_MS = 3_000;
const EXECUTABLE = join(PROJECT, "dist/orchestrator");

/** Starts of the executable, or of the sources where it has not been built. */
export const start: Piece = {
  id: "w5",
  title: "Start with an empty home, and memory after three idle seconds",
  notes: () => [
    existsSync(EXECUTABLE)
      ? `Measured: dist/orchestrator, built ${Deno.statSync(EXECUTABLE).mtime?.toISOString()}.`
      : "Measured: the sources, which start slower; `deno task compile` builds dist/orchestrator.",
  ],
  async measure(bench) {
    const label = existsSync(EXECUTABLE) ? "executable" : "sources";
    return [await repeat(bench, label, () => startOnce(bench))];
  },
};

async function startOnce(bench: Bench): Promise<Rep> {
  const command = existsSync(EXECUTABLE)
    ? { command: EXECUTABLE, args: () => ["serve"] }
    : denoCommand("main.ts", () => ["serve"]);
  const service = await bench.processes.start(
    serviceCommand(bench, createHome(bench, false), command),
  );
  await new Promise((done) => setTimeout(done, IDLE_MS));
  const { rss_mb } = service.memory();
  await service.kill();
  return { figures: { start_ms: service.start_ms, idle_rss_mb: rss_mb }, problems: [] };
}
