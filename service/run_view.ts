import type { Caller } from "../guard/mod.ts";
import type { Approval, Approvals } from "../pipeline/calls/approvals/mod.ts";
import type { JournalEvent, Json, RunRecord } from "../pipeline/kernel/mod.ts";
import type { Usage } from "../telemetry/mod.ts";
import { usageIn } from "./response.ts";

/** Where the parts of a run are. */
interface RunLinks {
  self: string;
  events: string;
  journal: string;
  artifacts: string;
  cancel: string;
}

/** A run as clients see it: its record without whose it is, and where its parts are. */
export type RunView = Omit<RunRecord, "tenant" | "grants"> & { links: RunLinks };

/** A run with what went in and what came out. */
export type RunDetail = RunView & {
  input?: Json;
  output?: Json;
  usage: Usage;
  pending_approvals: PendingApproval[];
  children: ChildView[];
};

/** A run within a run. */
export interface ChildView {
  id: string;
  step: string;
  links: { self: string };
}

/** What a run, or one within it, asks people. */
export interface PendingApproval {
  id: string;
  title: string;
  run_id: string;
  step: string;
  expires_at?: string;
  links: ReturnType<typeof approvalLinks>;
}

/** Shapes a record for clients. */
export function viewRun({ tenant: _tenant, grants: _grants, ...run }: RunRecord): RunView {
  return { ...run, links: runLinks(run.id) };
}

/** Where the parts of a run are. */
export function runLinks(id: string): RunLinks {
  const self = `/v1/runs/${id}`;
  return {
    self,
    events: `${self}/events`,
    journal: `${self}/journal`,
    artifacts: `${self}/artifacts`,
    cancel: `${self}/cancel`,
  };
}

/** Where an approval is looked at and decided. */
export function approvalLinks({ id, run_id }: Pick<Approval, "id" | "run_id">) {
  const self = `/v1/approvals/${id}`;
  return { self, decide: `${self}/decide`, run: `/v1/runs/${run_id}` };
}

/** The approvals that a run and those within it wait for, newest first; 200 at most. */
export async function pendingApprovals(
  approvals: Approvals,
  caller: Caller,
  { id, last_seq }: RunRecord,
): Promise<PendingApproval[]> {
  if (last_seq !== undefined) return [];
  const query = { run_id: id, status: "pending", limit: 200 } as const;
  return (await approvals.list(caller, query)).approvals.map((approval) => ({
    id: approval.id,
    title: approval.title,
    run_id: approval.run_id,
    step: approval.step,
    ...(approval.expires_at ? { expires_at: approval.expires_at } : {}),
    links: approvalLinks(approval),
  }));
}

/** Shapes a record together with its journal. */
export function viewRunDetail(
  run: RunRecord,
  journal: JournalEvent[],
  pending_approvals: PendingApproval[] = [],
): RunDetail {
  const first = journal[0];
  const last = journal.at(-1);
  return {
    ...viewRun(run),
    ...(first?.type === "run.started" ? { input: first.input } : {}),
    ...(last?.type === "run.completed" ? { output: last.output } : {}),
    usage: usageIn(journal),
    pending_approvals,
    children: journal.flatMap(toChild),
  };
}

function toChild(event: JournalEvent): ChildView[] {
  if (event.type !== "step.started" || event.child === undefined) return [];
  const { child: id, step } = event;
  return [{ id, step, links: { self: `/v1/runs/${id}` } }];
}

/** The record of a run that has ended, from how it began and its events: no need to read it again. */
export function endedRun(
  { waiting_for: _over, ...run }: RunRecord,
  events: JournalEvent[],
): RunRecord {
  const { type, at: ended_at, seq: last_seq, ...end } = events.at(-1)!;
  const status = type === "run.completed" || type === "run.cancelled" ? type.slice(4) : "failed";
  return {
    ...run,
    status: status as RunRecord["status"],
    ended_at,
    last_seq,
    ...("error" in end ? { error: end.error } : {}),
  };
}
