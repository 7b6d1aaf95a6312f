/** Lists of the runs of one pipeline. @module */
import type { Caller } from "../guard/mod.ts";
import type { Engine, RunRecord, RunStatus } from "../pipeline/kernel/mod.ts";

/** Pages of runs that one request looks through. */
const MAX_PAGES = 50;

/** Which runs. */
export interface PipelineRunQuery {
  pipeline: string;
  /** What is asked for, where that is one of runs. */
  status?: RunStatus;
  /** What else they must be. */
  fits?: (run: RunRecord) => boolean;
  limit: number;
  cursor?: string;
}

/** A page, newest first; it may hold less than `limit` although more follow. */
export async function listPipelineRuns(
  engine: Pick<Engine, "list">,
  caller: Caller,
  { pipeline, status, fits = () => true, limit, cursor }: PipelineRunQuery,
): Promise<{ runs: RunRecord[]; next_cursor: string | null }> {
  const found: RunRecord[] = [];
  let next = cursor;
  for (let page = 0; page < MAX_PAGES && found.length < limit; page++) {
    const { runs, next_cursor } = await engine.list(caller, {
      status,
      limit: limit - found.length,
      ...(next === undefined ? {} : { cursor: next }),
    });
    found.push(...runs.filter((run) => run.pipeline === pipeline && fits(run)));
    next = next_cursor;
    if (next === undefined) break;
  }
  return { runs: found, next_cursor: next ?? null };
}
