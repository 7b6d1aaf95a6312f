/**
 * The engine: makes runs durable, starts them, tells about them and keeps watch.
 *
 * Boundary: the only part of the kernel that routes and the command line call. It knows runs, not
 * what they do: their code comes from {@linkcode EngineOptions.programs}.
 *
 * Invariants
 * 1. `start` resolves after the run is on disk and never before.
 * 2. A run is created and claimed in one commit, so its first step needs no other.
 * 3. What others want of a run is in its inbox, on disk, before they are told that it is.
 *
 * @module
 */
import { OrchestratorError, toErrorJson, toOrchestratorError } from "../../errors.ts";
import { type Commit, keys, type Versioned } from "../../store/mod.ts";
import { ActiveRun, type ActiveRunDeps, runName } from "./active_run.ts";
import { timestamp } from "./clock.ts";
import { emptyHistory, forgetFailures, readHistory } from "./history.ts";
import type { JournalEvent, Json } from "./events.ts";
import type { BudgetGate } from "./execution.ts";
import { follow } from "./follow.ts";
import { Inbox } from "./inbox.ts";
import { Reader } from "./reader.ts";
import { Recovery } from "./recovery.ts";
import { Runner, type RunnerOptions } from "./runner.ts";
import type {
  Engine,
  EngineStats,
  RunListener,
  RunPage,
  RunRecord,
  RunResult,
  RunStatus,
  StartedRun,
  StartRequest,
} from "./runs.ts";
import {
  createRun,
  type IdempotencyRecord,
  type InboxMessage,
  redriveRun,
  releaseRun,
  sendMessage,
} from "./transitions.ts";
import { Waker } from "./waker.ts";

/** What an engine needs. */
export interface EngineOptions extends RunnerOptions {
  /** Runs that may wait for a slot; more are refused. */
  queue_limit: number;
  idempotency_ttl_ms: number;
  /** A worker that showed no life for this long is dead. */
  lease_ms: number;
  /** Pause between two sweeps. */
  sweep_ms: number;
  /** Called once when another worker has taken over from this one. */
  onFenced?: () => void;
  /** Asks for more when a run has spent its budget. Without it such a run fails. */
  gate?: BudgetGate;
}

/** How long the commit that creates a run waits for the run's first step. */
const FIRST_COMMIT_MS = 1;

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
  private readonly runDeps: ActiveRunDeps;
  private readonly closing = new AbortController();
  private accepting = false;
  private watch?: Promise<void>;

  constructor(private readonly options: EngineOptions) {
    this.reader = new Reader(options.store);
    this.runner = new Runner(options);
    const { store, world, gate } = options;
    const { reader, runner } = this;
    const ring = (tenant: string, id: string) => void this.waker.ring(tenant, id);
    this.runDeps = { store, world, gate, ring };
    const inbox = this.inbox = new Inbox({ store, reader, runner });
    const { runDeps } = this;
    const waker = this.waker = new Waker({ ...options, reader, runner, inbox, runDeps });
    this.recovery = new Recovery({ ...options, reader, runner, waker });
    runner.onGone = (run) => run.awaited && void this.outcome(run);
    runner.onAside = (run, due) => waker.aside(run, due);
    runner.onEnd = ({ parent, tenant }) => parent && ring(tenant, parent.run);
  }

  async open(): Promise<void> {
    const resumed = await this.recovery.sweep();
    if (resumed > 0) this.options.log.info("runs resumed", { runs: resumed });
    this.accepting = true;
    await this.inbox.round((tenant, id) => this.waker.ring(tenant, id));
    const time = this.waker.keepTime(this.closing.signal);
    this.watch = Promise.all([this.keepWatch(), time]).then(() => {});
  }

  async start(request: StartRequest, listener?: RunListener): Promise<StartedRun> {
    const known = request.idempotency && await this.known(request);
    if (known && known.value.expires_at > this.options.world.clock.now()) {
      return await this.replay(request, known.value);
    }
    this.admit();
    const run = this.create(request, known ?? undefined, listener);
    try {
      await run.journal.begun;
    } catch (thrown) {
      this.runner.orphans.delete(run.name);
      const error = toOrchestratorError(thrown);
      const raced = error.code === "conflict" && request.idempotency && await this.known(request);
      if (raced) return await this.replay(request, raced.value);
      throw error;
    }
    return this.started(run);
  }

  async get(tenant: string, id: string): Promise<RunRecord | null> {
    return await this.reader.run(tenant, id);
  }

  list(
    tenant: string,
    options?: { status?: RunStatus; limit?: number; cursor?: string },
  ): Promise<RunPage> {
    return this.reader.list(tenant, options);
  }

  async journal(tenant: string, id: string, after?: number): Promise<JournalEvent[]> {
    await this.reader.mustRun(tenant, id);
    return await this.reader.journal(tenant, id, after);
  }

  result(tenant: string, id: string): Promise<RunResult | null> {
    return this.reader.result(tenant, id);
  }

  follow(
    tenant: string,
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

  cancel(tenant: string, id: string, reason?: string): Promise<void> {
    return this.send(tenant, id, { type: "cancel", reason }, "cancel");
  }

  signal(
    tenant: string,
    id: string,
    name: string,
    payload: Json,
    commit?: Commit,
  ): Promise<void> {
    return this.send(tenant, id, { type: "signal", name, payload }, "signal", commit);
  }

  pause(tenant: string, id: string, reason?: string): Promise<void> {
    return this.send(tenant, id, { type: "pause", reason }, "pause");
  }

  async resume(tenant: string, id: string): Promise<void> {
    const { status } = await this.reader.mustRun(tenant, id);
    if (status !== "paused" && !this.runner.active.get(runName(tenant, id))?.execution.isPaused) {
      throw conflict(`Cannot resume run ${id}: it is not paused, it is ${status}.`);
    }
    await this.send(tenant, id, { type: "unpause" }, "resume");
  }

  /** Puts a message into a run's inbox, together with `also`, and rings. */
  private async send(
    tenant: string,
    id: string,
    value: InboxMessage,
    verb: string,
    also?: Commit,
  ): Promise<void> {
    const { store, world } = this.options;
    const message = world.newId();
    for (let seen: string | undefined;;) {
      const { live, waiting } = await this.reader.holder(tenant, id);
      const holder = live ?? waiting;
      if (!holder) {
        const { status } = await this.reader.mustRun(tenant, id);
        if (isEnd(status)) {
          throw conflict(`Cannot ${verb} run ${id}: it has ended already (${status}).`);
        }
        continue; // it was between two places
      }
      const sent = await store.commit(sendMessage(holder, message, value, also));
      if (sent !== null) return await this.waker.ring(tenant, id);
      if (seen === holder.versionstamp) {
        throw conflict(`Cannot ${verb} run ${id}: what it depends on has changed meanwhile.`);
      }
      seen = holder.versionstamp;
    }
  }

  async redrive(tenant: string, id: string): Promise<void> {
    const { store } = this.options;
    const ended = await this.reader.ended(tenant, id);
    const { status } = ended?.value ?? await this.reader.mustRun(tenant, id);
    if (!ended || status !== "failed") {
      throw conflict(`Cannot redrive run ${id}: only failed runs can be, this one is ${status}.`);
    }
    this.admit();
    const { error: _error, ended_at: _at, last_seq: _seq, ...rest } = ended.value;
    const record: RunRecord = { ...rest, status: "running" };
    const history = forgetFailures(readHistory(await this.reader.journal(tenant, id)));
    const run = new ActiveRun(record, history, this.runDeps);
    run.journal.change(redriveRun(ended, record, store.worker));
    run.journal.append({ type: "run.resumed", reason: "redriven", worker: store.worker });
    await run.journal.flush();
    this.runner.take(run);
  }

  restart(): Promise<StartedRun> {
    throw new Error("not yet");
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
    for (const run of held) run.execution.stop(shuttingDown(run.record.id));
    await settled;
    const left = held.filter((run) => !run.ended); // some were just writing their end
    for (const run of left) {
      run.result.resolve({ status: "failed", error: shuttingDownJson(run.record.id) });
    }
    await this.release(left);
    await store.release();
  }

  private async release(left: ActiveRun[]): Promise<void> {
    const { store, log } = this.options;
    const release = async ({ record: { tenant, id } }: ActiveRun) => {
      const live = await this.reader.live(tenant, id);
      // Not ours: it has ended, or somebody else was faster to claim it.
      if (live?.value.worker === store.worker) await store.commit(releaseRun(live));
    };
    for (const result of await Promise.allSettled(left.map(release))) {
      if (result.status === "rejected") log.warn("run not released", { error: result.reason });
    }
  }

  private create(
    request: StartRequest,
    known: Versioned<IdempotencyRecord> | undefined,
    listener?: RunListener,
  ): ActiveRun {
    const { store, world, idempotency_ttl_ms } = this.options;
    const record = this.newRecord(request);
    const run = new ActiveRun(record, emptyHistory(request.input), this.runDeps);
    if (listener) this.tell(run, listener);
    const idempotency = request.idempotency && {
      request: request.idempotency,
      expires_at: world.clock.now() + idempotency_ttl_ms,
    };
    run.journal.change(createRun(record, store.worker, idempotency, known));
    const { pipeline, version, input, conversation_id } = request;
    run.journal.append({ type: "run.started", pipeline, version, input, conversation_id });
    this.runner.take(run);
    this.commitSoon(run);
    return run;
  }

  /**
   * What a run does at once, or after a quick read, goes into the commit that creates it: its first
   * step asks for that commit. One that waits or takes its time is committed without.
   */
  private commitSoon({ record, journal }: ActiveRun): void {
    if (journal.isFlushing) return;
    const { clock } = this.options.world;
    const soon = record.status === "queued" ? Promise.resolve() : clock.sleep(FIRST_COMMIT_MS);
    soon.then(() => journal.flush()).catch(() => {});
  }

  /** Tells `listener` of everything, also after the run has left this process for a while. */
  private tell({ record, feed, journal }: ActiveRun, listener: RunListener): void {
    const { signal } = this.closing;
    const { tenant, id } = record;
    const go = () => this.follow(tenant, id, { after: journal.last, signal }, listener);
    const lost = (error: unknown) => {
      if (toOrchestratorError(error).code === "not_found") return; // it was never made
      this.options.log.warn("a run could not be followed any more", { run_id: id, error });
    };
    feed.join(listener, () => void go().catch(lost));
  }

  private started(run: ActiveRun): StartedRun {
    const outcome = () => this.outcome(run);
    return {
      run: run.record,
      replayed: false,
      get result() {
        if (!run.awaited && run.gone) void outcome();
        run.awaited = true;
        return run.result.promise;
      },
    };
  }

  /** Waits for the end of a run that has left this process and settles its result. */
  private async outcome({ record: { tenant, id }, result }: ActiveRun): Promise<void> {
    const { signal } = this.closing;
    try {
      await this.follow(tenant, id, { signal }, () => {});
      const end = await this.reader.result(tenant, id);
      result.resolve(end ?? { status: "failed", error: shuttingDownJson(id) });
    } catch (error) {
      result.resolve({ status: "failed", error: toErrorJson(error) });
    }
  }

  private newRecord(request: StartRequest): RunRecord {
    const { world } = this.options;
    const record: RunRecord = {
      id: `run_${world.newId()}`,
      tenant: request.tenant,
      pipeline: request.pipeline,
      version: request.version,
      status: this.runner.hasSlot ? "running" : "queued",
      created_at: timestamp(world.clock.now()),
    };
    if (request.conversation_id) record.conversation_id = request.conversation_id;
    return record;
  }

  private admit(): void {
    if (!this.accepting) {
      throw new OrchestratorError(
        "shutting_down",
        "Cannot start a run: this server is stopping. Try again in a moment.",
        { kind: "retryable", retry_after_ms: 2000 },
      );
    }
    if (this.runner.queuedCount < this.options.queue_limit) return;
    throw new OrchestratorError(
      "overloaded",
      `Cannot start a run: ${this.runner.queuedCount} are waiting already. Try again later, or raise RUN_QUEUE_LIMIT.`,
      { kind: "retryable", retry_after_ms: 1000 },
    );
  }

  private known(request: StartRequest): Promise<Versioned<IdempotencyRecord> | null> {
    const { tenant, idempotency } = request;
    return this.options.store.get(keys.idempotency(tenant, idempotency!.key));
  }

  private async replay(request: StartRequest, known: IdempotencyRecord): Promise<StartedRun> {
    if (known.fingerprint !== request.idempotency!.fingerprint) {
      throw new OrchestratorError(
        "idempotency_mismatch",
        "Cannot use this Idempotency-Key: it was sent with another request. Use a new key for a new request.",
      );
    }
    const run = await this.reader.mustRun(request.tenant, known.run);
    const result = await this.reader.result(request.tenant, known.run);
    if (result) return { run, replayed: true, result: Promise.resolve(result) };
    throw new OrchestratorError(
      "idempotency_in_flight",
      `Cannot answer yet: the first request with this Idempotency-Key is still being worked on as run ${run.id}. Ask again later.`,
      { kind: "retryable", retry_after_ms: 1000, details: { run_id: run.id } },
    );
  }

  private async keepWatch(): Promise<void> {
    const { world, sweep_ms, log, store } = this.options;
    while (!this.closing.signal.aborted) {
      try {
        await world.clock.sleep(sweep_ms, this.closing.signal);
        await this.recovery.sweep();
        await this.inbox.round((tenant, id) => this.waker.ring(tenant, id));
        await this.waker.timers(this.closing.signal);
        this.runner.storeOk = true;
      } catch (error) {
        if (this.closing.signal.aborted) return;
        if (store.isFenced) return this.leave();
        this.runner.storeOk = false;
        log.error("sweep failed, will be tried again", { error });
      }
    }
  }

  /** Another worker has taken over: nothing of this engine can reach the disk any more. */
  private leave(): void {
    this.accepting = false;
    this.closing.abort();
    this.options.log.error("this worker was taken for dead and replaced");
    for (const run of this.runner.active.values()) {
      run.execution.stop(new OrchestratorError("worker_fenced", "fenced", { kind: "cancelled" }));
    }
    this.options.onFenced?.();
  }
}

function isEnd(status: RunStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

function conflict(message: string): OrchestratorError {
  return new OrchestratorError("conflict", message);
}

function shuttingDown(id: string): OrchestratorError {
  return new OrchestratorError("shutting_down", shuttingDownJson(id).message, {
    kind: "cancelled",
  });
}

function shuttingDownJson(id: string) {
  return {
    code: "shutting_down" as const,
    kind: "retryable" as const,
    message:
      `Cannot wait for run ${id}: the server is stopping. The run is on disk and goes on after the restart: read it at /v1/runs/${id}.`,
    retry_after_ms: 2000,
    details: { run_id: id },
  };
}
