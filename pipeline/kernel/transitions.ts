/**
 * Every change of a run's state, each as one atomic commit's checks and mutations. Nothing else in
 * the program writes these keys.
 *
 * A run is in one of three states: `live` (a worker advances it, or should), `waiting` (suspended,
 * paused or in line for a slot; a timer or a message wakes it) and `run` (it has ended).
 *
 * @module
 */
import {
  type Commit,
  keys,
  type Mutation,
  setJson,
  setText,
  type Versioned,
} from "../../store/mod.ts";
import { type EventBody, type Json, mustFit } from "./events.ts";
import type { RunResult } from "./context.ts";
import type { RunRecord } from "./runs.ts";

/**
 * A run that has not ended: its header and the claim on it. One whose worker has no lease is free.
 */
export interface LiveRun {
  run: RunRecord;
  worker: string;
  /** Set when the last holder released it on purpose, so that a takeover is not counted as a crash. */
  released?: boolean;
}

/** A run that no worker advances until something wakes it. */
export interface WaitingRun {
  run: RunRecord;
  /** When it resumes by itself, in milliseconds since the epoch. */
  due?: number;
}

/** An external request to a run. */
export type InboxMessage =
  | { type: "cancel"; reason?: string }
  | { type: "signal"; name: string; payload: Json }
  | { type: "pause"; reason?: string }
  | { type: "unpause" }
  /** Something that happened in a run within this one. */
  | { type: "event"; event: EventBody };

/** A new run, claimed in the same commit, or one that is live again. */
export function createRun(run: RunRecord, worker: string): Commit {
  return { checks: [], mutations: [putLive({ run, worker })] };
}

/** A run that is suspended until a message wakes it or its turn comes. */
export function parkRun(run: RunRecord): Commit {
  return { checks: [], mutations: [putWaiting({ run })] };
}

/** Takes over a run whose worker is dead or has released it. Refused while that worker holds its lease. */
export function claimRun(live: Versioned<LiveRun>, worker: string): Commit {
  const checks = [{ key: live.key, versionstamp: live.versionstamp as string | null }];
  const { run, worker: before } = live.value;
  if (before && before !== worker) checks.push({ key: keys.lease(before), versionstamp: null });
  return { checks, mutations: [putLive({ run, worker })] };
}

/** Releases a run on purpose. */
export function releaseRun({ key, versionstamp, value: { run } }: Versioned<LiveRun>): Commit {
  return { checks: [{ key, versionstamp }], mutations: [offerRun(run)] };
}

/** A run that no worker holds and any worker may claim. */
export function offerRun(run: RunRecord): Mutation {
  return putLive({ run, worker: "", released: true });
}

/** Suspends a run until its timer or a message wakes it. */
export function suspendRun(run: RunRecord, due?: number): Commit {
  const { tenant, id } = run;
  const mutations: Mutation[] = [
    { key: keys.live(tenant, id), delete: true },
    putWaiting({ run, ...(due === undefined ? {} : { due }) }),
  ];
  if (due !== undefined) mutations.push(setJson(keys.timer(due, tenant, id), {}));
  return { checks: [], mutations };
}

/** Claims a suspended run. */
export function wakeRun(waiting: Versioned<WaitingRun>, run: RunRecord, worker: string): Commit {
  const { due } = waiting.value;
  const { tenant, id } = run;
  const mutations: Mutation[] = [
    { key: waiting.key, delete: true },
    putLive({ run, worker }),
  ];
  if (due !== undefined) mutations.push({ key: keys.timer(due, tenant, id), delete: true });
  return { checks: [{ key: waiting.key, versionstamp: waiting.versionstamp }], mutations };
}

/** The end of a run: complete, fail or cancel. Its last event says when and with which number. */
export function endRun(run: RunRecord, result: RunResult, at: string, seq: number): Commit {
  const { tenant, id } = run;
  const ended: RunRecord = { ...run, status: result.status, ended_at: at, last_seq: seq };
  if (result.status === "failed") ended.error = result.error;
  const mutations: Mutation[] = [
    setJson(keys.run(tenant, id), ended),
    { key: keys.live(tenant, id), delete: true },
  ];
  // Most runs complete: their index would duplicate the list of all runs.
  if (result.status !== "completed") {
    mutations.push(setJson(keys.ended(tenant, result.status, id), { at }));
  }
  return { checks: [], mutations };
}

/**
 * A message for a run, to be joined to a commit that knows that the run is there.
 *
 * @throws `payload_too_large` when the run could not journal it
 */
export function message(tenant: string, run: string, id: string, value: InboxMessage): Mutation {
  const text = JSON.stringify(value);
  mustFit("a message", text);
  return setText(keys.message(tenant, run, id), text);
}

/** Puts a message into a run's inbox. Refused if the run has ended or changed its state. */
export function sendMessage(
  holder: Versioned<LiveRun | WaitingRun>,
  id: string,
  value: InboxMessage,
  also: Commit = { checks: [], mutations: [] },
): Commit {
  const { tenant, id: run } = holder.value.run;
  return {
    checks: [{ key: holder.key, versionstamp: holder.versionstamp }, ...also.checks],
    mutations: [message(tenant, run, id, value), ...also.mutations],
  };
}

/** A failed run resumes: joined to the commit that says where it is from now on. */
export function reopenRun(
  { key, versionstamp, value: { tenant, id } }: Versioned<RunRecord>,
): Commit {
  return {
    checks: [{ key, versionstamp }],
    mutations: [{ key, delete: true }, { key: keys.ended(tenant, "failed", id), delete: true }],
  };
}

function putLive(live: LiveRun): Mutation {
  return setJson(keys.live(live.run.tenant, live.run.id), live);
}

function putWaiting(waiting: WaitingRun): Mutation {
  return setJson(keys.waiting(waiting.run.tenant, waiting.run.id), waiting);
}
