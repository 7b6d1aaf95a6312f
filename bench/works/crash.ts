/** W6: SIGKILL with 200 runs in flight. @module */
import { join } from "node:path";
import { runPool } from "../driver.ts";
import { type Bench, type Piece, type Rep, repeat, scaled } from "../piece.ts";
import { beginSleeps, createHome, startService } from "../service.ts";
import { readTrace } from "../trace.ts";

const RUNS = 200;
const CALLERS = 32;
const STEPS = 5;
/** The kill comes when this share of all steps has ended. */
const KILL_AT = 0.4;
const POLL_MS = 20;
const PAUSE_MS = 500;
/** So long without another finished run: the rest will not finish. */
const STALL_MS = 10_000;

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** A crash in the middle of many runs, and what a new start makes of them. */
export const crash: Piece = {
  id: "w6",
  title: "SIGKILL with runs of five 200 ms steps in flight, and a new start on the same data",
  notes: () => [
    "finished_runs of runs, unasked; recovery: from the new start to the end of the last run.",
    "steps_started_twice were under way when the process died: that much is owed to at-least-once.",
    "steps_completed_twice were done and done again. Counted in a file that the steps write.",
  ],
  measure: async (bench) => [await repeat(bench, "SIGKILL", () => crashOnce(bench))],
};

async function crashOnce(bench: Bench): Promise<Rep> {
  const runs = scaled(bench, RUNS);
  const home = createHome(bench);
  const trace = join(home, "trace.txt");
  Deno.writeTextFileSync(trace, "");
  const first = await startService(bench, home, trace);
  const accepted = await runPool(runs, CALLERS, (run) => beginSleeps(first, `run-${run}`));
  await untilSettled(trace, ({ ended }) => ended >= runs * STEPS * KILL_AT);
  await first.kill();
  const before = readTrace(trace, STEPS);
  await sleep(PAUSE_MS);
  const began = performance.now();
  const second = await startService(bench, home, trace);
  const finished_at = await untilSettled(trace, ({ finished }) => finished >= runs);
  const after = readTrace(trace, STEPS);
  await second.kill();
  return {
    figures: {
      runs,
      finished_before_kill: before.finished,
      finished_runs: after.finished,
      steps_started_twice: after.started_twice,
      steps_completed_twice: after.ended_twice,
      restart_ms: second.start_ms,
      recovery_ms: finished_at - began,
    },
    problems: [
      ...accepted.problems,
      ...(after.finished < runs ? [`${runs - after.finished} runs did not finish`] : []),
    ],
  };
}

/** Waits until the trace is as wished or has stood still; returns when a run finished last. */
async function untilSettled(
  trace: string,
  wished: (counts: ReturnType<typeof readTrace>) => boolean,
): Promise<number> {
  let ended = -1;
  let moved = performance.now();
  for (;;) {
    const counts = readTrace(trace, STEPS);
    if (counts.ended !== ended) moved = performance.now();
    ended = counts.ended;
    if (wished(counts) || performance.now() - moved > STALL_MS) return moved;
    await sleep(POLL_MS);
  }
}
