/** Plans as clients see them: their run's record and journal, and nothing else. @module */
import { OrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import type { Approval } from "../pipeline/calls/approvals/mod.ts";
import type { Engine, JournalEvent, Json, RunRecord } from "../pipeline/kernel/mod.ts";
import { type PlanState, planState } from "../pipeline/plans/mod.ts";
import type { ServiceDeps } from "./ports.ts";
import { usageIn } from "./response.ts";
import { approvalLinks, pendingApprovals } from "./run_view.ts";
import { ID } from "./requests.ts";
import { statusOf, type WorkflowStatus } from "./workflow_view.ts";

/** The pipeline whose runs are plans. */
export const PLAN_PIPELINE = "plan";

/** Step keys of the approvals that are about the plan itself. */
const OWN_APPROVAL = /^plan\/approval(?:#\d+)?(?:\/\d+)?$/;

/** A plan with everything that is known of it. */
export interface PlanRun {
  run: RunRecord;
  journal: JournalEvent[];
  state: PlanState;
  /** The approval of the plan that it waits for. */
  approval?: Approval;
}

/** @throws `not_found`, also for runs of other pipelines */
export async function findPlan(engine: Engine, caller: Caller, id: string): Promise<RunRecord> {
  const run = ID.test(id) ? await engine.get(caller, id) : null;
  if (run?.pipeline === PLAN_PIPELINE) return run;
  throw new OrchestratorError(
    "not_found",
    `No plan has the ID ${JSON.stringify(id)}. GET /v1/plans lists them.`,
  );
}

/** Reads what a plan has come to. */
export async function readPlan(
  { engine, approvals }: Pick<ServiceDeps, "engine" | "approvals">,
  caller: Caller,
  run: RunRecord,
): Promise<PlanRun> {
  const { id, last_seq } = run;
  const journal = await engine.journal(caller, id);
  const query = { run_id: id, status: "pending", limit: 200 } as const;
  const pending = last_seq === undefined ? (await approvals.list(caller, query)).approvals : [];
  const approval = pending.find(({ run_id, step }) => run_id === id && OWN_APPROVAL.test(step));
  return { run, journal, state: planState(journal), ...(approval ? { approval } : {}) };
}

/** The answer of `GET /v1/plans/{id}`. */
export async function planView(
  deps: Pick<ServiceDeps, "approvals">,
  caller: Caller,
  plan: PlanRun,
) {
  const { run, journal, state, approval } = plan;
  const { goal, context, approve = false } = inputOf(journal[0]);
  const last = journal.at(-1);
  const pending_approvals = await pendingApprovals(deps.approvals, caller, run);
  return {
    id: run.id,
    goal,
    ...(context === undefined ? {} : { context }),
    approve,
    status: liveStatus(run, pending_approvals.length > 0),
    phase: state.phase,
    ...(state.plan ? { summary: state.plan.summary, round: state.plan.round } : {}),
    steps: state.steps,
    earlier_plans: state.earlier,
    ...(last?.type === "run.completed" ? { output: resultOf(last.output) } : {}),
    ...(run.error ? { error: run.error } : {}),
    created_at: run.created_at,
    ...(run.ended_at ? { ended_at: run.ended_at } : {}),
    usage: usageIn(journal),
    ...(approval ? { approval: viewApproval(approval) } : {}),
    pending_approvals,
    links: planLinks(run.id),
  };
}

/** A plan in the list. Of its journal only the beginning is read. */
export async function planItem(engine: Engine, caller: Caller, run: RunRecord) {
  const { goal } = inputOf(await engine.firstEvent(caller, run.id));
  const { id, created_at, ended_at, error } = run;
  return {
    id,
    goal,
    status: statusOf(run),
    created_at,
    ...(ended_at ? { ended_at } : {}),
    ...(error ? { error } : {}),
    links: planLinks(id),
  };
}

/** What it takes to decide about a plan. */
function viewApproval(approval: Approval) {
  const { id, payload_hash } = approval;
  return { id, payload_hash, links: approvalLinks(approval) };
}

/** Where the parts of a plan are. */
export function planLinks(id: string) {
  const self = `/v1/plans/${id}`;
  const parts = ["steps", "events", "approve", "reject", "cancel"] as const;
  const links = Object.fromEntries(parts.map((part) => [part, `${self}/${part}`]));
  return { self, ...links, run: `/v1/runs/${id}` };
}

/** A run that has just received the decision no longer waits, and one that requests it already does. */
function liveStatus(run: RunRecord, isAsked: boolean): WorkflowStatus {
  const status = statusOf(run);
  if (isAsked && status !== "paused") return "awaiting_approval";
  return status === "awaiting_approval" ? "running" : status;
}

function inputOf(first: JournalEvent | undefined) {
  const input = first?.type === "run.started" ? first.input : null;
  return (input ?? {}) as { goal?: string; context?: Json; approve?: boolean };
}

/** What the goal's result is: the rest of the run's output is in the steps. */
function resultOf(output: Json): Json {
  return (output as { output?: Json } | null)?.output ?? null;
}
