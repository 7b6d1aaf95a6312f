/**
 * What a run's function sees of the kernel. A run is a function that awaits
 * {@linkcode RunContext.step}; a recorded step returns its checkpoint without running again.
 *
 * @module
 */
import type { Mutation } from "../../store/kv.ts";
import type { EventBody, Json } from "./events.ts";

/**
 * How often a step may be tried. Field meanings follow Amazon States Language's `Retry`
 * (`MaxAttempts` here counts the first attempt too).
 */
export interface RetryPolicy {
  /** Attempts in all, the first included; 1 means no retry. */
  max_attempts: number;
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
  retry?: Partial<RetryPolicy>;
  /** Ends an attempt with a retryable `step_timeout`. */
  timeout_ms?: number;
  /** Node kind for events: `agent`, `task`, `model`, `tool`, `transform`, `choose`. */
  kind?: string;
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
  readonly tenant: string;
  readonly pipeline: string;
  /** RFC 3339 UTC. The only "now" that a run's function may use: it is the same on every replay. */
  readonly created_at: string;
  readonly conversation_id?: string;
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
   * Appends an event to the run's journal with the next commit. On a replay an event with the same
   * type and step that is already in the journal is not appended again.
   */
  emit(event: EventBody): void;
  /** Adds mutations to the run's next commit, so that they happen exactly when it does. */
  write(mutations: Mutation[]): void;
}

/** A run's code. Its result is the run's output. */
export type RunFunction = (ctx: RunContext, input: Json) => Promise<Json>;
