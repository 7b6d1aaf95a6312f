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

/**
 * A run that has not ended: its header and the claim on it. One whose worker has no lease is free.
 */
export interface LiveRun {
  run: RunRecord;
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
  const mutations = putLive({ run, worker });
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
export function claimRun(live: Versioned<LiveRun>, worker: string): Transition {
  const checks: Check[] = [{ key: live.key, versionstamp: live.versionstamp }];
  const { run, worker: before } = live.value;
  if (before && before !== worker) checks.push({ key: keys.lease(before), versionstamp: null });
  return {
    checks,
    mutations: putLive({ run, worker }),
  };
}

/** Lets go of a run on purpose. */
export function releaseRun(run: RunRecord): Transition {
  return { checks: [], mutations: putLive({ run, worker: "", released: true }) };
}

/** A run that waited for a slot gets one. */
export function beginRun(run: RunRecord, worker: string): Transition {
  return { checks: [], mutations: putLive({ run, worker }) };
}

/** The end of a run: complete, fail or cancel. Its last event says when and with which number. */
export function endRun(run: RunRecord, result: RunResult, at: string, seq: number): Transition {
  const { tenant, id } = run;
  const ended: RunRecord = { ...run, status: result.status, ended_at: at, last_seq: seq };
  if (result.status === "failed") ended.error = result.error;
  const mutations: Mutation[] = [
    ...setJson(keys.run(tenant, id), ended),
    { key: keys.live(tenant, id), delete: true },
  ];
  // Most runs complete: their index would be the list of all runs once more.
  if (result.status !== "completed") {
    mutations.push(...setJson(keys.ended(tenant, result.status, id), { at }));
  }
  return { checks: [], mutations };
}

/** Puts a message into a live run's inbox. Refused when the run has ended or changed hands. */
export function sendMessage(
  live: Versioned<LiveRun>,
  id: string,
  message: InboxMessage,
): Transition {
  const { run } = live.value;
  return {
    checks: [{ key: live.key, versionstamp: live.versionstamp }],
    mutations: setJson(keys.message(run.tenant, run.id, id), message),
  };
}

/** Makes a failed run live again. */
export function redriveRun(
  ended: Versioned<RunRecord>,
  run: RunRecord,
  worker: string,
): Transition {
  return {
    checks: [{ key: ended.key, versionstamp: ended.versionstamp }],
    mutations: [
      ...putLive({ run, worker }),
      { key: ended.key, delete: true },
      { key: keys.ended(run.tenant, "failed", run.id), delete: true },
    ],
  };
}

function putLive(live: LiveRun): Mutation[] {
  return setJson(keys.live(live.run.tenant, live.run.id), live);
}
