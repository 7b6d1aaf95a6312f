/** What an approval is, and how it is kept. @module */
import { createHash } from "node:crypto";
import type { JsonSchema } from "../../../llm/mod.ts";
import {
  type Check,
  type Commit,
  keys,
  type Mutation,
  setJson,
  type Store,
} from "../../../store/mod.ts";
import { canonicalJson } from "../../../json/mod.ts";
import type { Json } from "../../kernel/mod.ts";

/** Largest payload that an approval may have, as UTF-8 bytes of JSON. */
export const MAX_PAYLOAD_BYTES = 100_000;
/** Longest preview, in characters; what is over is cut off. */
export const MAX_PREVIEW = 20_000;

/** `void`: the run ended or took another path before it was decided. */
export type ApprovalStatus = "pending" | "approved" | "rejected" | "expired" | "void";

/** What one person said. */
export interface Decision {
  by: string;
  decision: "approve" | "reject";
  comment?: string;
  /** RFC 3339 UTC. */
  at: string;
  /** The payload that they replaced the original one with. */
  payload?: Json;
}

/** A question to people that a run waits for. */
export interface Approval {
  /** `apr_…`, sortable by time. */
  id: string;
  tenant: string;
  run_id: string;
  step: string;
  /** The runs around `run_id`, the outermost first. */
  ancestors: string[];
  pipeline: string;
  title: string;
  /** The payload for people. */
  preview: string;
  /** Exactly what is decided on, and what the run continues with. */
  payload: Json;
  /** `sha256:…` of the payload's canonical JSON. */
  payload_hash: string;
  /** What an edited payload must be. */
  schema?: JsonSchema;
  /** Whether an approver may put another payload in place. */
  editable: boolean;
  /** How many different people must approve. */
  approvers: number;
  /** Who may decide; absent: anyone. */
  allowed?: string[];
  /** Whether the one who started the run may decide. */
  self_approval: boolean;
  requested_by?: string;
  created_at: string;
  expires_at?: string;
  status: ApprovalStatus;
  decisions: Decision[];
  decided_at?: string;
}

/** An approval as clients see it. */
export type ApprovalView = Omit<Approval, "tenant">;

/** What the run gets when its approval was decided. */
export type Verdict = {
  decision: "approved" | "rejected";
  payload: Json;
  by: string[];
  comment?: string;
};

/** Shapes an approval for clients. */
export function viewApproval({ tenant: _tenant, ...view }: Approval): ApprovalView {
  return view;
}

/** The name of the signal that ends an approval's wait. */
export function signalOf(id: string): string {
  return `approval/${id}`;
}

/** True for the names that {@linkcode signalOf} makes. */
export function isApprovalSignal(name: string | undefined): boolean {
  return name?.startsWith("approval/") ?? false;
}

/** `sha256:…` of a payload's canonical JSON. */
export function payloadHash(payload: Json): string {
  return `sha256:${createHash("sha256").update(canonicalJson(payload)).digest("hex")}`;
}

/** The commit that makes an approval, with its place in every list that it belongs to. */
export function createCommit(approval: Approval): Commit {
  const { tenant, id, run_id, ancestors } = approval;
  const key = keys.approval(tenant, id);
  const indexes = [
    keys.pendingApproval(tenant, id),
    ...[run_id, ...ancestors].map((run) => keys.approvalOf(tenant, run, id)),
  ];
  return {
    checks: [{ key, versionstamp: null }],
    mutations: [setJson(key, approval), ...indexes.map((index) => setJson(index, {}))],
  };
}

/** The commit that replaces a record by `next`, unless it was changed in the meantime. */
export function changeCommit({ key, versionstamp }: Check, next: Approval): Commit {
  const pending = keys.pendingApproval(next.tenant, next.id);
  const left: Mutation[] = next.status === "pending" ? [] : [{ key: pending, delete: true }];
  return { checks: [{ key, versionstamp }], mutations: [setJson(key, next), ...left] };
}

/**
 * The changes that delete what a run left: the approvals that it asked for, with their indexes, and
 * the entries by which it finds those of the runs within it. An approval that cannot be read goes
 * with the first run that names it.
 */
export async function* approvalsLeftBy(
  store: Pick<Store, "getMany" | "keys">,
  tenant: string,
  run: string,
): AsyncGenerator<Mutation[], void> {
  for await (const { key } of store.keys({ prefix: keys.approvalsOf(tenant, run) })) {
    yield [{ key, delete: true }, ...await removeApproval(store, tenant, run, String(key.at(-1)))];
  }
}

async function removeApproval(
  store: Pick<Store, "getMany">,
  tenant: string,
  run: string,
  id: string,
): Promise<Mutation[]> {
  const key = keys.approval(tenant, id);
  let isDamaged = false;
  const onDamaged = () => void (isDamaged = true);
  const [found] = await store.getMany<Approval>([key], { onDamaged });
  if (!isDamaged && found?.value.run_id !== run) return [];
  const around = found?.value.ancestors ?? [];
  const indexes = around.map((one) => keys.approvalOf(tenant, one, id));
  return [key, keys.pendingApproval(tenant, id), ...indexes].map((key) => ({ key, delete: true }));
}
