import { expect } from "expect";
import type { JournalEvent, RunRecord } from "../../pipeline/kernel/mod.ts";
import { endedRun } from "../../service/run_view.ts";

Deno.test("endedRun() no longer names what the run waited for", () => {
  const run: RunRecord = {
    id: "run_1",
    tenant: "t",
    pipeline: "p",
    version: "v",
    status: "waiting",
    created_at: "2026-01-01T00:00:00.000Z",
    waiting_for: [{ step: "a", signal: "go" }],
  };
  const at = "2026-01-01T00:00:01.000Z";
  const end = { type: "run.completed", run_id: "run_1", seq: 3, at, output: 1 } as JournalEvent;
  const { waiting_for: _gone, ...rest } = run;
  expect(endedRun(run, [end])).toEqual({ ...rest, status: "completed", ended_at: at, last_seq: 3 });
  expect("waiting_for" in endedRun(run, [end])).toBe(false);
});
