/**
 * How a run asks people and waits for what they say.
 *
 * 1. The approval is in the store exactly when the run waits for it.
 * 2. It ends once: decided, expired or void, each with a check that it was pending.
 * 3. The run continues with exactly the payload that was decided on.
 *
 * @module
 */
import { OrchestratorError } from "../../../errors.ts";
import type { JsonSchema } from "../../../llm/mod.ts";
import { type Commit, keys, type Store } from "../../../store/mod.ts";
import type { Json, RunContext, RunInfo, WaitOutcome } from "../../kernel/mod.ts";
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
  /** Default: anyone. */
  allowed?: string[];
  /** Whether the one who started the run may decide; default true. */
  self_approval?: boolean;
  /** Default: it does not expire. */
  expires_seconds?: number;
}

/** What asking needs. */
export interface ApprovalDeps {
  store: Pick<Store, "get" | "tryGet" | "keys" | "commit">;
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

/** Those who look at the runs around this one can decide, too. */
const SURFACE = { surface: true };

/** The wait is over without an outcome, and so is the question. */
const VOIDING = new Set(["run_cancelled", "branch_stopped", "step_timeout"]);

/**
 * Asks for an approval under step `key` and waits for it, however long that takes.
 *
 * @throws `payload_too_large`; what ends a wait early (`run_cancelled`, `branch_stopped`, …): the
 *   approval is void then
 */
export async function requestApproval(
  ctx: RunContext,
  key: string,
  request: ApprovalRequest,
  deps: ApprovalDeps,
): Promise<ApprovalOutcome> {
  mustFit(request.payload);
  try {
    return await ctx.group(key, (ctx) => ask(ctx, key, request, deps), { kind: "approval" });
  } catch (error) {
    if (error instanceof OrchestratorError && VOIDING.has(error.code)) {
      await abandon(ctx, key, deps);
    }
    throw error;
  }
}

/** Requests an approval, and a new one if the run was started again after the first became void. */
async function ask(
  ctx: RunContext,
  key: string,
  request: ApprovalRequest,
  deps: ApprovalDeps,
): Promise<ApprovalOutcome> {
  for (let n = 1;; n++) {
    const step = n === 1 ? key : `${key}/${n}`;
    const asked = await ctx.step<Asked>(
      `${step}/asked`,
      () => ({ id: `apr_${deps.newId()}`, at: iso(deps.now()) }),
      { effect: "none", kind: "approval" },
    );
    const record = await deps.store.get<Approval>(keys.approval(ctx.run.caller.tenant, asked.id));
    if (record?.value.status === "void") continue;
    const approval = newApproval(ctx.run, step, request, asked);
    const { id, title, expires_at } = approval;
    const expiry = expires_at === undefined ? {} : { expires_at };
    ctx.emit({ type: "approval.requested", step, approval: id, title, ...expiry }, SURFACE);
    const outcome = outcomeOf(await decision(ctx, approval, deps), approval);
    if (outcome.decision !== "expired") await mustMatch(approval, outcome, deps);
    const { payload: _payload, ...decided } = outcome;
    ctx.emit({ type: "approval.decided", step, approval: id, ...decided }, SURFACE);
    return outcome;
  }
}

function decision(
  ctx: RunContext,
  approval: Approval,
  deps: ApprovalDeps,
): Promise<WaitOutcome> {
  const { id, step, expires_at } = approval;
  return ctx.wait(`${step}/decision`, {
    kind: "approval",
    // It was given for the payload: another input may lead to another one.
    binding: true,
    signal: signalOf(id),
    ...(expires_at === undefined ? {} : { until: Date.parse(expires_at) }),
    enter: () => createCommit(approval),
    settle: (outcome) => "timed_out" in outcome ? expire(approval, deps) : undefined,
  });
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

/**
 * Marks what the run asks under `key` as void. A run that stops does not get as far as to ask again,
 * so the approvals are looked up. What is decided in the same moment stays as it is.
 */
async function abandon(ctx: RunContext, key: string, { store, now }: ApprovalDeps): Promise<void> {
  const { caller: { tenant }, id: run } = ctx.run;
  for await (const { key: index } of store.keys({ prefix: keys.approvalsOf(tenant, run) })) {
    for (;;) {
      const entry = await store.tryGet<Approval>(keys.approval(tenant, index.at(-1) as string));
      if (entry?.value.status !== "pending" || entry.value.run_id !== run) break;
      const { id: approval, step } = entry.value;
      if (step !== key && !step.startsWith(`${key}/`)) break;
      const gone: Approval = { ...entry.value, status: "void", decided_at: iso(now()) };
      if (await store.commit(changeCommit(entry, gone)) === null) continue;
      ctx.emit({ type: "approval.decided", step, approval, decision: "void" }, SURFACE);
    }
  }
}

function outcomeOf(outcome: WaitOutcome, { payload }: Approval): ApprovalOutcome {
  if ("timed_out" in outcome) return { decision: "expired", payload, by: [] };
  return outcome.signal as Verdict;
}

/** @throws `internal` if the run received another payload than the one that was decided on */
async function mustMatch(
  { tenant, id }: Approval,
  { decision, payload }: ApprovalOutcome,
  { store }: ApprovalDeps,
): Promise<void> {
  const record = (await store.get<Approval>(keys.approval(tenant, id)))?.value;
  if (record?.status === decision && record.payload_hash === payloadHash(payload)) return;
  throw new OrchestratorError(
    "internal",
    `Cannot continue after approval ${id}: the payload that the run received is not the one that was decided.`,
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
    tenant: run.caller.tenant,
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
    requested_by: run.caller.actor,
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
