/**
 * Approvals for those who look at them and decide. Nothing else decides: a run can only ask.
 *
 * 1. One decision wins: whoever reads an approval changes it only while it is as they read it.
 * 2. The decision and the signal that tells the run are one commit.
 *
 * @module
 */
import { OrchestratorError, toOrchestratorError } from "../../../errors.ts";
import type { Caller } from "../../../guard/mod.ts";
import { type Key, keys, type Store, type Versioned } from "../../../store/mod.ts";
import type { Engine } from "../../kernel/mod.ts";
import {
  type Approval,
  type ApprovalStatus,
  changeCommit,
  signalOf,
  type Verdict,
} from "./record.ts";
import { conflict, decided, type DecideRequest } from "./rules.ts";

/** Times that a decision is tried when others decide in the same moment. */
const MAX_TRIES = 20;

/** What the service needs. */
export interface ApprovalsDeps {
  store: Pick<Store, "get" | "tryGet" | "list" | "commit">;
  engine: Pick<Engine, "signal">;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Which approvals. */
export interface ApprovalQuery {
  status?: ApprovalStatus;
  /** Of this run and of the runs within it. */
  run_id?: string;
  /** 1 to 200, default 50. */
  limit?: number;
  /** `next_cursor` of the page before. */
  cursor?: string;
}

/** One page, newest first. */
export interface ApprovalPage {
  approvals: Approval[];
  next_cursor?: string;
}

/** Approvals of a tenant's runs. */
export interface Approvals {
  list(caller: Caller, query?: ApprovalQuery): Promise<ApprovalPage>;
  get(caller: Caller, id: string): Promise<Approval | null>;
  /**
   * Records a decision of the caller; the last one that is needed goes to the run in the same commit.
   *
   * @returns the approval after it
   * @throws `not_found`; `forbidden`; `conflict` with the approval in `details` (decided, expired,
   *   decided by the same person before, another payload, run ended); `validation_failed` and
   *   `payload_too_large` (the edited payload)
   */
  decide(caller: Caller, id: string, request: DecideRequest): Promise<Approval>;
}

/** Makes the service. */
export function createApprovals(deps: ApprovalsDeps): Approvals {
  return new StoredApprovals(deps);
}

class StoredApprovals implements Approvals {
  constructor(private readonly deps: ApprovalsDeps) {}

  async get(caller: Caller, id: string): Promise<Approval | null> {
    return (await this.find(caller, id))?.value ?? null;
  }

  async list(
    caller: Caller,
    { status, run_id, limit = 50, cursor }: ApprovalQuery = {},
  ): Promise<ApprovalPage> {
    const prefix = prefixOf(caller.tenant, { status, run_id });
    const selector = cursor === undefined ? { prefix } : { prefix, end: [...prefix, cursor] };
    const found: Approval[] = [];
    const { store } = this.deps;
    for await (const { key, value } of store.list<object>(selector, { reverse: true })) {
      const isIndex = !("id" in value);
      const approval = isIndex
        ? (await store.tryGet<Approval>(keys.approval(caller.tenant, key.at(-1) as string)))?.value
        : value as Approval;
      if (approval && (!status || approval.status === status)) found.push(approval);
      if (found.length > limit) break;
    }
    if (found.length <= limit) return { approvals: found };
    return { approvals: found.slice(0, limit), next_cursor: found[limit - 1]!.id };
  }

  async decide(caller: Caller, id: string, request: DecideRequest): Promise<Approval> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const entry = await this.find(caller, id);
      if (!entry) throw notFound(id);
      const next = decided(entry.value, { ...request, by: caller.actor }, this.deps.now());
      if (await this.change(caller, entry, next)) return next;
    }
    throw new OrchestratorError(
      "conflict",
      `Cannot decide approval ${id}: it was changed by too many other requests. Review it again.`,
    );
  }

  private find({ tenant }: Caller, id: string): Promise<Versioned<Approval> | null> {
    return this.deps.store.get<Approval>(keys.approval(tenant, id));
  }

  /** False when another decision changed the record first. */
  private async change(
    caller: Caller,
    entry: Versioned<Approval>,
    next: Approval,
  ): Promise<boolean> {
    const { store, engine } = this.deps;
    const commit = changeCommit(entry, next);
    if (next.status === "pending") return await store.commit(commit) !== null;
    try {
      await engine.signal(caller, next.run_id, signalOf(next.id), verdictOf(next), commit);
      return true;
    } catch (thrown) {
      if (toOrchestratorError(thrown).code !== "conflict") throw thrown;
      const current = await this.find(caller, next.id);
      if (current?.versionstamp !== entry.versionstamp) return false;
      throw await this.runEnded(entry);
    }
  }

  private async runEnded(entry: Versioned<Approval>): Promise<OrchestratorError> {
    const { store, now } = this.deps;
    const at = new Date(now()).toISOString();
    const gone: Approval = { ...entry.value, status: "void", decided_at: at };
    await store.commit(changeCommit(entry, gone));
    return conflict(gone, "its run has ended.");
  }
}

function prefixOf(tenant: string, { status, run_id }: ApprovalQuery): Key {
  if (run_id !== undefined) return keys.approvalsOf(tenant, run_id);
  return status === "pending" ? keys.pendingApprovals(tenant) : keys.approvals(tenant);
}

/** What the run gets of an approval that is decided. */
function verdictOf({ status, payload, decisions }: Approval): Verdict {
  const last = decisions.at(-1)!;
  const comment = decisions.findLast((decision) => decision.comment)?.comment;
  return {
    decision: status === "approved" ? "approved" : "rejected",
    payload,
    by: status === "approved" ? decisions.map(({ by }) => by) : [last.by],
    ...(comment ? { comment } : {}),
  };
}

function notFound(id: string): OrchestratorError {
  return new OrchestratorError(
    "not_found",
    `No approval has the ID ${JSON.stringify(id)}. GET /v1/approvals lists them.`,
  );
}
