/**
 * One run being advanced by this process: what its branches share.
 *
 * Boundary: owns the run's end, its signals, and when it leaves memory. Appends to the journal, knows
 * no store and no claim. Steps, waits and groups are in `branch.ts`, what it spends in `spending.ts`.
 *
 * Invariants
 * 1. After the end, after a suspension or after the journal has closed, nothing is appended.
 * 2. A run is suspended only while every branch is parked and no step runs. What a suspension leaves
 *    behind in memory never goes on: to the run's function it is a crash.
 * 3. A cancel stops every branch but those of a cleanup; an eviction stops all of them.
 * 4. A signal is journaled before a wait takes it, and the wait's outcome names it: no signal is
 *    taken twice, none is lost.
 *
 * @module
 */
import {
  type ErrorJson,
  OrchestratorError,
  toErrorJson,
  toOrchestratorError,
} from "../../errors.ts";
import { actingFor } from "../../guard/mod.ts";
import type { Commit } from "../../store/mod.ts";
import { timestamp, type World } from "./clock.ts";
import type { EmitOptions, RunContext, RunFunction, RunInfo, RunResult } from "./context.ts";
import type { EventBody, Json, WaitingFor } from "./events.ts";
import type { Feed } from "./feed.ts";
import { type History, identity, type PendingSignal } from "./history.ts";
import type { RunJournal } from "./run_journal.ts";
import type { InboxMessage } from "./transitions.ts";
import type { RunRecord } from "./runs.ts";
import { type BudgetGate, overBudget, Spending } from "./spending.ts";

/** What an execution needs. */
export interface ExecutionDeps {
  world: World;
  journal: RunJournal;
  feed: Feed;
  /** Without it a spent budget fails the run. */
  gate?: BudgetGate;
  branch: (execution: Execution) => RunContext & Stoppable;
  /** Looks after a run that was just made or sent a message. Never throws. */
  ring: (tenant: string, run: string) => void;
}

/** What can be stopped by itself. */
export interface Stoppable {
  /** Why it was stopped. */
  readonly reason?: OrchestratorError;
  /** Its steps and waits reject with `reason`. */
  stop(reason: OrchestratorError): void;
  /** Calls `fn` when it is stopped. */
  onStop(fn: () => void): void;
  offStop(fn: () => void): void;
}

/** Every branch waits: the run can leave memory. */
export interface Suspension {
  status: "suspended";
  /** When it goes on by itself, in milliseconds since the epoch. */
  due?: number;
  waiting_for: WaitingFor[];
  paused: boolean;
}

/** A branch that cannot go on for now. */
interface Parked {
  step: string;
  signal?: string;
  until?: number;
  /** It waits for the end of a pause. */
  gated?: boolean;
  resolve: () => void;
}

/** Waits up to this long are sat out in memory. */
const KEEP_MS = 1_000;

/** Advances one run. */
export class Execution {
  readonly root: RunContext & Stoppable;
  readonly world: World;
  readonly journal: RunJournal;
  readonly feed: Feed;
  /** Why every branch was stopped, cleanups included. */
  private evicted?: OrchestratorError;
  /** Branches of cleanups that run now. */
  private readonly cleanups = new Set<Stoppable>();
  private readonly used = new Set<string>();
  private readonly parked = new Set<Parked>();
  private readonly deadlines = new Map<string, number>();
  /** How often each step has asked for more. */
  private readonly raised = new Map<string, number>();
  /** What calls off each timer. */
  private readonly naps = new Set<AbortController>();
  /** Branches that do not wait for branches of their own. */
  branches = 1;
  /** Steps that run now. */
  running = 0;
  /** Set while the run may end the process: resolves when its code may have control. */
  beforeControl?: () => Promise<void>;
  /** Runs within this one that it waits for; what is left of them when it ends is cancelled. */
  readonly children = new Set<string>();
  readonly spending: Spending;
  private paused: boolean;
  private checking = false;
  private suspend!: (suspension: Suspension) => void;
  private abandon!: (reason: unknown) => void;
  private ended = false;

  readonly run: RunRecord & RunInfo;

  constructor(
    run: RunRecord,
    readonly history: History,
    private readonly deps: ExecutionDeps,
  ) {
    // What it read counts on, also where a replay does not go again: in groups that have ended.
    const tainted = run.tainted ?? history.emitted.has("run.tainted");
    this.run = { ...run, caller: actingFor(run), ...(tainted ? { tainted } : {}) };
    this.world = deps.world;
    this.journal = deps.journal;
    this.feed = deps.feed;
    this.spending = new Spending(run, history, () => this.world.clock.now());
    this.paused = history.paused;
    this.root = deps.branch(this);
  }

  /** True once nothing can be appended any more. */
  get isOver(): boolean {
    return this.ended;
  }

  /**
   * Makes the function stop: its steps and waits reject with `reason`. A cancel leaves cleanups
   * alone, everything else stops them too.
   */
  stop(reason: OrchestratorError): void {
    if (reason.code !== "run_cancelled") {
      this.evicted ??= reason;
      for (const cleanup of this.cleanups) cleanup.stop(this.evicted);
    }
    this.root.stop(reason);
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /** No new step begins. */
  pause(): void {
    this.paused = true;
  }

  /** Steps may begin again. */
  unpause(): void {
    this.paused = false;
    for (const parked of [...this.parked]) if (parked.gated) parked.resolve();
  }

  /** A signal that is in the journal. */
  deliver(signal: PendingSignal): void {
    this.history.signals.push(signal);
    for (const parked of [...this.parked]) if (parked.signal === signal.name) parked.resolve();
  }

  /** Takes the oldest signal of a name. */
  take(name: string): PendingSignal | undefined {
    const { signals } = this.history;
    const at = signals.findIndex((signal) => signal.name === name);
    return at < 0 ? undefined : signals.splice(at, 1)[0];
  }

  /**
   * Runs the function to its end or until every branch waits.
   *
   * @returns how the run ended; the caller journals it
   * @throws why the run cannot go on in this process: fenced, store gone, shutting down
   */
  async advance(fn: RunFunction): Promise<RunResult | Suspension> {
    try {
      if (this.evicted) throw this.evicted;
      const result = await new Promise<Json | Suspended>((resolve, reject) => {
        this.suspend = (suspension) => resolve(new Suspended(suspension));
        this.abandon = reject;
        fn(this.root, this.history.input).then(resolve, reject);
      });
      if (result instanceof Suspended) return result.suspension;
      return { status: "completed", output: result ?? null, usage: this.spending.usage };
    } catch (error) {
      return this.judge(toOrchestratorError(error));
    } finally {
      this.ended = true;
      for (const nap of this.naps) nap.abort();
    }
  }

  /** Sleeps. Rejects when `over` aborts, and when the run leaves memory (invariant 2). */
  nap(ms: number, over: AbortController): Promise<void> {
    this.naps.add(over);
    return this.world.clock.sleep(Math.max(0, ms), over.signal)
      .finally(() => this.naps.delete(over));
  }

  /** Appends an event. */
  append(event: EventBody): { seq: number; at: string } {
    if (this.ended) throw new Error(`Cannot append ${event.type}: the run's function has returned`);
    return this.deps.journal.append(event);
  }

  /** Appends an event that the function emits, unless the journal has it. */
  emit(event: EventBody, { surface = false }: EmitOptions = {}): void {
    if (this.history.emitted.has(identity(event))) return;
    this.append(event);
    if (surface) this.surface(event);
  }

  /** Sends an event to the run around this one, which passes it on to its own. */
  surface(event: EventBody): void {
    const { parent, tenant, id } = this.run;
    if (!parent) return;
    const outer = { run: id, ...event, step: parent.step } as EventBody;
    this.send(tenant, parent.run, { type: "event", event: outer });
  }

  /** Puts a message for another run into the next commit. */
  send(tenant: string, run: string, value: InboxMessage): void {
    const { journal, world, ring } = this.deps;
    journal.send(tenant, run, world.newId(), value);
    journal.flush().then(() => ring(tenant, run), () => {});
  }

  /** A run within this one is on disk: it is looked after. */
  spawned(child: string): void {
    const { journal, ring } = this.deps;
    journal.flush().then(() => ring(this.run.tenant, child), () => {});
  }

  /** Cancels a run within this one. */
  cancelChild(id: string): void {
    const reason = `run ${this.run.id} no longer needs it`;
    this.send(this.run.tenant, id, { type: "cancel", reason });
  }

  change(commit: Commit): void {
    if (this.ended) throw new Error("Cannot change anything: the run's function has returned");
    this.deps.journal.change(commit);
  }

  /** Claims a step's key. @throws `internal` when another step has it */
  use(key: string): void {
    if (this.used.has(key)) {
      throw new OrchestratorError(
        "internal",
        `Cannot run step ${key}: this run has another step of that name. Give each step its own key.`,
      );
    }
    this.used.add(key);
  }

  /** True when a step may have to wait before it begins. */
  get isGated(): boolean {
    return this.paused || this.spending.isLimited;
  }

  /** Waits while the run is paused; lets no call through that the budget does not allow. */
  async pass(branch: RunContext & Stoppable, key: string, calls: boolean): Promise<void> {
    while (this.paused) await this.park(branch, { step: key, gated: true });
    if (!calls) return;
    while (true) {
      const n = (this.raised.get(key) ?? 0) + 1;
      const over = this.spending.exceeded(n === 1 ? `${key}/budget` : `${key}/budget#${n}`);
      if (!over) return;
      this.raised.set(key, n);
      const { budget, limit, spent } = over;
      this.emit({ type: "budget.exceeded", step: over.key, budget, limit, spent });
      if (!this.deps.gate) throw overBudget(over);
      const raised = await this.deps.gate(branch, over);
      this.spending.raise(raised);
      this.emit({ type: "budget.raised", step: over.key, budget: raised });
    }
  }

  /** Waits in memory until something resolves it; lets the run leave memory when all branches wait. */
  park(branch: Stoppable, what: Omit<Parked, "resolve">): Promise<void> {
    if (branch.reason) return Promise.reject(branch.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const over = new AbortController();
    const parked: Parked = { ...what, resolve };
    const stop = () => reject(branch.reason);
    branch.onStop(stop);
    if (what.until !== undefined) {
      this.nap(what.until - this.world.clock.now(), over).then(resolve, () => {});
    }
    this.parked.add(parked);
    this.look();
    return promise.finally(() => {
      this.parked.delete(parked);
      branch.offStop(stop);
      over.abort();
    });
  }

  /** A group has to end by then, whether the run is in memory or not. */
  setDeadline(key: string, at: number | undefined): void {
    if (at === undefined) this.deadlines.delete(key);
    else this.deadlines.set(key, at);
  }

  /** Looks, once this turn is over, whether every branch waits (invariant 2). */
  look(): void {
    if (this.checking) return;
    this.checking = true;
    this.world.clock.afterTurn(() => {
      this.checking = false;
      const blocked = this.parked.size >= this.branches && this.running === 0;
      if (!blocked || this.ended || this.root.reason && this.cleanups.size === 0) return;
      const times = [...[...this.parked].map(({ until }) => until), ...this.deadlines.values()];
      const due = Math.min(...times.map((time) => time ?? Infinity));
      if (due - this.world.clock.now() < KEEP_MS) return;
      try {
        this.leave(due === Infinity ? undefined : due);
      } catch (error) {
        this.abandon(error); // the journal has closed: nobody else is here to hear it
      }
    });
  }

  /** Runs `fn` in a branch that only an eviction stops. */
  async cleanup<T>(fn: (ctx: RunContext) => Promise<T>): Promise<T> {
    const branch = this.deps.branch(this);
    if (this.evicted) branch.stop(this.evicted);
    this.cleanups.add(branch);
    try {
      return await fn(branch);
    } finally {
      this.cleanups.delete(branch);
    }
  }

  private leave(due: number | undefined): void {
    const waiting_for = [...this.parked].map(({ step, signal, until }): WaitingFor => ({
      step,
      ...(signal === undefined ? {} : { signal }),
      ...(until === undefined ? {} : { until: timestamp(until) }),
    }));
    this.append({ type: "run.waiting", for: waiting_for });
    this.ended = true;
    this.suspend({ status: "suspended", due, waiting_for, paused: this.paused });
  }

  /** Cancelled runs end as cancelled; other `cancelled` errors mean that this process must let go. */
  private judge(error: OrchestratorError): RunResult {
    const { evicted, root: { reason: cancelled } } = this;
    if (evicted) error = evicted;
    // One that says so already may tell what could not be put right.
    else if (cancelled && error.kind === "cancelled" && error.code !== "run_cancelled") {
      error = cancelled;
    }
    if (error.code === "run_cancelled") {
      const reason = error.details?.reason as string | undefined;
      return { status: "cancelled", reason, usage: this.spending.usage, ...troubles(error) };
    }
    if (error.kind === "cancelled" || error.code === "store_unavailable") throw error;
    return { status: "failed", error: toErrorJson(error), usage: this.spending.usage };
  }
}

/** Told apart from whatever a run's function may return. */
class Suspended {
  constructor(readonly suspension: Suspension) {}
}

/** What went wrong while a cancelled run put things right. */
function troubles(error: OrchestratorError): { error?: ErrorJson } {
  return error.details?.compensation_errors ? { error: toErrorJson(error) } : {};
}
