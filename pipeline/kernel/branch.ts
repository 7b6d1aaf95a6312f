/**
 * A branch of a run: the {@linkcode RunContext} that a run's function sees. The root branch is the
 * run; groups and parallel branches get one that can be stopped by itself.
 *
 * Boundary: steps, waits, groups. What branches share is in `execution.ts`.
 *
 * Invariants
 * 1. **Barrier.** Before a step with an effect runs, everything before it and its own `step.started`
 *    are on disk.
 * 2. A step, wait or group with a recorded result never runs again; a recorded final failure is
 *    thrown again. Both hold also when the run is being cancelled, so that a replay gets as far as
 *    the execution before it did.
 * 3. A result is appended before the function sees it. It shares a commit with whatever the function
 *    does next, so a step costs one commit, not two.
 * 4. A branch that is stopped records no result and no failure.
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
import { childRecord, childSignal, makeChild } from "./child.ts";
import { timestamp } from "./clock.ts";
import type {
  AllOptions,
  ChildRequest,
  EmitOptions,
  GroupOptions,
  RunContext,
  RunInfo,
  RunResult,
  StepOptions,
  StepScope,
  WaitOptions,
  WaitOutcome,
} from "./context.ts";
import type { EventBody, Json } from "./events.ts";
import type { Execution, Stoppable } from "./execution.ts";
import type { StepRecord } from "./history.ts";
import { retryDelay } from "./retry.ts";
import type { Usage } from "../../telemetry/mod.ts";

/** One branch. */
export class Branch implements RunContext, Stoppable {
  /** Why it was stopped. */
  reason?: OrchestratorError;
  /** Made when a signal is asked for: most branches are never stopped. */
  private controller?: AbortController;
  private stops?: Set<() => void>;

  constructor(private readonly execution: Execution) {}

  get run(): RunInfo {
    return this.execution.run;
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.reason) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  stop(reason: OrchestratorError): void {
    if (this.reason) return;
    this.reason = reason;
    this.controller?.abort(reason);
    for (const stop of this.stops ?? []) stop();
  }

  onStop(fn: () => void): void {
    (this.stops ??= new Set()).add(fn);
  }

  offStop(fn: () => void): void {
    this.stops?.delete(fn);
  }

  async step<T extends Json>(
    key: string,
    fn: (scope: StepScope) => T | Promise<T>,
    options: StepOptions = {},
  ): Promise<T> {
    const known = this.recall(key);
    if (known?.done) return known.done.output as T;
    const { execution } = this;
    if (known?.open && options.effect === "at_most_once") throw this.giveUp(key, known);
    if (known?.failed) await this.rest(key, Date.parse(known.failed.retry_at!));
    for (let n = (known?.attempts ?? 0) + 1;; n++) {
      if (execution.isGated) await execution.pass(this, key, options.effect !== "none");
      this.check();
      if (options.effect !== "none") {
        await this.barrier(key, n, options);
        this.check();
      }
      if (execution.beforeControl) await execution.beforeControl();
      const began = execution.world.clock.now();
      execution.running++;
      let retry_at: number;
      try {
        const result = this.attempt(key, n, fn, options);
        const output = result instanceof Promise ? await result : result;
        this.finish(key, n, output, began, options);
        if (execution.beforeControl) await execution.beforeControl();
        return output;
      } catch (thrown) {
        const error = toOrchestratorError(thrown);
        const at = this.failed(key, n, error, options);
        if (at === undefined) {
          if (execution.beforeControl) await execution.beforeControl();
          throw error;
        }
        retry_at = at;
      } finally {
        execution.running--;
      }
      await execution.journal.flush();
      await this.rest(key, retry_at);
    }
  }

  async wait(key: string, options: WaitOptions): Promise<WaitOutcome> {
    return await this.await(key, options) as WaitOutcome;
  }

  async group<T extends Json>(
    key: string,
    fn: (ctx: RunContext) => Promise<T>,
    options: GroupOptions = {},
  ): Promise<T> {
    const known = this.recall(key, true);
    if (known?.done) return known.done.output as T;
    const { execution } = this;
    if (execution.isGated && !known) await execution.pass(this, key, false);
    const began = this.begin(key, known, { kind: options.kind, reusable: true });
    const inner = this.fork();
    const disarm = this.arm(key, inner, began, options.timeout_ms);
    try {
      const output = await fn(inner.branch);
      this.check();
      this.complete(key, output ?? null, { began, kind: options.kind });
      return output;
    } catch (thrown) {
      this.check();
      const error = inner.branch.reason ?? toOrchestratorError(thrown);
      if (error.kind === "cancelled" || error.code === "store_unavailable") throw error;
      this.fail(key, 1, error);
      throw error;
    } finally {
      disarm();
      inner.close();
    }
  }

  async all<T>(
    branches: ((ctx: RunContext) => Promise<T>)[],
    options: AllOptions = {},
  ): Promise<PromiseSettledResult<T>[]> {
    const { concurrency = branches.length, tolerate = 0 } = options;
    if (branches.length === 0) return [];
    const { execution } = this;
    const inner = this.fork();
    const results: PromiseSettledResult<T>[] = [];
    // Stopped already: a replay, in which branches get as far as they did before.
    const isReplay = inner.branch.reason !== undefined;
    let next = 0, failures = 0, finished = 0, fatal: unknown;
    const work = async () => {
      while (next < branches.length && (isReplay ? fatal === undefined : !inner.branch.reason)) {
        const at = next++;
        try {
          results[at] = { status: "fulfilled", value: await branches[at]!(inner.branch) };
        } catch (reason) {
          results[at] = { status: "rejected", reason };
          const stopped = reason === inner.branch.reason ||
            toOrchestratorError(reason).kind === "cancelled";
          if (!stopped && ++failures <= tolerate) continue;
          fatal ??= reason;
          inner.branch.stop(branchStopped());
        }
      }
    };
    // The branch that waits for the others is none that could go on itself.
    const count = Math.max(1, Math.min(concurrency, branches.length));
    execution.branches += count - 1;
    await Promise.all(Array.from({ length: count }, async () => {
      await work();
      if (++finished === count) return;
      execution.branches--;
      execution.look();
    }));
    inner.close();
    this.check();
    if (fatal !== undefined) throw fatal;
    return results;
  }

  async child(key: string, request: ChildRequest): Promise<RunResult> {
    const { execution } = this;
    const record = childRecord(execution.run, key, request, execution.spending.remaining);
    const { id } = record;
    execution.children.add(id);
    try {
      const outcome = await this.await(key, {
        kind: "pipeline",
        signal: childSignal(id),
        child: id,
        enter: () => makeChild(record, request.input, timestamp(execution.world.clock.now())),
        entered: () => execution.spawned(id),
        end: endOf,
      });
      return endOf(outcome).result;
    } catch (error) {
      const stopped = toOrchestratorError(error).code;
      const stops = ["run_cancelled", "branch_stopped", "step_timeout"];
      if (stops.includes(stopped) && !execution.isOver) execution.cancelChild(id);
      throw error;
    } finally {
      if (!execution.isOver) execution.children.delete(id);
    }
  }

  cleanup<T>(fn: (ctx: RunContext) => Promise<T>): Promise<T> {
    return this.execution.cleanup(fn);
  }

  emit(event: EventBody, options?: EmitOptions): void {
    this.execution.emit(event, options);
  }

  change(commit: Commit): void {
    this.execution.change(commit);
  }

  /** What is recorded under a key. @throws a recorded final failure; why the branch was stopped */
  private recall(key: string, isGroup = false): StepRecord | undefined {
    const { execution } = this;
    execution.use(key);
    const known = execution.history.steps.get(key);
    if (known?.done) return known;
    if (known?.failed && !known.failed.retry_at) throw fromErrorJson(known.failed.error);
    // What began in a group is known again only by going inside.
    if (!isGroup || !known?.open) this.check();
    return known;
  }

  /** The start of a wait or group is journaled once. @returns when that was, in milliseconds */
  private begin(
    key: string,
    known: StepRecord | undefined,
    { kind, child, reusable }: { kind?: string; child?: string; reusable?: boolean },
  ): number {
    if (known) return known.began;
    this.execution.journal.cut();
    const more = {
      ...(child === undefined ? {} : { child }),
      ...(reusable ? { reusable: true as const } : {}),
    };
    const event = { step: key, attempt: 1, kind, passive: true as const, ...more };
    return Date.parse(this.execution.append({ type: "step.started", ...event }).at);
  }

  private async await(key: string, options: AwaitOptions): Promise<Json> {
    const known = this.recall(key);
    if (known?.done) return known.done.output;
    const { execution } = this;
    const { signal: name, kind } = options;
    if (execution.isGated) await execution.pass(this, key, false);
    const began = this.begin(key, known, options);
    if (!known && options.enter) execution.change(options.enter());
    options.entered?.();
    const until = untilOf(options, began);
    while (true) {
      const signal = name === undefined ? undefined : execution.take(name);
      const over = until !== undefined && until <= execution.world.clock.now();
      if (signal || over) {
        const outcome: WaitOutcome = signal ? { signal: signal.payload } : { timed_out: true };
        const change = await options.settle?.(outcome);
        this.check();
        if (change) execution.change(change);
        const end = options.end?.(outcome as Json);
        const binding = end ? end.binding : options.binding ?? name !== undefined;
        const more = { began, kind, usage: end?.usage, signal: signal?.seq, binding };
        this.complete(key, outcome as Json, more);
        return outcome as Json;
      }
      await execution.park(this, { step: key, signal: name, until });
    }
  }

  /** Invariant 1. */
  private barrier(key: string, n: number, { kind, reusable }: StepOptions): Promise<unknown> {
    const { execution } = this;
    const reuse = reusable ? true as const : undefined;
    execution.append({ type: "step.started", step: key, attempt: n, kind, reusable: reuse });
    execution.spending.call();
    return execution.journal.flush();
  }

  /** Runs `fn` until it settles, the branch is stopped or the time is over, whichever is first. */
  private attempt<T>(
    key: string,
    n: number,
    fn: (scope: StepScope) => T | Promise<T>,
    { timeout_ms }: StepOptions,
  ): T | Promise<T> {
    if (timeout_ms !== undefined) return this.timed(key, n, fn, timeout_ms);
    const result = fn(new Attempt(this.execution, key, n, this));
    return result instanceof Promise ? this.unlessStopped(result) : result;
  }

  private async timed<T>(
    key: string,
    n: number,
    fn: (scope: StepScope) => T | Promise<T>,
    timeout_ms: number,
  ): Promise<T> {
    const inner = this.fork();
    const over = new AbortController();
    this.execution.world.clock.sleep(timeout_ms, over.signal).then(
      () => inner.branch.stop(timedOut(`step ${key}`, timeout_ms)),
      () => {},
    );
    try {
      const result = fn(new Attempt(this.execution, key, n, inner.branch));
      return await (result instanceof Promise ? inner.branch.unlessStopped(result) : result);
    } finally {
      inner.close();
      over.abort(SETTLED);
    }
  }

  /** Settles as `result` does, or rejects when the branch is stopped first. */
  private unlessStopped<T>(result: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = () => reject(this.reason);
      this.onStop(stop);
      result.then(
        (value) => (this.offStop(stop), resolve(value)),
        (error) => (this.offStop(stop), reject(error)),
      );
    });
  }

  /** @throws why the branch was stopped */
  private check(): void {
    if (this.reason) throw this.reason;
  }

  private finish(key: string, n: number, output: Json, began: number, options: StepOptions): void {
    this.execution.feed.settle(key);
    const usage = options.usage?.(output ?? null);
    this.complete(key, output ?? null, { began, kind: options.kind, attempt: n, usage });
  }

  /** Journals a failure. @returns when the next attempt begins, if there is one */
  private failed(
    key: string,
    n: number,
    error: OrchestratorError,
    { effect, retry }: StepOptions,
  ): number | undefined {
    const { feed, world } = this.execution;
    this.interrupted(key);
    feed.settle(key);
    const delay = retryDelay(effect === "at_most_once" ? [] : retry, n, error, world.random);
    const at = delay === undefined ? undefined : world.clock.now() + delay;
    this.fail(key, n, error, at);
    return at;
  }

  /** Invariant 4: a step that its branch's stop interrupted says so, if the run itself goes on. */
  private interrupted(key: string): void {
    if (!this.reason) return;
    const { code } = this.reason;
    const { execution } = this;
    if ((code === "branch_stopped" || code === "step_timeout") && !execution.isOver) {
      execution.feed.settle(key);
      execution.append({ type: "step.skipped", step: key, reason: code });
    }
    throw this.reason;
  }

  private complete(
    step: string,
    output: Json,
    { began, attempt = 1, kind, usage, signal, binding }: {
      began: number;
      attempt?: number;
      kind?: string;
      usage?: Usage;
      signal?: number;
      binding?: boolean;
    },
  ): void {
    const { execution } = this;
    execution.append({
      type: "step.completed",
      step,
      attempt,
      kind,
      output,
      duration_ms: execution.world.clock.now() - began,
      usage,
      signal,
      binding: binding ? true : undefined,
    });
    if (binding) execution.history.bound = true;
    if (usage) execution.spending.add(usage);
  }

  private fail(step: string, n: number, error: OrchestratorError, at?: number): void {
    const retry_at = at === undefined ? undefined : timestamp(at);
    const event = { step, attempt: n, error: toErrorJson(error), retry_at };
    this.execution.append({ type: "step.failed", ...event });
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

  /** A pause between attempts. Time that is spent before its end is noticed then, not afterwards. */
  private async rest(step: string, until: number): Promise<void> {
    const { execution } = this;
    const { clock } = execution.world;
    const isSpent = () => execution.spending.ends <= clock.now();
    while (clock.now() < until) {
      if (isSpent()) await execution.pass(this, step, true);
      const wake = isSpent() ? until : Math.min(until, execution.spending.ends);
      await execution.park(this, { step, until: wake });
    }
  }

  /** A branch inside this one that can be stopped by itself. */
  private fork(): Fork {
    const branch = new Branch(this.execution);
    if (this.reason) branch.stop(this.reason);
    const stop = () => branch.stop(this.reason!);
    this.onStop(stop);
    return { branch, close: () => this.offStop(stop) };
  }

  /** Stops a group when its time is over. @returns what calls that off */
  private arm(key: string, inner: Fork, began: number, timeout_ms?: number): () => void {
    if (timeout_ms === undefined) return () => {};
    const { execution } = this;
    const { clock } = execution.world;
    const over = new AbortController();
    const at = began + timeout_ms;
    const wake = async () => {
      while (clock.now() < at) await execution.nap(at - clock.now(), over);
      inner.branch.stop(timedOut(`step ${key}`, timeout_ms));
    };
    execution.setDeadline(key, at);
    if (clock.now() >= at) inner.branch.stop(timedOut(`step ${key}`, timeout_ms));
    else wake().catch(() => {});
    return () => {
      over.abort();
      execution.setDeadline(key, undefined);
    };
  }
}

/** What a step's function gets. Its parts are made when they are asked for. */
class Attempt implements StepScope {
  constructor(
    private readonly execution: Execution,
    readonly key: string,
    readonly attempt: number,
    private readonly branch: Branch,
  ) {}

  get idempotency_key(): string {
    return `${this.execution.run.id}/${this.key}`;
  }

  get signal(): AbortSignal {
    return this.branch.signal;
  }

  get delta(): (text: string) => void {
    return (text) => this.execution.feed.delta(this.key, text);
  }

  get reset(): () => void {
    return () => this.execution.feed.reset(this.key);
  }
}

/** Ends a sleep that nobody waits for. Without a reason the platform makes an error with a stack. */
const SETTLED = "settled";

/** The error of something that took too long. */
function timedOut(what: string, ms: number): OrchestratorError {
  return new OrchestratorError(
    "step_timeout",
    `Cannot finish ${what}: it took longer than ${
      ms / 1000
    } s. Raise timeout_seconds or give it less to do.`,
    { kind: "retryable" },
  );
}

/** A branch with what stops it. */
interface Fork {
  branch: Branch;
  close: () => void;
}

/** How a run within a run tells of its end. */
export interface ChildEnd {
  result: RunResult;
  usage: Usage;
  /** It went by an answer to what it showed; earlier versions did not say so. */
  binding?: boolean;
}

function endOf(outcome: Json): ChildEnd {
  return (outcome as unknown as { signal: ChildEnd }).signal;
}

interface AwaitOptions extends WaitOptions {
  child?: string;
  /** Called each time, also on a replay. */
  entered?: () => void;
  /** How the run within the run ended. */
  end?: (outcome: Json) => ChildEnd;
}

function untilOf({ timeout_ms, until }: WaitOptions, began: number): number | undefined {
  const times = [until, timeout_ms === undefined ? undefined : began + timeout_ms];
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function branchStopped(): OrchestratorError {
  return new OrchestratorError(
    "branch_stopped",
    "This branch was stopped because another one failed.",
    { kind: "cancelled" },
  );
}
