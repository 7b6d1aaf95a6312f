/** Which runs are workflows, and which workflow is which run. @module */
import { OrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import type { Engine, RunRecord, RunStatus } from "../pipeline/kernel/mod.ts";
import type { ServiceDeps } from "./ports.ts";
import { listPipelineRuns } from "./pipeline_runs.ts";
import { ID } from "./requests.ts";
import { readItem, statusOf, type WorkflowStatus } from "./workflow_view.ts";

/** The pipeline whose runs are workflows. */
export const WORKFLOW_PIPELINE = "data-science";

/** @throws `not_found`, also for runs of other pipelines */
export async function findWorkflow(
  engine: Engine,
  caller: Caller,
  id: string,
): Promise<RunRecord> {
  const run = ID.test(id) && id.startsWith("wf-")
    ? await engine.get(caller, `run_${id.slice(3)}`)
    : null;
  if (run?.pipeline === WORKFLOW_PIPELINE) return run;
  throw new OrchestratorError(
    "not_found",
    `No workflow has the ID ${JSON.stringify(id)}. GET /workflows lists them.`,
  );
}

/** Which workflows to list. */
export interface WorkflowQuery {
  status?: WorkflowStatus;
  limit: number;
  cursor?: string;
}

/** A page, newest first; it may hold less than `limit` although more follow. */
export async function listWorkflows(
  { engine }: Pick<ServiceDeps, "engine">,
  caller: Caller,
  { status, limit, cursor }: WorkflowQuery,
) {
  const { runs, next_cursor } = await listPipelineRuns(engine, caller, {
    pipeline: WORKFLOW_PIPELINE,
    status: runStatus(status),
    fits: (run) => status === undefined || statusOf(run) === status,
    limit,
    ...(cursor === undefined ? {} : { cursor }),
  });
  const workflows = await Promise.all(runs.map((run) => readItem(engine, caller, run)));
  return { workflows, next_cursor };
}

/** The status that runs are asked for; several kinds of runs are `running` workflows. */
export function runStatus(status: WorkflowStatus | undefined): RunStatus | undefined {
  if (status === "running") return undefined;
  return status === "awaiting_approval" ? "waiting" : status;
}
