/**
 * Advances the runs that this process holds, a limited number at a time.
 *
 * Boundary: takes claimed (or just created) runs, gives each a slot, drives it to its end and
 * journals that. It neither creates nor finds runs.
 *
 * Invariants
 * 1. At most `concurrency` runs are driven at once; the others wait in order of arrival.
 * 2. A run leaves `active` exactly once: ended or suspended (both on disk), or released (closed
 *    journal, in `orphans`). Who watches it then follows it through the store.
 * 3. What can never be written ends its run as failed; only what may pass is tried again.
 * 4. A run that was interrupted by a crash is a suspect until it gets somewhere (`suspects.ts`).
 *
 * @module
 */
import {
  type ErrorJson,
  type OrchestratorError,
  toErrorJson,
  toOrchestratorError,
} from "../../errors.ts";
import type { Store } from "../../store/mod.ts";
import { NO_USAGE } from "../../telemetry/mod.ts";
import type { ActiveRun, Suspension } from "./active_run.ts";
import type { World } from "./clock.ts";
import type { RunFunction, RunResult } from "./context.ts";
import { type ChildEnd, childSignal } from "./child.ts";
import { type EventBody, isTooLarge, type Json } from "./events.ts";
import type { Programs, RunRecord } from "./runs.ts";
import { ReadyQueue } from "./ready_queue.ts";
import type { Slots } from "./slots.ts";
import { type FlightRecorder, Suspects } from "./suspects.ts";
import { createRun, endRun, suspendRun } from "./transitions.ts";

/** Where the kernel reports what no caller can hear. */
export interface KernelLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** Sees the start and the end of every run, once they are on disk. Must not throw. */
export interface RunObserver {
  /** A run was made, also as a repetition of another one. */
  started(run: RunRecord, input: Json): void;
  /** @param at when, as an ISO timestamp */
  ended(run: RunRecord, result: RunResult, at: string): void;
}

/** What a runner needs. */
export interface RunnerOptions {
  store: Store;
  world: World;
  log: KernelLog;
  slots: Slots;
  flight: FlightRecorder;
  observer?: RunObserver;
  /** Runs driven at once. */
  concurrency: number;
}

/** Drives runs. */
export class Runner {
  /** Every run this process holds, by name. */
  readonly active = new Map<string, ActiveRun>();
  /** Runs that had to be released although their claim is still ours. */
  readonly orphans = new Map<string, ActiveRun>();
  private readonly ready = new ReadyQueue();
  private readonly suspects: Suspects;
  private readonly arrivals = new Map<string, Set<() => void>>();
  private programs?: Programs;
  private running = 0;
  private idle?: PromiseWithResolvers<void>;
  /** False since the store last failed to take a commit. */
  storeOk = true;
  stopped = false;
  /**
   * Called when a run has left this process, was suspended or has ended (`next`: the next in the queue).
   * Must not throw.
   */
  onGone: (run: ActiveRun) => void = () => {};
  onAside: (run: RunRecord, due?: number) => void = () => {};
  onEnd: (run: RunRecord, next?: string) => void = () => {};
  /** Called when a commit of a run was refused and it should be read again now. Must not throw. */
  onRefused: (run: RunRecord) => void = () => {};
  /** Runs that were read again at once since the last sweep: the next time they wait for it. */
  readonly hurried = new Set<string>();

  constructor(private readonly options: RunnerOptions) {
    this.suspects = new Suspects(options.flight, options.world.clock);
  }

  /** Gets the code of runs. Before that no run may be taken. */
  open(programs: Programs): void {
    this.programs = programs;
  }

  get runningCount(): number {
    return this.running;
  }

  get queuedCount(): number {
    return this.ready.size + this.suspects.waiting;
  }

  queuedOf(tenant: string): number {
    return this.ready.sizeOf(tenant);
  }

  /** True when a run would be driven at once. */
  get hasSlot(): boolean {
    return this.running < this.options.concurrency && this.ready.size === 0;
  }

  /** Calls `fn` once this process holds the run. @returns what calls that off */
  onArrival(name: string, fn: () => void): () => void {
    const waiting = this.arrivals.get(name) ?? new Set();
    this.arrivals.set(name, waiting.add(fn));
    return () => {
      waiting.delete(fn);
      if (waiting.size === 0 && this.arrivals.get(name) === waiting) this.arrivals.delete(name);
    };
  }

  /** This process holds the run; it is not driven yet. */
  hold(run: ActiveRun): void {
    this.active.set(run.name, run);
    this.orphans.delete(run.name);
    const waiting = this.arrivals.get(run.name);
    this.arrivals.delete(run.name);
    for (const fn of waiting ?? []) fn();
  }

  /** Takes a run; drives it now or when a slot is free. */
  take(run: ActiveRun): void {
    if (this.active.get(run.name) !== run) this.hold(run);
    if (run.history.crashes > 0) this.suspects.admit(run, () => this.enqueue(run));
    else this.enqueue(run);
  }

  private enqueue(run: ActiveRun): void {
    if (this.hasSlot) this.drive(run);
    else this.ready.push(run);
  }

  /** A run that was refused when it was created waits for no slot. */
  drop(run: ActiveRun): void {
    if (this.ready.remove(run)) this.active.delete(run.name);
  }

  /** Makes a run stop, also one that still waits for a slot. */
  stop(run: ActiveRun, reason: OrchestratorError): void {
    run.stop(reason);
    if (this.suspects.remove(run) || this.ready.remove(run)) this.drive(run);
  }

  /** Takes no slot for waiting runs any more; resolves when no run is being driven. */
  settle(): Promise<void> {
    this.stopped = true;
    this.ready.clear();
    this.suspects.close();
    if (this.running === 0) return Promise.resolve();
    this.idle ??= Promise.withResolvers();
    return this.idle.promise;
  }

  private drive(run: ActiveRun): void {
    this.running++;
    this.advance(run)
      .catch((error) => this.fail(run, error))
      .catch((error) => this.letGo(run, error))
      .finally(() => {
        this.running--;
        if (this.running === 0) this.idle?.resolve();
        this.next();
      });
  }

  private next(): void {
    if (this.stopped || this.running >= this.options.concurrency) return;
    const run = this.ready.shift();
    if (run) this.drive(run);
  }

  private async advance(run: ActiveRun): Promise<void> {
    if (run.record.status === "queued") {
      run.record = { ...run.record, status: "running" };
      run.journal.change(createRun(run.record, this.options.store.worker));
    }
    // A resumed run says so on disk first: a crash in its first moments must be counted.
    if (run.history.seq > 0 || !run.early) await run.journal.flush();
    const loading = this.load(run.record);
    const program = loading instanceof Promise ? await loading : loading;
    if (run.beforeControl) await run.beforeControl();
    const result = await run.advance(program);
    if (result.status === "suspended") await this.putAside(run, result);
    else await this.end(run, result);
  }

  private async putAside(run: ActiveRun, suspension: Suspension): Promise<void> {
    const { due, waiting_for, paused } = suspension;
    run.record = { ...run.record, status: paused ? "paused" : "waiting", waiting_for };
    run.journal.change(suspendRun(run.record, due));
    await run.journal.flush();
    this.storeOk = true;
    this.active.delete(run.name);
    this.leave(run);
    this.onAside(run.record, due);
  }

  /** Whoever watches the run has to look for it in the store from now on. */
  private leave(run: ActiveRun): void {
    run.gone = true;
    run.feed.close();
    this.onGone(run);
  }

  /** A program that cannot be had fails its run. */
  private load(run: RunRecord): RunFunction | Promise<RunFunction> {
    const failing = (error: unknown): RunFunction => () => Promise.reject(error);
    try {
      const program = this.programs!(run);
      return program instanceof Promise ? program.catch(failing) : program;
    } catch (error) {
      return failing(error);
    }
  }

  private async end(run: ActiveRun, result: RunResult): Promise<void> {
    const { record, journal } = run;
    const left = record.slot && await this.options.slots.leave(run);
    if (left) journal.change(left.commit);
    for (const child of run.children) run.cancelChild(child);
    const { seq, at } = journal.append(endEvent(result));
    journal.change(endRun(record, result, at, seq));
    if (record.parent) this.tellParent(run, result);
    await journal.flush();
    if (left?.had) this.options.slots.release(record, left.next);
    this.storeOk = true;
    run.ended = true;
    this.active.delete(run.name);
    run.result.resolve(result);
    if (result.status === "failed") this.report(record, result.error);
    this.options.observer?.ended(record, result, at);
    this.onEnd(record, left?.next);
  }

  /** Invariant 3. @throws `thrown` when it may pass, or when nothing of the run is on disk */
  private async fail(run: ActiveRun, thrown: unknown): Promise<void> {
    if (!isTooLarge(thrown) || !await run.journal.giveUp(thrown)) throw thrown;
    run.stop(toOrchestratorError(thrown));
    const { usage } = run.history;
    await this.end(run, { status: "failed", error: toErrorJson(thrown), usage });
  }

  /** Whoever looks after the server must not have to ask for what failed. */
  private report({ id, pipeline }: RunRecord, { code, message: reason }: ErrorJson): void {
    this.options.log.warn("run failed", { run_id: id, pipeline, code, reason });
  }

  /** The end of a run within a run is a signal to the one around it, in the same commit. */
  private tellParent({ record, journal, history }: ActiveRun, result: RunResult): void {
    const { parent, tenant, id } = record;
    const { calls, bound: binding } = history;
    const end: ChildEnd = { result, usage: result.usage ?? NO_USAGE, calls, binding };
    const payload = end as unknown as Json;
    const name = childSignal(id);
    const { newId } = this.options.world;
    journal.send(tenant, parent!.run, newId(), { type: "signal", name, payload });
  }

  private letGo(run: ActiveRun, thrown: unknown): void {
    const error = toOrchestratorError(thrown);
    run.journal.close(error);
    run.stop(error);
    if (this.active.get(run.name) === run) this.active.delete(run.name);
    if (error.code === "store_unavailable") this.storeOk = false;
    if (error.code === "shutting_down" || error.code === "worker_fenced") return;
    const { id: run_id } = run.record;
    this.options.log.warn("run released, will be claimed again", { run_id, code: error.code });
    run.refused = error.code === "conflict";
    this.orphans.set(run.name, run);
    this.leave(run);
    if (!run.refused || this.stopped || this.hurried.has(run.name)) return;
    this.hurried.add(run.name);
    this.onRefused(run.record);
  }
}

function endEvent(result: RunResult): EventBody {
  switch (result.status) {
    case "completed":
      return { type: "run.completed", output: result.output, usage: result.usage };
    case "failed":
      return { type: "run.failed", error: result.error, usage: result.usage };
    case "cancelled": {
      const { reason, error, usage } = result;
      return { type: "run.cancelled", reason, error, usage };
    }
  }
}
