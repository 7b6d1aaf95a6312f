/** W2: what the service adds to four model calls. @module */
import { openDirect } from "../direct.ts";
import { poolFigures, runPool } from "../driver.ts";
import { type Bench, type Case, type Piece, type Rep, repeat, scaled } from "../piece.ts";
import type { Running } from "../processes.ts";
import { runAgents, startService } from "../service.ts";

const CALLS = 4;
const WARM_UP = { runs: 6, callers: 2 };
const CASES = [{ callers: 1, runs: 60 }, { callers: 32, runs: 200 }];

/** Four agents, one after the other, against four calls of the model. */
export const agents: Piece = {
  id: "w2",
  title: "Four agents in a row, each a streamed model call of 60 chunks without delay",
  notes: () => [
    "direct: the same four calls made straight to the mock. overhead: p50_ms less direct_p50_ms.",
  ],
  async measure(bench) {
    const service = await startService(bench);
    await runPool(WARM_UP.runs, WARM_UP.callers, (run) => runAgents(service, `warm-up ${run}`));
    const cases: Case[] = [];
    for (const { callers, runs } of CASES) {
      const count = scaled(bench, runs, callers);
      cases.push(
        await repeat(bench, `c${callers}`, () => compare(bench, service, count, callers)),
      );
    }
    await service.kill();
    return cases;
  },
};

async function compare(
  bench: Bench,
  service: Running,
  runs: number,
  callers: number,
): Promise<Rep> {
  const direct = await runPool(runs, callers, () => callDirectly(bench));
  const through = await runPool(runs, callers, (run) => runAgents(service, String(run)));
  return {
    figures: {
      ...poolFigures(through, "runs_per_sec"),
      direct_runs_per_sec: direct.per_sec,
      direct_p50_ms: direct.p50_ms,
      overhead_p50_ms: difference(through.p50_ms, direct.p50_ms),
      ratio: through.per_sec / direct.per_sec,
    },
    problems: [...direct.problems, ...through.problems],
  };
}

async function callDirectly(bench: Bench): Promise<void> {
  for (let call = 0; call < CALLS; call++) await openDirect(bench, "mock-0")("hi", () => {});
}

function difference(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a - b;
}
