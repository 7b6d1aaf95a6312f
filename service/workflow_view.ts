/** Workflows as their clients see them. @module */
import { type AgentState, agentState, type Fields, fields } from "../pipeline/notebook/mod.ts";
import { type Approval, isApprovalSignal, viewApproval } from "../pipeline/calls/approvals/mod.ts";
import type { Caller } from "../guard/mod.ts";
import type { Engine, JournalEvent, RunRecord } from "../pipeline/kernel/mod.ts";
import type { ServiceDeps } from "./ports.ts";
import { approvalLinks, runLinks } from "./run_view.ts";
import { nodeOf, type RunState, runState } from "./run_state.ts";

/** What a workflow can be. */
export const STATUSES = [
  "running",
  "awaiting_approval",
  "paused",
  "completed",
  "failed",
  "cancelled",
] as const;

/** One of {@linkcode STATUSES}. */
export type WorkflowStatus = typeof STATUSES[number];

/** A workflow with everything that is known of it. */
export interface Workflow {
  run: RunRecord;
  input: Fields;
  state: RunState;
  /** The approval that it waits for. */
  approval?: Approval;
}

/** The workflow's id of a run's id. */
export function workflowId(run_id: string): string {
  return run_id.replace(/^run_/, "wf-");
}

/** True for one of {@linkcode STATUSES}. */
export function isWorkflowStatus(word: string): word is WorkflowStatus {
  return STATUSES.some((status) => status === word);
}

/** The status of a run in the words of workflows. */
export function statusOf({ status, waiting_for }: RunRecord): WorkflowStatus {
  if (status === "queued") return "running";
  if (status !== "waiting") return status;
  const asks = waiting_for?.some(({ signal }) => isApprovalSignal(signal));
  return asks ? "awaiting_approval" : "running";
}

/** Reads what a workflow has come to. */
export async function readWorkflow(
  { engine, approvals }: Pick<ServiceDeps, "engine" | "approvals">,
  caller: Caller,
  run: RunRecord,
): Promise<Workflow> {
  const { id, last_seq } = run;
  const journal = await engine.journal(caller, id);
  const query = { run_id: id, status: "pending", limit: 1 } as const;
  const pending = last_seq === undefined ? (await approvals.list(caller, query)).approvals : [];
  return {
    run,
    input: inputOf(journal),
    state: runState(journal),
    ...(pending[0] ? { approval: pending[0] } : {}),
  };
}

/** The agents' state, at any time of the workflow. */
export function stateOf({ run, input, state }: Workflow): AgentState {
  const next_step = run.status === "completed" ? "end" : stepOf(state);
  return agentState(input, state.nodes, next_step);
}

/** The answer of `GET /workflow/{id}/status`. */
export function statusView(workflow: Workflow) {
  const { run, approval } = workflow;
  const { research_plan, review_feedback } = stateOf(workflow);
  const isAsked = approval !== undefined && run.status !== "paused";
  return {
    workflow_id: workflowId(run.id),
    status: isAsked ? "awaiting_approval" as const : unasked(run),
    current_step: stepOf(workflow.state),
    user_goal: workflow.input.user_goal,
    dataset_url: workflow.input.dataset_url,
    research_plan_steps: research_plan.length,
    feedback_count: review_feedback.length,
    created_at: run.created_at,
    ...(run.ended_at ? { ended_at: run.ended_at } : {}),
    ...(run.error ? { error: run.error } : {}),
    ...(approval
      ? { pending_approval: { ...viewApproval(approval), links: approvalLinks(approval) } }
      : {}),
    run_id: run.id,
    links: runLinks(run.id),
  };
}

/** A workflow in the list. Of its journal only the beginning and the end are read. */
export async function readItem(engine: Engine, caller: Caller, run: RunRecord) {
  const { id } = run;
  const { user_goal } = inputOf([await engine.firstEvent(caller, id)]);
  return {
    workflow_id: workflowId(id),
    status: statusOf(run),
    current_step: await latestNode(engine, caller, id) ?? "start",
    user_goal,
    created_at: run.created_at,
    ...(run.ended_at ? { ended_at: run.ended_at } : {}),
  };
}

/** The node that began or ended last. */
async function latestNode(
  engine: Engine,
  caller: Caller,
  id: string,
): Promise<string | undefined> {
  for await (const event of engine.latestEvents(caller, id)) {
    const node = nodeOf(event);
    if (node !== undefined) return node;
  }
}

/** A run that has just received the decision no longer waits. */
function unasked(run: RunRecord): WorkflowStatus {
  const status = statusOf(run);
  return status === "awaiting_approval" ? "running" : status;
}

/** The node at work; after the end, and between two nodes, the last one. */
function stepOf({ current_steps, last_step }: RunState): string {
  return current_steps.at(-1) ?? last_step ?? "start";
}

function inputOf([first]: JournalEvent[]): Fields {
  return first?.type === "run.started" ? fields(first.input) : {};
}
