/**
 * What a run's function sees of the kernel. A run is a function that awaits
 * {@linkcode RunContext.step}; a recorded step returns its checkpoint without running again.
 *
 * @module
 */
import type { ErrorJson } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import type { Commit } from "../../store/mod.ts";
import type { Usage } from "../../telemetry/mod.ts";
import type { Budget, EventBody, Json } from "./events.ts";

/**
 * How often a step may be tried. Field meanings follow Amazon States Language's `Retry`
 * (`MaxAttempts` here counts the first attempt too).
 */
export interface RetryPolicy {
  /** Attempts in all, the first included; 1 means no retry. */
  max_attempts: number;
  /** Codes of the errors that are tried again; without it: those of kind `retryable`. */
  errors?: string[];
  /** Pause before the second attempt, in milliseconds. */
  interval_ms: number;
  /** Factor between pauses. */
  backoff_rate: number;
  /** Longest pause, in milliseconds. */
  max_delay_ms: number;
  /** `full`: a random pause between 0 and the computed one. `none`: exactly the computed one. */
  jitter: "full" | "none";
}

/**
 * What happens outside when the step's function runs.
 *
 * - `none`: nothing (pure computation). The step is recorded with the next commit; no commit
 *   precedes it.
 * - `at_least_once` (default): everything before it is on disk first; after a crash it may run again
 *   with the same idempotency key.
 * - `at_most_once`: as above, but after a crash or an unknown outcome it is not run again; the step
 *   fails with `effect_unknown`.
 */
export type Effect = "none" | "at_least_once" | "at_most_once";

/** Options of one step. */
export interface StepOptions {
  effect?: Effect;
  /** One policy, or several: the first one that matches an error applies. */
  retry?: Partial<RetryPolicy> | Partial<RetryPolicy>[];
  /** Ends an attempt with a retryable `step_timeout`. */
  timeout_ms?: number;
  /** Node kind for events: `agent`, `task`, `model`, `tool`, `transform`, `choose`, … */
  kind?: string;
  /** What the step cost, read from its output; counts against the run's budget. */
  usage?: (output: Json) => Usage;
  /** What the attempt cost although it failed or was interrupted; counts as well. */
  spent?: () => Usage | undefined;
  /**
   * The step only reads, so what follows from its result may be given to later requests, too.
   * Journaled. Default false: the step may have changed something, and has to happen each time.
   */
  reusable?: boolean;
}

/** What to wait for: a signal, a time, or whichever comes first. */
export interface WaitOptions {
  /** Takes the oldest signal of this name that no wait has taken, also one sent before. */
  signal?: string;
  /** Ends the wait this long after it began, in milliseconds. */
  timeout_ms?: number;
  /** Ends the wait at this time, in milliseconds since the epoch. */
  until?: number;
  kind?: string;
  /**
   * The outcome is an answer to what the run showed, so a restart with another input may not keep
   * it. Journaled. Default true where a signal is waited for: a wait whose outcome holds for any
   * input says `false`.
   */
  binding?: boolean;
  /** As {@linkcode StepOptions.reusable}, for a wait that nothing outside of the run ends. */
  reusable?: boolean;
  /** What changes in the commit that records that the wait began. Asked once, not on a replay. */
  enter?: () => Commit;
  /**
   * What changes in the commit that records how the wait ended. When a check refuses it, the wait has
   * not ended: it is looked at again, for instance because a signal came in the same moment.
   */
  settle?: (outcome: WaitOutcome) => Commit | undefined | Promise<Commit | undefined>;
}

/** How a wait ended: with a signal's payload, or because its time had come. */
export type WaitOutcome = { signal: Json } | { timed_out: true };

/** How a run ended. */
export type RunResult =
  | { status: "completed"; output: Json; usage: Usage }
  | { status: "failed"; error: ErrorJson; usage?: Usage }
  /** `error` says what went wrong while the run put things right. */
  | { status: "cancelled"; reason?: string; error?: ErrorJson; usage?: Usage };

/** A run within a run. */
export interface ChildRequest {
  pipeline: string;
  version: string;
  input: Json;
  /** See {@linkcode RunInfo.tainted}. */
  tainted?: boolean;
}

/** Options of {@linkcode RunContext.group}. */
export interface GroupOptions {
  kind?: string;
  /** Ends the group with a retryable `step_timeout`, counted from its first start. */
  timeout_ms?: number;
}

/** Options of {@linkcode RunContext.all}. */
export interface AllOptions {
  /** How many branches run at the same time; default all of them. */
  concurrency?: number;
  /** Branches that may fail without stopping the others; default 0. */
  tolerate?: number;
}

/** Options of {@linkcode RunContext.emit}. */
export interface EmitOptions {
  /** The runs around this one get the event, too, with this run's id and their own step. */
  surface?: boolean;
}

/** What a step's function gets. */
export interface StepScope {
  readonly key: string;
  /** 1 for the first attempt. Counts on across crashes. */
  readonly attempt: number;
  /** The same for every attempt of this step: `run_id/step`. */
  readonly idempotency_key: string;
  /** Aborted on cancel, time-out, shutdown and loss of the run; pass it on to every call. */
  readonly signal: AbortSignal;
  /** Streams a piece of text to whoever watches. Live only, never journaled. */
  delta(text: string): void;
  /** Voids the text streamed so far in this attempt. */
  reset(): void;
}

/** What the kernel tells a run's function about its run. */
export interface RunInfo {
  readonly id: string;
  /** Who started it: whatever the run does, it does in that name and with no more grants. */
  readonly caller: Caller;
  readonly pipeline: string;
  /** RFC 3339 UTC. The only "now" that a run's function may use: it is the same on every replay. */
  readonly created_at: string;
  readonly conversation_id?: string;
  /** The run and the step that this run belongs to. */
  readonly parent?: { readonly run: string; readonly step: string };
  /** The runs around this one, the outermost first; empty for a run of its own. */
  readonly ancestors?: readonly string[];
  /** What it may spend, as it was started. */
  readonly budget?: Readonly<Budget>;
  /** Set when this run repeats another one from a step on. */
  readonly restart?: { readonly run: string; readonly from: string; readonly with?: Json };
  /** True when its input, or what it read before it was resumed, may hold text from outside. */
  readonly tainted?: boolean;
}

/** The kernel as a run's function sees it. */
export interface RunContext {
  readonly run: RunInfo;
  readonly signal: AbortSignal;
  /**
   * Runs `fn` once and records its result under `key`; returns the recorded result ever after.
   *
   * @param key unique in the run, the same on every replay: `research`, `review#2`, `research/llm#1`
   * @throws what the last attempt threw, as recorded
   */
  step<T extends Json>(
    key: string,
    fn: (scope: StepScope) => T | Promise<T>,
    options?: StepOptions,
  ): Promise<T>;
  /**
   * Waits durably. While every branch of a run waits, the run is `waiting`: on disk, not in memory.
   *
   * @param key unique in the run like a step's; the outcome is recorded under it
   */
  wait(key: string, options: WaitOptions): Promise<WaitOutcome>;
  /**
   * A step that is made of steps: its result or final failure is recorded under `key`, so that a
   * replay does not go inside again. What `fn` does through the context that it gets stops when the
   * group's time is over.
   */
  group<T extends Json>(
    key: string,
    fn: (ctx: RunContext) => Promise<T>,
    options?: GroupOptions,
  ): Promise<T>;
  /**
   * Runs branches at the same time, each through the context that it gets. Call it within a group.
   *
   * @returns how each one ended, in the order of `branches`
   * @throws the error of the failure that was one too many; the other branches are stopped first
   */
  all<T>(
    branches: ((ctx: RunContext) => Promise<T>)[],
    options?: AllOptions,
  ): Promise<PromiseSettledResult<T>[]>;
  /**
   * Runs another pipeline as a run of its own under step `key` and waits for its end. It is cancelled
   * when this run ends or the branch is stopped before it has ended; its usage counts as this run's.
   */
  child(key: string, request: ChildRequest): Promise<RunResult>;
  /** Runs `fn` in a branch that a cancel of the run does not stop: for putting things right. */
  cleanup<T>(fn: (ctx: RunContext) => Promise<T>): Promise<T>;
  /**
   * Appends an event to the run's journal with the next commit. On a replay an event with the same
   * type and step that is already in the journal is not appended again.
   */
  emit(event: EventBody, options?: EmitOptions): void;
  /**
   * Adds checks and mutations to the run's next commit, so that they happen exactly when it does. On
   * a replay it happens again: use `enter` and `settle` of a wait for what must happen once.
   */
  change(commit: Commit): void;
}

/** A run's code. Its result is the run's output. */
export type RunFunction = (ctx: RunContext, input: Json) => Promise<Json>;
