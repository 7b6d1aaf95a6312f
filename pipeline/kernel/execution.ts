/**
 * One run being advanced by this process: the {@linkcode RunContext} that its function sees.
 *
 * Boundary: owns the run's steps and its end. Appends to the journal, knows no store and no claim.
 *
 * Invariants
 * 1. **Barrier.** Before a step with an effect runs, everything before it and its own `step.started`
 *    are on disk.
 * 2. A step with a recorded result never runs again; a recorded final failure is thrown again.
 * 3. A result is appended before the function sees it. It shares a commit with whatever the function
 *    does next, so a step costs one commit, not two.
 * 4. After the end, or after the journal has closed, nothing is appended.
 *
 * @module
 */
import {
  fromErrorJson,
  OrchestratorError,
  toErrorJson,
  toOrchestratorError,
} from "../../errors.ts";
import type { Commit } from "../../store/mod.ts";
import { addUsage, type Usage } from "../../telemetry/usage.ts";
import { attempt } from "./attempt.ts";
import { timestamp, type World } from "./clock.ts";
import type {
  RetryPolicy,
  RunContext,
  RunFunction,
  RunInfo,
  StepOptions,
  StepScope,
} from "./context.ts";
import type { EventBody, Json } from "./events.ts";
import type { Feed } from "./feed.ts";
import { type History, identity, type StepRecord } from "./history.ts";
import { DEFAULT_RETRY, retryDelay } from "./retry.ts";
import type { RunJournal } from "./run_journal.ts";
import type { RunResult } from "./runs.ts";

/** What an execution needs. */
export interface ExecutionDeps {
  world: World;
  journal: RunJournal;
  feed: Feed;
}

/** Advances one run. */
export class Execution implements RunContext {
  private readonly abort = new AbortController();
  private readonly used = new Set<string>();
  private usage: Usage;
  private ended = false;

  constructor(
    readonly run: RunInfo,
    private readonly history: History,
    private readonly deps: ExecutionDeps,
  ) {
    this.usage = history.usage;
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Makes the function stop: its steps reject with `reason`. */
  stop(reason: OrchestratorError): void {
    this.abort.abort(reason);
  }

  /**
   * Runs the function to its end.
   *
   * @returns how the run ended; the caller journals it
   * @throws why the run cannot go on in this process: fenced, store gone, shutting down
   */
  async advance(fn: RunFunction): Promise<RunResult> {
    try {
      this.signal.throwIfAborted();
      const output = await fn(this, this.history.input) ?? null;
      return { status: "completed", output, usage: this.usage };
    } catch (error) {
      return this.judge(toOrchestratorError(error));
    } finally {
      this.ended = true;
    }
  }

  async step<T extends Json>(
    key: string,
    fn: (scope: StepScope) => T | Promise<T>,
    options: StepOptions = {},
  ): Promise<T> {
    this.use(key);
    const known = this.history.steps.get(key);
    if (known?.done) return known.done.output as T;
    if (known?.failed && !known.failed.retry_at) throw fromErrorJson(known.failed.error);
    if (known?.open && options.effect === "at_most_once") throw this.giveUp(key, known);
    const retry: RetryPolicy = { ...DEFAULT_RETRY, ...[options.retry ?? []].flat()[0] };
    if (known?.failed) await this.sleepUntil(Date.parse(known.failed.retry_at!));
    for (let n = (known?.attempts ?? 0) + 1;; n++) {
      const result = await this.tryStep(key, n, fn, options, retry);
      if ("output" in result) return result.output;
      await this.deps.journal.flush();
      await this.sleepUntil(result.retry_at);
    }
  }

  emit(event: EventBody): void {
    if (this.history.emitted.has(identity(event))) return;
    this.append(event);
    if ("usage" in event && event.usage) this.usage = addUsage(this.usage, event.usage);
  }

  change(commit: Commit): void {
    this.deps.journal.change(commit);
  }

  wait(): never {
    throw new Error("not yet");
  }

  group(): never {
    throw new Error("not yet");
  }

  all(): never {
    throw new Error("not yet");
  }

  child(): never {
    throw new Error("not yet");
  }

  cleanup(): never {
    throw new Error("not yet");
  }

  private async tryStep<T extends Json>(
    key: string,
    n: number,
    fn: (scope: StepScope) => T | Promise<T>,
    options: StepOptions,
    retry: RetryPolicy,
  ): Promise<{ output: T } | { retry_at: number }> {
    const { clock, random } = this.deps.world;
    this.signal.throwIfAborted();
    if (options.effect !== "none") await this.barrier(key, n, options.kind);
    const started = clock.now();
    try {
      const output = await this.attempt(key, n, fn, options);
      this.deps.feed.settle(key);
      this.append({
        type: "step.completed",
        step: key,
        attempt: n,
        kind: options.kind,
        output: output ?? null,
        duration_ms: clock.now() - started,
      });
      return { output };
    } catch (thrown) {
      this.signal.throwIfAborted();
      this.deps.feed.settle(key);
      const error = toOrchestratorError(thrown);
      const limit = options.effect === "at_most_once" ? { ...retry, max_attempts: 1 } : retry;
      const delay = retryDelay(limit, n, error, random);
      const at = delay === undefined ? undefined : clock.now() + delay;
      this.fail(key, n, error, at);
      if (at === undefined) throw error;
      return { retry_at: at };
    }
  }

  /** Invariant 1. */
  private async barrier(key: string, n: number, kind?: string): Promise<void> {
    this.append({ type: "step.started", step: key, attempt: n, kind });
    await this.deps.journal.flush();
    this.signal.throwIfAborted();
  }

  private attempt<T>(
    key: string,
    n: number,
    fn: (scope: StepScope) => T | Promise<T>,
    options: StepOptions,
  ): Promise<T> {
    const { feed, world } = this.deps;
    const id = `${this.run.id}/${key}`;
    const run = (signal: AbortSignal) =>
      fn({
        key,
        attempt: n,
        idempotency_key: id,
        signal,
        delta: (text) => feed.delta(key, text),
        reset: () => feed.reset(key),
      });
    const { timeout_ms } = options;
    return attempt(run, {
      signal: this.signal,
      clock: world.clock,
      what: `step ${key}`,
      timeout_ms,
    });
  }

  private fail(step: string, n: number, error: OrchestratorError, at?: number): void {
    const retry_at = at === undefined ? undefined : timestamp(at);
    this.append({ type: "step.failed", step, attempt: n, error: toErrorJson(error), retry_at });
  }

  /** The outcome of an at-most-once effect is unknown: it must not be tried again. */
  private giveUp(key: string, known: StepRecord): OrchestratorError {
    const error = new OrchestratorError(
      "effect_unknown",
      `Cannot repeat step ${key}: it may run at most once and was interrupted. Check its effect by hand, then redrive or restart the run.`,
    );
    this.fail(key, known.attempts, error);
    return error;
  }

  private append(event: EventBody): void {
    if (this.ended) throw new Error(`Cannot append ${event.type}: the run's function has returned`);
    this.deps.journal.append(event);
  }

  private use(key: string): void {
    if (this.used.has(key)) {
      throw new OrchestratorError(
        "internal",
        `Cannot run step ${key}: this run has another step of that name. Give each step its own key.`,
      );
    }
    this.used.add(key);
  }

  private async sleepUntil(at: number): Promise<void> {
    const { clock } = this.deps.world;
    const ms = at - clock.now();
    if (ms > 0) await clock.sleep(ms, this.signal);
  }

  /** Cancelled runs end as cancelled; other `cancelled` errors mean that this process must let go. */
  private judge(error: OrchestratorError): RunResult {
    const stopped = this.signal.aborted ? toOrchestratorError(this.signal.reason) : error;
    if (stopped.code === "run_cancelled") {
      return { status: "cancelled", reason: stopped.details?.reason as string | undefined };
    }
    if (stopped.kind === "cancelled" || stopped.code === "store_unavailable") throw stopped;
    return { status: "failed", error: toErrorJson(stopped) };
  }
}
