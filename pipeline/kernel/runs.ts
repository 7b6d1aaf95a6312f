/**
 * What a run is to the outside of the kernel, and what the engine offers to it.
 *
 * @module
 */
import type { ErrorJson } from "../../errors.ts";
import type { Caller, CallerRecord } from "../../guard/mod.ts";
import type { Commit } from "../../store/mod.ts";
import type { RunFunction, RunResult } from "./context.ts";
import type { Budget, JournalEvent, Json, RunEvent, WaitingFor } from "./events.ts";

/**
 * `queued`: on disk, waiting for a free slot. `waiting`: suspended on a timer, signal or approval.
 * `paused`: suspended on request.
 */
export type RunStatus =
  | "queued"
  | "running"
  | "waiting"
  | "paused"
  | "completed"
  | "failed"
  | "cancelled";

/** The header of a run. Its input is in its first event, its output in its last. */
export interface RunRecord extends CallerRecord {
  id: string;
  pipeline: string;
  /** Content hash of the definition (pipeline, agents, prompts) that the run keeps. */
  version: string;
  status: RunStatus;
  created_at: string;
  ended_at?: string;
  conversation_id?: string;
  /** Sequence number of the last event; known once the run has ended. */
  last_seq?: number;
  /** Why it failed. */
  error?: ErrorJson;
  /** How often it was begun, once it was redriven: 2 after the first time. */
  attempts?: number;
  /** The run and step that this run belongs to. */
  parent?: { run: string; step: string };
  /** The runs around this one, the outermost first. */
  ancestors?: string[];
  /** Higher ones get a free slot first; default 0. */
  priority?: number;
  /** What it has of a shared resource; see {@linkcode Concurrency}. */
  slot?: Slot;
  budget?: RunBudget;
  /** Set when this run repeats another one from a step on. */
  restart?: { run: string; from: string; with?: Json };
  /** Its input may hold text from outside. */
  tainted?: boolean;
  /** What a `waiting` run waits for. */
  waiting_for?: WaitingFor[];
}

/** A budget with what happens when it is spent: the run fails, or asks for more by an approval. */
export type RunBudget = Budget & { on_exceeded?: "fail" | "approval" };

/** At most `limit` runs with the same key execute at a time. */
export interface Concurrency {
  key: string;
  limit: number;
  /** `enqueue`: wait in order. `reject`: 409 `busy`. `interrupt`: cancel the ones before, then go. */
  on_busy: "enqueue" | "reject" | "interrupt";
}

/** The slot that a run holds among those with the same concurrency key. */
export interface Slot {
  key: string;
  limit: number;
  /** Absent while the run waits for its turn. */
  index?: number;
}

/** What to run. */
export interface StartRequest {
  pipeline: string;
  version: string;
  input: Json;
  conversation_id?: string;
  /** From the `Idempotency-Key` header; `fingerprint` is a hash of the request's body. */
  idempotency?: { key: string; fingerprint: string };
  priority?: number;
  concurrency?: Concurrency;
  budget?: RunBudget;
  /** Its input may hold text from outside. */
  tainted?: boolean;
}

/** What to run, and for whom. */
export type NewRun = StartRequest & Required<CallerRecord>;

/** How to repeat a run from a step on. */
export interface RestartRequest {
  /** Key of the first step that is run again; earlier results are kept. */
  from: string;
  /** The run's input, if it is to be another one. */
  input?: Json;
  /** The step's own input instead of its `with`. */
  with?: Json;
  /** As in {@linkcode StartRequest}. */
  idempotency?: StartRequest["idempotency"];
}

/** Receives events in order; `json` is the event as text, ready to send. Must not throw. */
export interface RunListener {
  (event: RunEvent, json: string): void;
  /** If set, what is not in the journal, such as streamed text, need not be reported. */
  readonly journal_only?: true;
}

/** A run that is on disk. */
export interface StartedRun {
  run: RunRecord;
  /** True when an earlier request with the same idempotency key made this run. */
  replayed: boolean;
  /** Settles when the run has ended. Never rejects. */
  readonly result: Promise<RunResult>;
}

/** One page of a list, newest first. */
export interface RunPage {
  runs: RunRecord[];
  next_cursor?: string;
}

/** Finds the code of a run. */
export type Programs = (run: RunRecord) => RunFunction | Promise<RunFunction>;

/** The engine as routes and the command line see it. Runs of other tenants are not found. */
export interface Engine {
  /**
   * Makes a run durable and starts it. It acts for `caller`, and so do the runs within it.
   *
   * @param listener sees every event of the run from the first on, deltas included
   * @throws `overloaded` (429) when the ready queue is full, `shutting_down`, `idempotency_in_flight`
   *   (same key, run not ended yet), `idempotency_mismatch` (same key, other fingerprint)
   */
  start(caller: Caller, request: StartRequest, listener?: RunListener): Promise<StartedRun>;
  get(caller: Caller, id: string): Promise<RunRecord | null>;
  list(
    caller: Caller,
    options?: { status?: RunStatus; limit?: number; cursor?: string },
  ): Promise<RunPage>;
  /** The journal after `after` (0: all of it). */
  journal(caller: Caller, id: string, after?: number): Promise<JournalEvent[]>;
  /** The event a run began with. @throws `not_found` */
  firstEvent(caller: Caller, id: string): Promise<JournalEvent>;
  /** The journal from its end; reads no more than what is asked for. */
  latestEvents(caller: Caller, id: string): AsyncIterable<JournalEvent>;
  /** How the run ended; `null` while it has not. */
  result(caller: Caller, id: string): Promise<RunResult | null>;
  /**
   * Replays what comes after `after`, then follows live: a joiner in the middle of a step first gets
   * its `step.snapshot`. Resolves after the terminal event was delivered or when `signal` aborts.
   *
   * @throws `not_found`
   */
  follow(
    caller: Caller,
    id: string,
    options: { after?: number; signal: AbortSignal },
    listener: RunListener,
  ): Promise<void>;
  /**
   * Asks a run to stop; durable when it resolves.
   *
   * @throws `not_found`; `conflict` when it has ended already
   */
  cancel(caller: Caller, id: string, reason?: string): Promise<void>;
  /** Starts a failed run again from where it failed. @throws `not_found`, `conflict` */
  redrive(caller: Caller, id: string): Promise<void>;
  /**
   * Sends a signal to a run: the oldest wait for `name` takes it, now or later. Durable when it
   * resolves; `commit` happens exactly when the signal is sent.
   *
   * @throws `not_found`; `conflict` when the run has ended or a check of `commit` refuses it
   */
  signal(caller: Caller, id: string, name: string, payload: Json, commit?: Commit): Promise<void>;
  /** No new step begins until {@linkcode resume}; steps under way end. @throws as `cancel` */
  pause(caller: Caller, id: string, reason?: string): Promise<void>;
  /** Resumes a paused run. @throws `not_found`; `conflict` when it is not paused */
  resume(caller: Caller, id: string): Promise<void>;
  /**
   * Starts a new run that keeps what a run recorded before a step and continues from there.
   *
   * @throws `not_found` (run), `validation_failed` (it has no such step), and as `start`
   */
  restart(caller: Caller, id: string, request: RestartRequest): Promise<StartedRun>;
  stats(): EngineStats;
  /** Resumes what earlier processes left with the code that it is given, then keeps watch. */
  open(programs: Programs): Promise<void>;
  /** Takes no new run, lets running ones reach a commit for `grace_ms`, releases the rest. */
  drain(grace_ms: number): Promise<void>;
}

/** Figures for health and back-pressure. */
export interface EngineStats {
  running: number;
  queued: number;
  accepting: boolean;
  /** False while the store refuses or does not answer. */
  store_ok: boolean;
}
