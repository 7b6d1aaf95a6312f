/** W4: many slow streams at once. @module */
import { openDirect } from "../direct.ts";
import { poolFigures } from "../driver.ts";
import { type Bench, type Piece, type Rep, repeat, scaled } from "../piece.ts";
import type { Running } from "../processes.ts";
import { openConversation, startService } from "../service.ts";
import { runTurns } from "../turns.ts";

const STREAMS = 500;
const TURNS_PER_STREAM = 2;
const WARM_UP = { turns: 12, callers: 12 };

/** Streams at the speed of a fast model. */
export const streams: Piece = {
  id: "w4",
  title: "Streams at once, 60 chunks each at 20 ms a chunk",
  notes: () => [
    "lag: from a chunk's leaving the mock to its arrival at the driver. A turn takes 1200 ms at best.",
    "direct: the same streams without the service: what mock and driver themselves can do here.",
  ],
  async measure(bench) {
    const service = await startService(bench);
    await runTurns(
      WARM_UP.turns,
      WARM_UP.callers,
      () => openConversation(service, "slow-turn"),
    );
    const callers = scaled(bench, STREAMS);
    const measured = await repeat(bench, `c${callers}`, () => compare(bench, service, callers));
    await service.kill();
    return [measured];
  },
};

async function compare(bench: Bench, service: Running, callers: number): Promise<Rep> {
  const turns = callers * TURNS_PER_STREAM;
  const direct = await runTurns(turns, callers, () => openDirect(bench, "mock-20"));
  const through = await runTurns(turns, callers, () => openConversation(service, "slow-turn"));
  return {
    figures: {
      ...poolFigures(through, "turns_per_sec"),
      lag_p50_ms: through.lag_p50_ms,
      lag_p99_ms: through.lag_p99_ms,
      ttft_p50_ms: through.ttft_p50_ms,
      ttft_p99_ms: through.ttft_p99_ms,
      direct_turns_per_sec: direct.per_sec,
      direct_lag_p99_ms: direct.lag_p99_ms,
      direct_ttft_p99_ms: direct.ttft_p99_ms,
      peak_rss_mb: service.memory().peak_rss_mb,
    },
    problems: [...direct.problems, ...through.problems],
  };
}
