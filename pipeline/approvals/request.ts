/**
 * How a run asks people and waits for what they say.
 *
 * 1. The approval is in the store exactly when the run waits for it.
 * 2. It ends once: decided, expired or void, each with a check that it was pending.
 * 3. The run goes on with the very payload that was decided about.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import type { JsonSchema } from "../../llm/model.ts";
import { type Commit, keys, type Store } from "../../store/mod.ts";
import type { RunContext, RunInfo, WaitOutcome } from "../kernel/context.ts";
import type { Json } from "../kernel/events.ts";
import {
  type Approval,
  changeCommit,
  createCommit,
  MAX_PREVIEW,
  payloadHash,
  signalOf,
  type Verdict,
} from "./record.ts";
import { mustFit, previewOf } from "./rules.ts";

/** What is asked. */
export interface ApprovalRequest {
  title: string;
  /** For people; default: the payload as text. */
  preview?: string;
  payload: Json;
  /** What an edited payload must be. */
  schema?: JsonSchema;
  /** Default false. */
  editable?: boolean;
  /** Default 1. */
  approvers?: number;
  /** Default: anybody. */
  allowed?: string[];
  /** Whether the one who started the run may decide; default true. */
  self_approval?: boolean;
  /** Default: it does not expire. */
  expires_seconds?: number;
}

/** What asking needs. */
export interface ApprovalDeps {
  store: Pick<Store, "get" | "commit">;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Sortable by time. */
  newId(): string;
}

/** How it was decided. `payload` is what was decided about, edits included. */
export type ApprovalOutcome = {
  decision: "approved" | "rejected" | "expired";
  payload: Json;
  /** Who approved, or who rejected. */
  by: string[];
  comment?: string;
};

/** The approval's name, and when it was asked for. */
type Asked = { id: string; at: string };

/** The wait is over without an outcome, and so is the question. */
const VOIDING = new Set(["run_cancelled", "branch_stopped", "step_timeout"]);

/**
 * Asks for an approval under step `key` and waits for it, however long that takes.
 *
 * @throws `payload_too_large`; what ends a wait early (`run_cancelled`, `branch_stopped`, …): the
 *   approval is void then
 */
export function requestApproval(
  ctx: RunContext,
  key: string,
  request: ApprovalRequest,
  deps: ApprovalDeps,
): Promise<ApprovalOutcome> {
  return ctx.group(key, async (ctx) => {
    mustFit(request.payload);
    const asked = await ctx.step<Asked>(
      `${key}/asked`,
      () => ({ id: `apr_${deps.newId()}`, at: iso(deps.now()) }),
      { effect: "none", kind: "approval" },
    );
    const approval = newApproval(ctx.run, key, request, asked);
    const { id, title, expires_at } = approval;
    const expiry = expires_at === undefined ? {} : { expires_at };
    ctx.emit({ type: "approval.requested", step: key, approval: id, title, ...expiry });
    const outcome = outcomeOf(await decision(ctx, key, approval, deps), approval);
    if (outcome.decision !== "expired") await mustMatch(approval, outcome, deps);
    const { payload: _payload, ...decided } = outcome;
    ctx.emit({ type: "approval.decided", step: key, approval: id, ...decided });
    return outcome;
  }, { kind: "approval" });
}

async function decision(
  ctx: RunContext,
  key: string,
  approval: Approval,
  deps: ApprovalDeps,
): Promise<WaitOutcome> {
  const { id, expires_at } = approval;
  try {
    return await ctx.wait(`${key}/decision`, {
      kind: "approval",
      signal: signalOf(id),
      ...(expires_at === undefined ? {} : { until: Date.parse(expires_at) }),
      enter: () => createCommit(approval),
      settle: (outcome) => "timed_out" in outcome ? expire(approval, deps) : undefined,
    });
  } catch (error) {
    if (error instanceof OrchestratorError && VOIDING.has(error.code)) {
      await abandon(ctx, key, approval, deps);
    }
    throw error;
  }
}

/** Marks a pending approval as expired; refuses the end of the wait when it was decided just now. */
async function expire(
  approval: Approval,
  { store, now }: ApprovalDeps,
): Promise<Commit | undefined> {
  const key = keys.approval(approval.tenant, approval.id);
  // In a hurry the wait is over before the commit that begins it: both go together then.
  const entry = await store.get<Approval>(key) ?? { key, value: approval, versionstamp: null };
  switch (entry.value.status) {
    case "pending":
      return changeCommit(entry, { ...entry.value, status: "expired", decided_at: iso(now()) });
    case "approved":
    case "rejected":
      return { checks: [{ key, versionstamp: null }], mutations: [] };
  }
}

/** Marks a pending approval as void. What was decided in the same moment stays as it is. */
async function abandon(
  ctx: RunContext,
  step: string,
  { tenant, id }: Approval,
  { store, now }: ApprovalDeps,
): Promise<void> {
  for (;;) {
    const entry = await store.get<Approval>(keys.approval(tenant, id));
    if (entry?.value.status !== "pending") return;
    const gone: Approval = { ...entry.value, status: "void", decided_at: iso(now()) };
    if (await store.commit(changeCommit(entry, gone)) === null) continue;
    return ctx.emit({ type: "approval.decided", step, approval: id, decision: "void" });
  }
}

function outcomeOf(outcome: WaitOutcome, { payload }: Approval): ApprovalOutcome {
  if ("timed_out" in outcome) return { decision: "expired", payload, by: [] };
  return outcome.signal as Verdict;
}

/** @throws `internal` when the run was told of another payload than was decided about */
async function mustMatch(
  { tenant, id }: Approval,
  { decision, payload }: ApprovalOutcome,
  { store }: ApprovalDeps,
): Promise<void> {
  const record = (await store.get<Approval>(keys.approval(tenant, id)))?.value;
  if (record?.status === decision && record.payload_hash === payloadHash(payload)) return;
  throw new OrchestratorError(
    "internal",
    `Cannot go on after approval ${id}: what the run was told is not what was decided.`,
  );
}

function newApproval(
  run: RunInfo,
  step: string,
  request: ApprovalRequest,
  { id, at }: Asked,
): Approval {
  const { title, payload, preview = previewOf(payload), schema, allowed } = request;
  const { expires_seconds } = request;
  return {
    id,
    tenant: run.tenant,
    run_id: run.id,
    step,
    ancestors: [...run.ancestors ?? []],
    pipeline: run.pipeline,
    title,
    preview: preview.length > MAX_PREVIEW ? `${preview.slice(0, MAX_PREVIEW)}…` : preview,
    payload,
    payload_hash: payloadHash(payload),
    ...(schema ? { schema } : {}),
    editable: request.editable ?? false,
    approvers: request.approvers ?? 1,
    ...(allowed ? { allowed } : {}),
    self_approval: request.self_approval ?? true,
    ...(run.started_by === undefined ? {} : { requested_by: run.started_by }),
    created_at: at,
    ...(expires_seconds === undefined
      ? {}
      : { expires_at: iso(Date.parse(at) + expires_seconds * 1_000) }),
    status: "pending",
    decisions: [],
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
