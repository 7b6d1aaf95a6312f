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
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";
import { keys, type Versioned } from "../../store/mod.ts";
import { ActiveRun, newAudience, runName } from "./active_run.ts";
import { timestamp } from "./clock.ts";
import { emptyHistory, forgetFailures, readHistory } from "./history.ts";
import type { JournalEvent } from "./events.ts";
import { follow } from "./follow.ts";
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
  redriveRun,
  releaseRun,
  sendMessage,
} from "./transitions.ts";

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
  private readonly closing = new AbortController();
  private accepting = false;
  private watch?: Promise<void>;

  constructor(private readonly options: EngineOptions) {
    this.reader = new Reader(options.store);
    this.runner = new Runner(options);
    const { reader, runner } = this;
    this.recovery = new Recovery({ ...options, reader, runner });
  }

  async open(): Promise<void> {
    const resumed = await this.recovery.sweep();
    if (resumed > 0) this.options.log.info("runs resumed", { runs: resumed });
    this.accepting = true;
    this.watch = this.keepWatch();
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
    return { run: run.record, replayed: false, result: run.audience.result.promise };
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
    const active = () => this.runner.active.get(runName(tenant, id));
    const { reader } = this;
    const { clock } = this.options.world;
    return follow({ tenant, id, ...options }, listener, { active, reader, clock });
  }

  async cancel(tenant: string, id: string, reason?: string): Promise<void> {
    const { store, world } = this.options;
    const live = await this.reader.live(tenant, id);
    if (live) {
      const message = { type: "cancel" as const, reason };
      const sent = await store.commit(sendMessage(live, world.newId(), message));
      if (sent === null) return await this.cancel(tenant, id, reason);
      const active = this.runner.active.get(runName(tenant, id));
      if (active) await this.recovery.obeyInbox(active);
      return;
    }
    const { status } = await this.reader.mustRun(tenant, id);
    throw conflict(`Cannot cancel run ${id}: it has ended already (${status}).`);
  }

  async redrive(tenant: string, id: string): Promise<void> {
    const { store, world } = this.options;
    const ended = await this.reader.ended(tenant, id);
    const { status } = ended?.value ?? await this.reader.mustRun(tenant, id);
    if (!ended || status !== "failed") {
      throw conflict(`Cannot redrive run ${id}: only failed runs can be, this one is ${status}.`);
    }
    this.admit();
    const { error: _error, ended_at: _at, last_seq: _seq, ...rest } = ended.value;
    const record: RunRecord = { ...rest, status: "running" };
    const history = forgetFailures(readHistory(await this.reader.journal(tenant, id)));
    const run = new ActiveRun(record, history, newAudience(id, world), { store, world });
    run.journal.change(redriveRun(ended, record, store.worker));
    run.journal.append({ type: "run.resumed", reason: "redriven", worker: store.worker });
    await run.journal.flush();
    this.runner.take(run);
  }

  signal(): Promise<void> {
    throw new Error("not yet");
  }

  pause(): Promise<void> {
    throw new Error("not yet");
  }

  resume(): Promise<void> {
    throw new Error("not yet");
  }

  restart(): Promise<StartedRun> {
    throw new Error("not yet");
  }

  stats(): EngineStats {
    return {
      running: this.runner.runningCount,
      queued: this.runner.queuedCount,
      waiting: 0,
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
      run.audience.result.resolve({ status: "failed", error: shuttingDownJson(run.record.id) });
    }
    await this.release(left);
    await store.release();
  }

  private async release(left: ActiveRun[]): Promise<void> {
    const { store, log } = this.options;
    const releases = left.map((run) => store.commit(releaseRun(run.record)));
    for (const result of await Promise.allSettled(releases)) {
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
    const audience = newAudience(record.id, world);
    if (listener) audience.feed.join(listener);
    const run = new ActiveRun(record, emptyHistory(request.input), audience, { store, world });
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
        await this.recovery.readInboxes();
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
