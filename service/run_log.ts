/** The start and the end of runs in the log, workflows by the names that they have. */
import type { Json, RunObserver } from "../pipeline/kernel/mod.ts";
import type { Log } from "./ports.ts";
import { WORKFLOW_PIPELINE } from "./workflow_runs.ts";
import { workflowId } from "./workflow_view.ts";

/** Characters of a goal that are logged. */
const MAX_GOAL = 500;

/** Logs runs. That a run failed, and why, is logged by the engine. */
export function createRunLog(log: Log): RunObserver {
  return {
    started({ id: run_id, pipeline }, input) {
      if (pipeline !== WORKFLOW_PIPELINE) return log.info("run started", { run_id, pipeline });
      const user_goal = goalOf(input);
      log.info("Workflow started successfully", { workflow_id: workflowId(run_id), user_goal });
    },
    ended({ id: run_id, pipeline, created_at }, { status }, at) {
      const ms = Date.parse(at) - Date.parse(created_at);
      if (pipeline === WORKFLOW_PIPELINE) {
        const level = status === "failed" ? "warn" : "info";
        log[level](`Workflow ${status}`, { workflow_id: workflowId(run_id), ms });
      } else if (status !== "failed") log.info(`run ${status}`, { run_id, pipeline, ms });
    },
  };
}

function goalOf(input: Json): string {
  const { user_goal } = (input ?? {}) as { user_goal?: Json };
  return String(user_goal ?? "").slice(0, MAX_GOAL);
}
