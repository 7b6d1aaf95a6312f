/**
 * A branch of a run: the {@linkcode RunContext} that a run's function sees. The root branch is the
 * run; groups and parallel branches get one that can be stopped by itself.
 *
 * Boundary: steps, waits, groups. What branches share is in `active_run.ts`.
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
import type { Usage } from "../../telemetry/mod.ts";
import type { ActiveRun } from "./active_run.ts";
import { runAll } from "./all.ts";
import { attempt, type StepFunction, timedOut } from "./attempt.ts";
import { type ChildEnd, childRecord, childSignal, endOf, makeChild } from "./child.ts";
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
  WaitOptions,
  WaitOutcome,
} from "./context.ts";
import type { EventBody, Json } from "./events.ts";
import type { StepRecord } from "./history.ts";
import { retryDelay } from "./retry.ts";
import { endsAt, remaining } from "./spending.ts";
import type { Stop } from "./stop.ts";

/** Errors with which a branch stops that leaves a run within this one behind. */
const STOPS = ["run_cancelled", "branch_stopped", "step_timeout"];

/** One branch. Has no state of its own. */
export class Branch implements RunContext {
  constructor(private readonly active: ActiveRun, private readonly stop: Stop) {}

  get run(): RunInfo {
    return this.active.info;
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  async step<T extends Json>(
    key: string,
    fn: StepFunction<T>,
    options: StepOptions = {},
  ): Promise<T> {
    const known = this.recall(key);
    if (known?.done) return known.done.output as T;
    const { active, stop } = this;
    if (known?.open && options.effect === "at_most_once") throw this.giveUp(key, known);
    if (known?.failed) await this.rest(key, Date.parse(known.failed.retry_at!));
    for (let n = (known?.attempts ?? 0) + 1;; n++) {
      if (active.isGated) await active.pass(stop, key, options.effect !== "none");
      stop.check();
      if (options.effect !== "none") {
        await this.barrier(key, n, options);
        stop.check();
      }
      if (active.beforeControl) await active.beforeControl();
      const began = active.world.clock.now();
      active.waits.running++;
      let retry_at: number;
      try {
        const { timeout_ms } = options;
        const result = attempt(active, stop, fn, { key, attempt: n, timeout_ms });
        const output = result instanceof Promise ? await result : result;
        this.finish(key, n, output ?? null, began, options);
        if (active.beforeControl) await active.beforeControl();
        return output;
      } catch (thrown) {
        const error = toOrchestratorError(thrown);
        const at = this.failed(key, n, error, options);
        if (at === undefined) {
          if (active.beforeControl) await active.beforeControl();
          throw error;
        }
        retry_at = at;
      } finally {
        active.waits.running--;
      }
      await active.journal.flush();
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
    const { active, stop } = this;
    const { kind, timeout_ms } = options;
    if (active.isGated && !known) await active.pass(stop, key, false);
    const began = this.begin(key, known, { kind, reusable: true });
    const { inner, leave } = stop.fork();
    const disarm = this.arm(key, inner, began, timeout_ms);
    try {
      const output = await fn(new Branch(active, inner));
      stop.check();
      this.complete(key, output ?? null, { began, kind });
      return output;
    } catch (thrown) {
      stop.check();
      const error = inner.reason ?? toOrchestratorError(thrown);
      if (error.kind === "cancelled" || error.code === "store_unavailable") throw error;
      this.fail(key, 1, error);
      throw error;
    } finally {
      disarm();
      leave();
    }
  }

  all<T>(
    branches: ((ctx: RunContext) => Promise<T>)[],
    options: AllOptions = {},
  ): Promise<PromiseSettledResult<T>[]> {
    const { active, stop } = this;
    const begin = (inner: Stop) => {
      const ctx = new Branch(active, inner);
      return branches.map((branch) => () => branch(ctx));
    };
    return runAll(active.waits, stop, begin, { concurrency: branches.length, ...options });
  }

  async child(key: string, request: ChildRequest): Promise<RunResult> {
    const { active } = this;
    const record = childRecord(active.record, key, request, remaining(active));
    const { id } = record;
    active.children.add(id);
    try {
      const outcome = await this.await(key, {
        kind: "pipeline",
        signal: childSignal(id),
        child: id,
        enter: () => makeChild(record, request.input, timestamp(active.world.clock.now())),
        entered: () => active.notify(id),
        end: endOf,
      });
      return endOf(outcome).result;
    } catch (error) {
      const isStopped = STOPS.includes(toOrchestratorError(error).code);
      if (isStopped && !active.isOver) active.cancelChild(id);
      throw error;
    } finally {
      if (!active.isOver) active.children.delete(id);
    }
  }

  cleanup<T>(fn: (ctx: RunContext) => Promise<T>): Promise<T> {
    return this.active.cleanup(fn);
  }

  emit(event: EventBody, options?: EmitOptions): void {
    this.active.emit(event, options);
  }

  change(commit: Commit): void {
    this.active.change(commit);
  }

  /** What is recorded under a key. @throws a recorded final failure; why the branch was stopped */
  private recall(key: string, isGroup = false): StepRecord | undefined {
    const { active } = this;
    active.use(key);
    const known = active.history.steps.get(key);
    if (known?.done) return known;
    if (known?.failed && !known.failed.retry_at) throw fromErrorJson(known.failed.error);
    // What began in a group is known again only by going inside.
    if (!isGroup || !known?.open) this.stop.check();
    return known;
  }

  /** The start of a wait or group is journaled once. @returns when that was, in milliseconds */
  private begin(
    step: string,
    known: StepRecord | undefined,
    { kind, child, reusable }: Pick<AwaitOptions, "kind" | "child" | "reusable">,
  ): number {
    if (known) return known.began;
    this.active.journal.cut();
    const more = { kind, passive: true as const, child, ...onlyTrue({ reusable }) };
    return Date.parse(this.active.append({ type: "step.started", step, attempt: 1, ...more }).at);
  }

  private async await(key: string, options: AwaitOptions): Promise<Json> {
    const known = this.recall(key);
    if (known?.done) return known.done.output;
    const { active, stop } = this;
    const { signal: name } = options;
    if (active.isGated) await active.pass(stop, key, false);
    const began = this.begin(key, known, options);
    if (!known && options.enter) active.change(options.enter());
    options.entered?.();
    const until = untilOf(options, began);
    while (true) {
      const signal = name === undefined ? undefined : active.take(name);
      const over = until !== undefined && until <= active.world.clock.now();
      if (signal) {
        return await this.settle(key, { signal: signal.payload }, options, began, signal.seq);
      }
      if (over) return await this.settle(key, { timed_out: true }, options, began);
      await active.waits.park(stop, { step: key, signal: name, until });
    }
  }

  private async settle(
    key: string,
    outcome: WaitOutcome,
    { settle, end, binding, kind, signal: name }: AwaitOptions,
    began: number,
    signal?: number,
  ): Promise<Json> {
    const change = await settle?.(outcome);
    this.stop.check();
    if (change) this.active.change(change);
    const child = end?.(outcome as Json);
    const binds = child ? child.binding : binding ?? name !== undefined;
    const more = {
      usage: child?.usage,
      calls: child?.calls,
      signal,
      ...onlyTrue({ binding: binds }),
    };
    this.complete(key, outcome as Json, { began, kind, ...more });
    return outcome as Json;
  }

  /** Invariant 1. */
  private barrier(key: string, n: number, { kind, reusable }: StepOptions): Promise<unknown> {
    const { active } = this;
    const reuse = reusable ? true as const : undefined;
    active.append({ type: "step.started", step: key, attempt: n, kind, reusable: reuse });
    return active.journal.flush();
  }

  private finish(
    key: string,
    n: number,
    output: Json,
    began: number,
    { kind, usage }: StepOptions,
  ): void {
    this.active.feed.settle(key);
    this.complete(key, output, { began, kind, attempt: n, usage: usage?.(output) });
  }

  /** Journals a failure. @returns when the next attempt begins, if there is one */
  private failed(
    key: string,
    n: number,
    error: OrchestratorError,
    { effect, retry, spent }: StepOptions,
  ): number | undefined {
    const { feed, world } = this.active;
    const usage = spent?.();
    this.interrupted(key, usage);
    feed.settle(key);
    const delay = retryDelay(effect === "at_most_once" ? [] : retry, n, error, world.random);
    const at = delay === undefined ? undefined : world.clock.now() + delay;
    this.fail(key, n, error, { at, usage });
    return at;
  }

  /** Invariant 4: a step that its branch's stop interrupted records that, if the run itself continues. */
  private interrupted(step: string, usage?: Usage): void {
    const { active, stop: { reason } } = this;
    if (!reason) return;
    const { code } = reason;
    if ((code === "branch_stopped" || code === "step_timeout") && !active.isOver) {
      active.feed.settle(step);
      active.append({ type: "step.skipped", step, reason: code, usage });
    }
    throw reason;
  }

  private complete(
    step: string,
    output: Json,
    { began, attempt = 1, kind, usage, calls, signal, binding }: {
      began: number;
      attempt?: number;
      kind?: string;
      usage?: Usage;
      calls?: number;
      signal?: number;
      binding?: true;
    },
  ): void {
    this.active.append({
      type: "step.completed",
      step,
      attempt,
      kind,
      output,
      duration_ms: this.active.world.clock.now() - began,
      usage,
      calls,
      signal,
      binding,
    });
  }

  private fail(
    step: string,
    n: number,
    error: OrchestratorError,
    { at, usage }: { at?: number; usage?: Usage } = {},
  ): void {
    const retry_at = at === undefined ? undefined : timestamp(at);
    const event = { step, attempt: n, error: toErrorJson(error), usage, retry_at };
    this.active.append({ type: "step.failed", ...event });
  }

  /** The outcome of an at-most-once effect is unknown: it must not be tried again. */
  private giveUp(key: string, known: StepRecord): OrchestratorError {
    const error = new OrchestratorError(
      "effect_unknown",
      `Step ${key} may run at most once and was interrupted. Check its effect by hand, then redrive or restart the run.`,
    );
    this.fail(key, known.attempts, error);
    return error;
  }

  /** A pause between attempts. Time that is spent before its end is noticed then, not afterwards. */
  private async rest(step: string, until: number): Promise<void> {
    const { active, stop } = this;
    const { clock } = active.world;
    const isSpent = () => endsAt(active) <= clock.now();
    while (clock.now() < until) {
      if (isSpent()) await active.pass(stop, step, true);
      const wake = isSpent() ? until : Math.min(until, endsAt(active));
      await active.waits.park(stop, { step, until: wake });
    }
  }

  /** Stops a group when its time is over. @returns what calls that off */
  private arm(key: string, inner: Stop, began: number, timeout_ms?: number): () => void {
    if (timeout_ms === undefined) return () => {};
    const { waits, world: { clock } } = this.active;
    const over = new AbortController();
    const at = began + timeout_ms;
    const wake = async () => {
      while (clock.now() < at) await waits.nap(at - clock.now(), over);
      inner.stop(timedOut(key, timeout_ms));
    };
    waits.setDeadline(key, at);
    if (clock.now() >= at) inner.stop(timedOut(key, timeout_ms));
    else wake().catch(() => {});
    return () => {
      over.abort();
      waits.setDeadline(key, undefined);
    };
  }
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

/** Journals hold a flag only where it is set. */
function onlyTrue<K extends string>(flags: { [key in K]?: boolean }): { [key in K]?: true } {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value)) as never;
}
