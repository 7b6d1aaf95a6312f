/** W3: a streamed chat turn in a conversation that the service remembers. @module */
import { openDirect } from "../direct.ts";
import { poolFigures } from "../driver.ts";
import { type Bench, type Case, type Piece, type Rep, repeat, scaled } from "../piece.ts";
import type { Running } from "../processes.ts";
import { openConversation, startService } from "../service.ts";
import { runTurns } from "../turns.ts";

const WARM_UP = { turns: 12, callers: 3 };
const CASES = [{ callers: 1, turns: 100 }, { callers: 64, turns: 640 }];

/** Chat turns at the mock's full speed. */
export const chatTurns: Piece = {
  id: "w3",
  title: "A streamed chat turn with memory, 60 chunks without delay, ten turns a conversation",
  notes: () => [
    "ttft: time to the first streamed chunk. direct: the mock called with the whole conversation.",
  ],
  async measure(bench) {
    const service = await startService(bench);
    const open = () => openConversation(service, "turn");
    await runTurns(WARM_UP.turns, WARM_UP.callers, open);
    const cases: Case[] = [];
    for (const { callers, turns } of CASES) {
      const count = scaled(bench, turns, callers);
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
  turns: number,
  callers: number,
): Promise<Rep> {
  const direct = await runTurns(turns, callers, () => openDirect(bench, "mock-0"));
  const through = await runTurns(turns, callers, () => openConversation(service, "turn"));
  return {
    figures: {
      ...poolFigures(through, "turns_per_sec"),
      ttft_p50_ms: through.ttft_p50_ms,
      ttft_p99_ms: through.ttft_p99_ms,
      direct_turns_per_sec: direct.per_sec,
      direct_ttft_p50_ms: direct.ttft_p50_ms,
      direct_ttft_p99_ms: direct.ttft_p99_ms,
      ratio: through.per_sec / direct.per_sec,
    },
    problems: [...direct.problems, ...through.problems],
  };
}
