/**
 * Every change of a run's state, each as one atomic commit's checks and mutations. Nothing else in
 * the program writes these keys.
 *
 * @module
 */
import { type Check, keys, type Mutation, setJson, type Versioned } from "../../store/mod.ts";
import type { RunRecord, RunResult, StartRequest } from "./runs.ts";

/** What must hold and what changes. */
export interface Transition {
  checks: Check[];
  mutations: Mutation[];
}

/** Present while a run is live. A claim whose worker has no lease is free. */
export interface Claim {
  worker: string;
  /** Set when the last holder let go on purpose, so that taking over is not counted as a crash. */
  released?: boolean;
}

/** Which run a request with an idempotency key made. */
export interface IdempotencyRecord {
  fingerprint: string;
  run: string;
  expires_at: number;
}

/** What somebody else wants of a run. */
export interface InboxMessage {
  type: "cancel";
  reason?: string;
}

/** A new run, claimed in the same commit. `known` is an expired idempotency record to replace. */
export function createRun(
  run: RunRecord,
  worker: string,
  idempotency?: { request: NonNullable<StartRequest["idempotency"]>; expires_at: number },
  known?: Versioned<IdempotencyRecord>,
): Transition {
  const mutations = [...putRun(run), ...putClaim(run, { worker })];
  if (!idempotency) return { checks: [], mutations };
  const key = keys.idempotency(run.tenant, idempotency.request.key);
  const record: IdempotencyRecord = {
    fingerprint: idempotency.request.fingerprint,
    run: run.id,
    expires_at: idempotency.expires_at,
  };
  mutations.push(...setJson(key, record));
  return { checks: [{ key, versionstamp: known?.versionstamp ?? null }], mutations };
}

/** Takes over a run whose worker is dead or has let go. Refused while that worker has its lease. */
export function claimRun(run: RunRecord, claim: Versioned<Claim>, worker: string): Transition {
  const checks: Check[] = [{ key: claim.key, versionstamp: claim.versionstamp }];
  const before = claim.value.worker;
  if (before && before !== worker) checks.push({ key: keys.lease(before), versionstamp: null });
  return {
    checks,
    mutations: [...putClaim(run, { worker }), ...putRun(run)],
  };
}

/** Lets go of a run on purpose. */
export function releaseRun(run: { tenant: string; id: string }): Transition {
  return { checks: [], mutations: putClaim(run, { worker: "", released: true }) };
}

/** The end of a run: complete, fail or cancel. */
export function endRun(run: RunRecord, result: RunResult, at: string, seq: number): Transition {
  const ended: RunRecord = { ...run, status: result.status, ended_at: at, last_seq: seq };
  if (result.status === "failed") ended.error = result.error;
  return {
    checks: [],
    mutations: [
      ...putRun(ended),
      { key: keys.claim(run.tenant, run.id), delete: true },
      ...setJson(keys.ended(run.tenant, result.status, run.id), { at }),
    ],
  };
}

/** Puts a message into a live run's inbox. Refused when the run has ended or changed hands. */
export function sendMessage(
  claim: Versioned<Claim>,
  run: { tenant: string; id: string },
  id: string,
  message: InboxMessage,
): Transition {
  return {
    checks: [{ key: claim.key, versionstamp: claim.versionstamp }],
    mutations: setJson(keys.message(run.tenant, run.id, id), message),
  };
}

/** Makes a failed run live again. */
export function redriveRun(run: Versioned<RunRecord>, worker: string): Transition {
  const { error: _error, ended_at: _at, last_seq: _seq, ...rest } = run.value;
  const live: RunRecord = { ...rest, status: "running" };
  return {
    checks: [{ key: run.key, versionstamp: run.versionstamp }],
    mutations: [
      ...putRun(live),
      ...putClaim(live, { worker }),
      { key: keys.ended(live.tenant, "failed", live.id), delete: true },
    ],
  };
}

/** The header alone: `queued` became `running`. */
export function putRun(run: RunRecord): Mutation[] {
  return setJson(keys.run(run.tenant, run.id), run);
}

function putClaim(run: { tenant: string; id: string }, claim: Claim): Mutation[] {
  return setJson(keys.claim(run.tenant, run.id), claim);
}
