/** The file in which the steps of `server.ts` leave when they began and ended. @module */
import { readFileSync } from "node:fs";

/** Each step counts once, however often it ran. */
export interface TraceCounts {
  ended: number;
  started_twice: number;
  ended_twice: number;
  /** Runs whose last step has ended. */
  finished: number;
}

/** Reads lines of `start|end RUN STEP …`; a line cut off by a kill is not one. */
export function readTrace(path: string, lastStep: number): TraceCounts {
  const starts = new Map<string, number>();
  const ends = new Map<string, number>();
  for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) {
    const [what, run, step] = line.split(" ");
    const counts = what === "start" ? starts : ends;
    const key = `${run} ${step}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return {
    ended: ends.size,
    started_twice: countTwice(starts),
    ended_twice: countTwice(ends),
    finished: [...ends.keys()].filter((key) => key.endsWith(` ${lastStep}`)).length,
  };
}

function countTwice(counts: Map<string, number>): number {
  return [...counts.values()].filter((count) => count > 1).length;
}
