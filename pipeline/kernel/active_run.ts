/**
 * One run that this process holds: what its branches share, and how it ends.
 *
 * Boundary: owns the run's end, its signals, and its leaving of memory. Appends to the journal, knows
 * no store and no claim. Steps, waits and groups are in `branch.ts`.
 *
 * Invariants
 * 1. After the end, after a suspension or after the journal has closed, nothing is appended.
 * 2. What a suspension leaves behind in memory never continues: to the run's function it is a crash.
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
import type { Commit, Store } from "../../store/mod.ts";
import type { World } from "./clock.ts";
import type { EmitOptions, RunContext, RunFunction, RunInfo, RunResult } from "./context.ts";
import type { EventBody, JournalEvent, Json } from "./events.ts";
import { Feed } from "./feed.ts";
import { account, type History, identity, type PendingSignal } from "./history.ts";
import { RunJournal } from "./run_journal.ts";
import type { RunRecord } from "./runs.ts";
import { type BudgetGate, exceeded, overBudget } from "./spending.ts";
import { Stop } from "./stop.ts";
import type { InboxMessage } from "./transitions.ts";
import { type Leave, Waits } from "./waits.ts";

/** What every run needs of its process. */
export interface ActiveRunDeps {
  store: Store;
  world: World;
  /** Without it a spent budget fails the run. */
  gate?: BudgetGate;
  /** Makes what a run's function sees of one of its branches. */
  branch: (run: ActiveRun, stop: Stop) => RunContext;
  /** Looks after a run that was just made or sent a message. Never throws. */
  notify: (tenant: string, run: string) => void;
}

/** Every branch waits: the run can leave memory. */
export interface Suspension extends Leave {
  status: "suspended";
  paused: boolean;
}

/** A claimed run. */
export class ActiveRun {
  readonly info: RunRecord & RunInfo;
  readonly world: World;
  readonly journal: RunJournal;
  readonly feed: Feed;
  readonly waits: Waits;
  readonly result = Promise.withResolvers<RunResult>();
  /** True once its end is on disk. */
  ended = false;
  /** True once it has left this process without having ended. */
  gone = false;
  /** False: it begins after its first commit only. */
  early = true;
  /** Version of its slot, if this process gave it to the run. */
  placed?: string;
  /** A commit of it was refused: what it goes by has changed, so it has to be read again. */
  refused = false;
  /** A caller waits for its result. */
  awaited = false;
  /** Set while the run may end the process: resolves when its code may have control. */
  beforeControl?: () => Promise<void>;
  /** Nothing can be appended any more. */
  isOver = false;
  /** Ids of the inbox messages that have been applied. */
  readonly applied = new Set<string>();
  /** Runs within this one that it waits for; what is left of them when it ends is cancelled. */
  readonly children = new Set<string>();
  private readonly root = new Stop();
  /** Why every branch was stopped, cleanups included. */
  private evicted?: OrchestratorError;
  /** Branches of cleanups that run now. */
  private readonly cleanups = new Set<Stop>();
  private readonly used = new Set<string>();
  /** How often each step has asked for more. */
  private readonly raised = new Map<string, number>();
  private suspend!: (suspension: Suspension) => void;
  private abandon!: (reason: unknown) => void;

  constructor(
    public record: RunRecord,
    readonly history: History,
    private readonly deps: ActiveRunDeps,
  ) {
    const { store, world } = deps;
    this.world = world;
    // What it read counts on, also where a replay does not go again: in groups that have ended.
    const tainted = record.tainted ?? history.emitted.has("run.tainted");
    this.info = { ...record, caller: actingFor(record), ...(tainted ? { tainted } : {}) };
    const feed = this.feed = new Feed(record.id, world.clock);
    const journalDeps = { store, clock: world.clock, feed };
    this.journal = new RunJournal(record.tenant, record.id, history.seq, journalDeps);
    this.waits = new Waits(world.clock, {
      leave: (what) => this.leave(what),
      // What a branch did and waits for, such as an approval, is seen while others work.
      stay: () => void this.journal.flush().catch(() => {}),
    });
  }

  /** Identifies a run in this process. */
  get name(): string {
    return runName(this.record.tenant, this.record.id);
  }

  /**
   * Runs the function to its end or until every branch waits.
   *
   * @returns how the run ended; who drives it journals that
   * @throws why the run cannot continue in this process: fenced, store gone, shutting down
   */
  async advance(fn: RunFunction): Promise<RunResult | Suspension> {
    try {
      if (this.evicted) throw this.evicted;
      return await new Promise<RunResult | Suspension>((resolve, reject) => {
        this.suspend = resolve;
        this.abandon = reject;
        fn(this.deps.branch(this, this.root), this.history.input).then(
          (output) => resolve(this.completed(output)),
          reject,
        );
      });
    } catch (error) {
      return this.judge(toOrchestratorError(error));
    } finally {
      this.isOver = true;
      this.waits.end();
    }
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

  /** Runs `fn` in a branch that only an eviction stops. */
  async cleanup<T>(fn: (ctx: RunContext) => Promise<T>): Promise<T> {
    const stop = new Stop();
    if (this.evicted) stop.stop(this.evicted);
    this.cleanups.add(stop);
    try {
      return await fn(this.deps.branch(this, stop));
    } finally {
      this.cleanups.delete(stop);
    }
  }

  /** Appends an event. */
  append(event: EventBody): JournalEvent {
    if (this.isOver) {
      throw new Error(`Cannot append ${event.type}: the run's function has returned`);
    }
    const appended = this.journal.append(event); // or it is too large, and nothing has happened
    account(this.history, event);
    return appended;
  }

  /** Appends an event that the function emits, unless the journal has it. */
  emit(event: EventBody, { surface = false }: EmitOptions = {}): void {
    if (this.history.emitted.has(identity(event))) return;
    this.append(event);
    if (surface) this.surface(event);
  }

  /** Sends an event to the run around this one, which passes it on to its own. */
  surface(event: EventBody): void {
    const { parent, id } = this.record;
    if (!parent) return;
    const outer: object = { run: id, ...event, step: parent.step };
    this.send(parent.run, { type: "event", event: outer as EventBody });
  }

  /** Puts a message for another run into the next commit. */
  send(run: string, value: InboxMessage): void {
    this.journal.send(this.record.tenant, run, this.world.newId(), value);
    this.notify(run);
  }

  /** Looks after a run once the next commit of this one is on disk. */
  notify(run: string): void {
    this.journal.flush().then(() => this.deps.notify(this.record.tenant, run), () => {});
  }

  /** Cancels a run within this one. */
  cancelChild(id: string): void {
    this.send(id, { type: "cancel", reason: `run ${this.record.id} no longer needs it` });
  }

  change(commit: Commit): void {
    if (this.isOver) throw new Error("Cannot change anything: the run's function has returned");
    this.journal.change(commit);
  }

  /** Claims a step's key. @throws `internal` when another step has it */
  use(key: string): void {
    if (this.used.has(key)) {
      throw new OrchestratorError(
        "internal",
        `Cannot run step ${key}: this run already has a step with that key. Use a different key for each step.`,
      );
    }
    this.used.add(key);
  }

  /** Settles the waits for the end of a pause. */
  unpause(): void {
    this.append({ type: "run.resumed", reason: "unpaused", worker: this.deps.store.worker });
    this.waits.wake(({ gated }) => gated ?? false);
  }

  /** A signal that is in the journal. */
  deliver(signal: PendingSignal): void {
    this.history.signals.push(signal);
    this.waits.wake((awaited) => awaited.signal === signal.name);
  }

  /** Takes the oldest signal of a name. */
  take(name: string): PendingSignal | undefined {
    const { signals } = this.history;
    const at = signals.findIndex((signal) => signal.name === name);
    return at < 0 ? undefined : signals.splice(at, 1)[0];
  }

  /** True when a step may have to wait before it begins. */
  get isGated(): boolean {
    return this.history.paused || this.record.budget !== undefined;
  }

  /** Waits while the run is paused; lets no call through that the budget does not allow. */
  async pass(stop: Stop, key: string, calls: boolean): Promise<void> {
    while (this.history.paused) await this.waits.park(stop, { step: key, gated: true });
    if (!calls) return;
    while (true) {
      const n = (this.raised.get(key) ?? 0) + 1;
      const over = exceeded(this, n === 1 ? `${key}/budget` : `${key}/budget#${n}`);
      if (!over) return;
      this.raised.set(key, n);
      const { budget, limit, spent } = over;
      this.emit({ type: "budget.exceeded", step: over.key, budget, limit, spent });
      if (!this.deps.gate) throw overBudget(over);
      const more = await this.deps.gate(this.deps.branch(this, stop), over);
      // On a replay the journal has it, and the history, too.
      this.emit({ type: "budget.raised", step: over.key, budget: more });
    }
  }

  /** A stopped run does not leave memory before its cleanups wait, too. */
  private leave({ waiting_for, due }: Leave): void {
    if (this.root.reason && this.cleanups.size === 0) return;
    try {
      this.append({ type: "run.waiting", for: waiting_for });
      this.isOver = true;
      this.suspend({ status: "suspended", due, waiting_for, paused: this.history.paused });
    } catch (error) {
      this.abandon(error); // the journal has closed: nothing else here can report it
    }
  }

  private completed(output: Json): RunResult {
    return { status: "completed", output: output ?? null, usage: this.history.usage };
  }

  /** Cancelled runs end as cancelled; other `cancelled` errors mean that this process must release the run. */
  private judge(error: OrchestratorError): RunResult {
    const { evicted, root: { reason: cancelled }, history: { usage } } = this;
    if (evicted) error = evicted;
    // An error that already says so may list what could not be undone.
    else if (cancelled && error.kind === "cancelled" && error.code !== "run_cancelled") {
      error = cancelled;
    }
    if (error.code === "run_cancelled") {
      const reason = error.details?.reason as string | undefined;
      return { status: "cancelled", reason, usage, ...troubles(error) };
    }
    if (error.kind === "cancelled" || error.code === "store_unavailable") throw error;
    return { status: "failed", error: toErrorJson(error), usage };
  }
}

/** What went wrong while a cancelled run put things right. */
function troubles(error: OrchestratorError): { error?: ErrorJson } {
  return error.details?.compensation_errors ? { error: toErrorJson(error) } : {};
}

/** Identifies a run across tenants. */
export function runName(tenant: string, id: string): string {
  return `${tenant}/${id}`;
}
