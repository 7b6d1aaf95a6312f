/**
 * The engine: makes runs durable, starts them, tells about them and keeps watch.
 *
 * Boundary: the only part of the kernel that routes and the command line call. It knows runs, not
 * what they do: their code comes with {@linkcode Engine.open}.
 *
 * Invariants
 * 1. A request to a run is in its inbox, on disk, before it is acknowledged.
 * 2. A message is sent to a run that is there: the commit is refused when the run has ended.
 *
 * @module
 */
import { OrchestratorError, toErrorJson } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import type { Commit } from "../../store/mod.ts";
import { type ActiveRun, type ActiveRunDeps, runName } from "./active_run.ts";
import type { JournalEvent, Json } from "./events.ts";
import type { RunResult } from "./context.ts";
import { follow } from "./follow.ts";
import { Inbox } from "./inbox.ts";
import type { EngineOptions } from "./options.ts";
import { Reader } from "./reader.ts";
import { Recovery } from "./recovery.ts";
import { Runner } from "./runner.ts";
import type {
  Engine,
  EngineStats,
  Programs,
  RestartRequest,
  RunListener,
  RunPage,
  RunRecord,
  RunStatus,
  StartedRun,
  StartRequest,
} from "./runs.ts";
import { shuttingDown } from "./shutting_down.ts";
import { Slots } from "./slots.ts";
import { Branch } from "./branch.ts";
import type { Stop } from "./stop.ts";
import { Starter } from "./starter.ts";
import type { FlightRecorder } from "./suspects.ts";
import { type InboxMessage, releaseRun, sendMessage } from "./transitions.ts";
import { Waker } from "./waker.ts";
import { Watching } from "./watching.ts";

const NO_FLIGHT: FlightRecorder = { note: () => {}, lastOf: () => undefined };

/** Makes an engine. Call `open` before anything else. */
export function createEngine(options: EngineOptions): Engine {
  return new KernelEngine(options);
}

class KernelEngine implements Engine {
  private readonly runner: Runner;
  private readonly reader: Reader;
  private readonly recovery: Recovery;
  private readonly inbox: Inbox;
  private readonly waker: Waker;
  private readonly slots: Slots;
  private readonly starter: Starter;
  private readonly closing = new AbortController();
  private accepting = false;
  private watch?: Promise<void>;

  constructor(private readonly options: EngineOptions) {
    const { store, world, gate, log, flight = NO_FLIGHT } = options;
    const slots = this.slots = new Slots(store);
    const reader = this.reader = new Reader(store);
    const runner = this.runner = new Runner({ ...options, slots, flight });
    const notify = (tenant: string, id: string) => void this.waker.notify(tenant, id);
    const branch = (run: ActiveRun, stop: Stop) => new Branch(run, stop);
    const runDeps: ActiveRunDeps = { store, world, gate, branch, notify };
    const inbox = this.inbox = new Inbox({ store, reader, runner });
    const waker = this.waker = new Waker({ ...options, reader, runner, inbox, slots, runDeps });
    this.recovery = new Recovery({ ...options, reader, runner, waker, flight });
    const watching = new Watching({
      log,
      closing: this.closing.signal,
      follow: (caller, id, rest, listener) => this.follow(caller, id, rest, listener),
      result: (caller, id) => this.result(caller, id),
    });
    this.starter = new Starter({
      ...options,
      reader,
      runner,
      slots,
      watching,
      runDeps,
      admit: (tenant) => this.admit(tenant),
      cancel: (tenant, id, reason) => this.send(tenant, id, { type: "cancel", reason }, "cancel"),
    });
    runner.onGone = (run) => watching.gone(run);
    runner.onAside = (run, due) => waker.aside(run, due);
    runner.onRefused = ({ tenant, id }) => notify(tenant, id);
    runner.onEnd = ({ parent, tenant }, next) => {
      if (parent) notify(tenant, parent.run);
      if (next) notify(tenant, next);
    };
  }

  async open(programs: Programs): Promise<void> {
    this.runner.open(programs);
    const resumed = await this.recovery.sweep();
    if (resumed > 0) this.options.log.info("runs resumed", { runs: resumed });
    await this.slots.open();
    this.accepting = true;
    await this.lookAround();
    const time = this.waker.keepTime(this.closing.signal);
    this.watch = Promise.all([this.keepWatch(), time]).then(() => {});
  }

  start(caller: Caller, request: StartRequest, listener?: RunListener): Promise<StartedRun> {
    return this.starter.start({ ...request, ...caller.toRecord() }, listener);
  }

  restart(caller: Caller, id: string, request: RestartRequest): Promise<StartedRun> {
    return this.starter.restart(caller.toRecord(), id, request);
  }

  async get({ tenant }: Caller, id: string): Promise<RunRecord | null> {
    return await this.reader.run(tenant, id);
  }

  list(
    { tenant }: Caller,
    options?: { status?: RunStatus; limit?: number; cursor?: string },
  ): Promise<RunPage> {
    return this.reader.list(tenant, options);
  }

  async journal({ tenant }: Caller, id: string, after?: number): Promise<JournalEvent[]> {
    await this.reader.mustRun(tenant, id);
    return await this.reader.journal(tenant, id, after);
  }

  firstEvent({ tenant }: Caller, id: string): Promise<JournalEvent> {
    return this.reader.firstEvent(tenant, id);
  }

  latestEvents({ tenant }: Caller, id: string): AsyncIterable<JournalEvent> {
    return this.reader.latestEvents(tenant, id);
  }

  result({ tenant }: Caller, id: string): Promise<RunResult | null> {
    return this.reader.result(tenant, id);
  }

  follow(
    { tenant }: Caller,
    id: string,
    options: { after?: number; signal: AbortSignal },
    listener: RunListener,
  ): Promise<void> {
    const name = runName(tenant, id);
    const active = () => this.runner.active.get(name);
    const onArrival = (fn: () => void) => this.runner.onArrival(name, fn);
    const { reader } = this;
    const { clock } = this.options.world;
    return follow({ tenant, id, ...options }, listener, { active, onArrival, reader, clock });
  }

  cancel({ tenant }: Caller, id: string, reason?: string): Promise<void> {
    return this.send(tenant, id, { type: "cancel", reason }, "cancel");
  }

  signal(
    { tenant }: Caller,
    id: string,
    name: string,
    payload: Json,
    commit?: Commit,
  ): Promise<void> {
    return this.send(tenant, id, { type: "signal", name, payload }, "signal", commit);
  }

  pause({ tenant }: Caller, id: string, reason?: string): Promise<void> {
    return this.send(tenant, id, { type: "pause", reason }, "pause");
  }

  async resume({ tenant }: Caller, id: string): Promise<void> {
    const asked = await this.inbox.pauses(tenant, id);
    const held = () => this.runner.active.get(runName(tenant, id));
    const before = held();
    const { status } = await this.reader.mustRun(tenant, id);
    const isPaused = status === "paused" || (before ?? held())?.history.paused;
    if (!(asked ?? isPaused)) {
      throw conflict(`Cannot resume run ${id}: it is ${status}, not paused.`);
    }
    await this.send(tenant, id, { type: "unpause" }, "resume");
  }

  /** Puts a message into a run's inbox, together with `also`, and notifies the waker. */
  private async send(
    tenant: string,
    id: string,
    value: InboxMessage,
    verb: string,
    also?: Commit,
  ): Promise<void> {
    const { store, world } = this.options;
    const message = world.newId();
    let seen: string | undefined;
    while (true) {
      const { live, waiting } = await this.reader.holder(tenant, id);
      const holder = live ?? waiting;
      if (!holder) {
        const { status } = await this.reader.mustRun(tenant, id);
        if (isEnd(status)) {
          throw conflict(`Cannot ${verb} run ${id}: it has already ended (${status}).`);
        }
        continue; // it was between two states
      }
      const sent = await store.commit(sendMessage(holder, message, value, also));
      if (sent !== null) return await this.waker.notify(tenant, id);
      if (seen === holder.versionstamp) {
        throw conflict(
          `Cannot ${verb} run ${id}: it has changed in the meantime. Read it again, then retry.`,
        );
      }
      seen = holder.versionstamp;
    }
  }

  redrive({ tenant }: Caller, id: string): Promise<void> {
    return this.starter.redrive(tenant, id);
  }

  stats(): EngineStats {
    return {
      running: this.runner.runningCount,
      queued: this.runner.queuedCount,
      accepting: this.accepting,
      store_ok: this.runner.storeOk && !this.options.store.isFenced,
    };
  }

  async drain(grace_ms: number): Promise<void> {
    const { store, world } = this.options;
    this.accepting = false;
    this.closing.abort();
    await this.watch;
    const settled = this.runner.settle();
    const late = new AbortController();
    await Promise.race([settled, world.clock.sleep(grace_ms, late.signal).catch(() => {})]);
    late.abort();
    const held = [...this.runner.active.values()];
    for (const run of held) run.stop(shuttingDown(run.record.id));
    await settled;
    const left = held.filter((run) => !run.ended); // some were just writing their end
    for (const run of left) {
      run.result.resolve({ status: "failed", error: toErrorJson(shuttingDown(run.record.id)) });
    }
    await this.release(left);
    await store.release();
  }

  private async release(left: ActiveRun[]): Promise<void> {
    const { store, log } = this.options;
    const release = async ({ record: { tenant, id } }: ActiveRun) => {
      const live = await this.reader.live(tenant, id);
      // Not ours: it has ended, or another worker claimed it first.
      if (live?.value.worker === store.worker) await store.commit(releaseRun(live));
    };
    for (const result of await Promise.allSettled(left.map(release))) {
      if (result.status === "rejected") log.warn("run not released", { error: result.reason });
    }
  }

  private admit(tenant: string): void {
    if (!this.accepting) {
      throw new OrchestratorError(
        "shutting_down",
        "Cannot start a run: this server is stopping. Try again in a moment.",
        { kind: "retryable", retry_after_ms: 2000 },
      );
    }
    const { queue_limit, queue_total = queue_limit } = this.options;
    const own = this.runner.queuedOf(tenant);
    if (own >= queue_limit) throw overloaded(own, "RUN_QUEUE_LIMIT");
    const all = this.runner.queuedCount;
    if (all >= queue_total) throw overloaded(all, "RUN_QUEUE_TOTAL");
  }

  /** What was never notified: messages of other processes, slots that were handed over in a crash. */
  private async lookAround(): Promise<void> {
    const { waker } = this;
    await this.inbox.round((tenant, id) => waker.notify(tenant, id));
    for (const { tenant, run } of await this.slots.forgotten()) await waker.notify(tenant, run);
  }

  private async keepWatch(): Promise<void> {
    const { world, sweep_ms, log, store } = this.options;
    while (!this.closing.signal.aborted) {
      try {
        await world.clock.sleep(sweep_ms, this.closing.signal);
        await this.recovery.sweep();
        await this.lookAround();
        await this.waker.timers(this.closing.signal);
        this.runner.storeOk = true;
      } catch (error) {
        if (this.closing.signal.aborted) return;
        if (store.isFenced) return this.leave();
        this.runner.storeOk = false;
        log.error("sweep failed, will be retried", { error });
      }
    }
  }

  /** Another worker has taken over: nothing of this engine can reach the disk any more. */
  private leave(): void {
    this.accepting = false;
    this.closing.abort();
    this.options.log.error("this worker's lease expired and it was replaced");
    for (const run of this.runner.active.values()) {
      run.stop(new OrchestratorError("worker_fenced", "fenced", { kind: "cancelled" }));
    }
    this.options.onFenced?.();
  }
}

function isEnd(status: RunStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

function overloaded(waiting: number, limit: string): OrchestratorError {
  return new OrchestratorError(
    "overloaded",
    `Cannot start a run: ${waiting} are already queued. Retry later, or raise ${limit}.`,
    { kind: "retryable", retry_after_ms: 1000 },
  );
}

function conflict(message: string): OrchestratorError {
  return new OrchestratorError("conflict", message);
}
