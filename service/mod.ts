/** What every surface of the service calls: turns, starts, transcripts, views. Knows no HTTP. @module */
export { findRun } from "./find_run.ts";
export { listPipelineRuns } from "./pipeline_runs.ts";
export {
  findPlan,
  PLAN_PIPELINE,
  planItem,
  planLinks,
  type PlanRun,
  planView,
  readPlan,
} from "./plan_view.ts";
export type { CatalogPort, Log, Prepared, ServiceDeps } from "./ports.ts";
export { replayAndFollow, type Sink } from "./replay.ts";
export {
  type ChatRequest,
  chatRequest,
  decideRequest,
  ID,
  id,
  pipelineRunRequest,
  planApproval,
  planRejection,
  planRequest,
  reason,
  reasonRequest,
  redriveRequest,
  restartRequest,
  type RunRequest,
  runRequest,
  signalRequest,
  toolCallRequest,
  workflowDecision,
  workflowRequest,
} from "./requests.ts";
export { type ChatResponse, unifiedResponse } from "./response.ts";
export { createResponseCache, lookUp, type ResponseCache } from "./response_cache.ts";
export { createRunLog } from "./run_log.ts";
export { runState } from "./run_state.ts";
export {
  approvalLinks,
  endedRun,
  type PendingApproval,
  pendingApprovals,
  runLinks,
  viewRun,
  viewRunDetail,
} from "./run_view.ts";
export { createPreparation, ownIdempotency, startRequest, underWay } from "./start.ts";
export { createTranscript } from "./transcript.ts";
export { leaveIfStopping, startTurn, type Turn, type TurnOptions } from "./turn.ts";
export { needsSomebody, watchWaiting } from "./waiting.ts";
export { findWorkflow, listWorkflows, runStatus, WORKFLOW_PIPELINE } from "./workflow_runs.ts";
export {
  isWorkflowStatus,
  readWorkflow,
  stateOf,
  STATUSES,
  statusOf,
  statusView,
  type Workflow,
  workflowId,
} from "./workflow_view.ts";
