/**
 * Advances the runs that this process holds, a limited number at a time.
 *
 * Boundary: takes claimed (or just created) runs, gives each a slot, drives it to its end and
 * journals that. It neither creates nor finds runs.
 *
 * Invariants
 * 1. At most `concurrency` runs are driven at once; the others wait in order of arrival.
 * 2. A run leaves `active` exactly once: ended (on disk) or let go (closed journal, in `orphans`).
 * 3. A suspect (crashed twice or more without progress) is driven while no other suspect is, so that
 *    the run that kills the process is the one whose crashes are counted.
 *
 * @module
 */
import { type OrchestratorError, toOrchestratorError } from "../../errors.ts";
import type { Store } from "../../store/mod.ts";
import type { ActiveRun } from "./active_run.ts";
import type { World } from "./clock.ts";
import type { RunFunction } from "./context.ts";
import { type EventBody, isTerminal } from "./events.ts";
import type { RunListener, RunRecord, RunResult } from "./runs.ts";
import { beginRun, endRun } from "./transitions.ts";

/** Finds the code of a run. */
export type Programs = (run: RunRecord) => RunFunction | Promise<RunFunction>;

/** Where the kernel reports what no caller can hear. */
export interface KernelLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** What a runner needs. */
export interface RunnerOptions {
  store: Store;
  world: World;
  programs: Programs;
  log: KernelLog;
  /** Runs driven at once. */
  concurrency: number;
}

/** Crashes without progress after which a run is tried alone. */
const SUSPECT_AFTER = 2;

/** Drives runs. */
export class Runner {
  /** Every run this process holds, by name. */
  readonly active = new Map<string, ActiveRun>();
  /** Runs that had to be let go though their claim is still ours. */
  readonly orphans = new Map<string, ActiveRun>();
  private readonly ready: ActiveRun[] = [];
  private readonly suspects: ActiveRun[] = [];
  private suspect?: ActiveRun;
  private running = 0;
  private idle?: PromiseWithResolvers<void>;
  /** False since the store last failed to take a commit. */
  storeOk = true;
  stopped = false;

  constructor(private readonly options: RunnerOptions) {}

  get runningCount(): number {
    return this.running;
  }

  get queuedCount(): number {
    return this.ready.length + this.suspects.length;
  }

  /** True when a run would be driven at once. */
  get hasSlot(): boolean {
    return this.running < this.options.concurrency && this.ready.length === 0;
  }

  /** Takes a run; drives it now or when a slot is free. */
  take(run: ActiveRun): void {
    this.active.set(run.name, run);
    this.orphans.delete(run.name);
    if (run.history.crashes >= SUSPECT_AFTER) {
      this.suspects.push(run);
      this.nextSuspect();
    } else if (this.hasSlot) this.drive(run);
    else this.ready.push(run);
  }

  /** Makes a run stop, also one that still waits for a slot. */
  stop(run: ActiveRun, reason: OrchestratorError): void {
    run.execution.stop(reason);
    for (const queue of [this.ready, this.suspects]) {
      const at = queue.indexOf(run);
      if (at >= 0) this.drive(queue.splice(at, 1)[0]!);
    }
  }

  /** Takes no slot for waiting runs any more; resolves when no run is being driven. */
  settle(): Promise<void> {
    this.stopped = true;
    this.ready.length = this.suspects.length = 0;
    if (this.running === 0) return Promise.resolve();
    this.idle ??= Promise.withResolvers();
    return this.idle.promise;
  }

  private drive(run: ActiveRun): void {
    this.running++;
    this.advance(run)
      .catch((error) => this.letGo(run, error))
      .finally(() => {
        this.running--;
        if (this.running === 0) this.idle?.resolve();
        if (this.suspect === run) this.suspect = undefined;
        this.nextSuspect();
        this.next();
      });
  }

  private next(): void {
    if (this.stopped || this.running >= this.options.concurrency) return;
    const run = this.ready.shift();
    if (run) this.drive(run);
  }

  private nextSuspect(): void {
    if (this.stopped || this.suspect) return;
    const run = this.suspect = this.suspects.shift();
    if (!run) return;
    const cleared: RunListener = (event) => {
      if (event.type !== "step.completed" && !isTerminal(event)) return;
      run.audience.feed.leave(cleared);
      if (this.suspect === run) this.suspect = undefined;
      this.nextSuspect();
    };
    run.audience.feed.join(cleared);
    this.drive(run);
  }

  private async advance(run: ActiveRun): Promise<void> {
    if (run.record.status === "queued") {
      run.record = { ...run.record, status: "running" };
      run.journal.change(beginRun(run.record, this.options.store.worker));
    }
    // A resumed run says so on disk first: a crash in its first moments must be counted.
    if (run.history.seq > 0) await run.journal.flush();
    const program = this.load(run.record);
    const result = await run.execution.advance(
      program instanceof Promise ? await program : program,
    );
    await this.end(run, result);
  }

  /** A program that cannot be had fails its run. */
  private load(run: RunRecord): RunFunction | Promise<RunFunction> {
    const failing = (error: unknown): RunFunction => () => Promise.reject(error);
    try {
      const program = this.options.programs(run);
      return program instanceof Promise ? program.catch(failing) : program;
    } catch (error) {
      return failing(error);
    }
  }

  private async end(run: ActiveRun, result: RunResult): Promise<void> {
    const { record, journal } = run;
    const { seq, at } = journal.append(endEvent(result));
    journal.change(endRun(record, result, at, seq));
    if (run.obeyed.length > 0) journal.write(run.obeyed.map((key) => ({ key, delete: true })));
    await journal.flush();
    this.storeOk = true;
    run.ended = true;
    this.active.delete(run.name);
    run.audience.result.resolve(result);
  }

  private letGo(run: ActiveRun, thrown: unknown): void {
    const error = toOrchestratorError(thrown);
    run.journal.close(error);
    run.execution.stop(error);
    if (this.active.get(run.name) === run) this.active.delete(run.name);
    if (error.code === "store_unavailable") this.storeOk = false;
    if (error.code === "shutting_down" || error.code === "worker_fenced") return;
    const { id: run_id } = run.record;
    this.options.log.warn("run let go, will be claimed again", { run_id, code: error.code });
    this.orphans.set(run.name, run);
  }
}

function endEvent(result: RunResult): EventBody {
  switch (result.status) {
    case "completed":
      return { type: "run.completed", output: result.output, usage: result.usage };
    case "failed":
      return { type: "run.failed", error: result.error };
    case "cancelled":
      return { type: "run.cancelled", reason: result.reason };
  }
}
