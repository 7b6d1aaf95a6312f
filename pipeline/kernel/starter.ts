/**
 * Makes runs: new ones, ones that wait for their turn, ones that repeat another run from a step on.
 *
 * Invariants
 * 1. `start` resolves after the run is on disk and never before.
 * 2. A run is created and claimed in one commit, so its first step needs no other.
 * 3. A place among runs with the same key is taken by that same commit.
 *
 * @module
 */
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";
import type { CallerRecord } from "../../guard/mod.ts";
import { type Commit, keys, setText, type Versioned } from "../../store/mod.ts";
import { ActiveRun, type ActiveRunDeps } from "./active_run.ts";
import { timestamp } from "./clock.ts";
import type { EventBody, JournalEvent } from "./events.ts";
import { emptyHistory, readHistory } from "./history.ts";
import type { EngineOptions } from "./options.ts";
import type { Reader } from "./reader.ts";
import { keptEvents } from "./restart.ts";
import type { Runner } from "./runner.ts";
import type {
  Concurrency,
  NewRun,
  RestartRequest,
  RunListener,
  RunRecord,
  StartedRun,
} from "./runs.ts";
import type { Places, Slots } from "./slots.ts";
import { createRun, type IdempotencyRecord, parkRun } from "./transitions.ts";
import type { Watching } from "./watching.ts";

/** What starting needs. */
export interface StarterDeps extends EngineOptions {
  reader: Reader;
  runner: Runner;
  slots: Slots;
  watching: Watching;
  runDeps: ActiveRunDeps;
  /** @throws `overloaded`, `shutting_down` */
  admit: (tenant: string) => void;
  cancel: (tenant: string, id: string, reason: string) => Promise<void>;
}

/** How long the commit that creates a run waits for the run's first step. */
const FIRST_COMMIT_MS = 1;

/** What a new run begins with besides its request. */
interface Beginning {
  known?: Versioned<IdempotencyRecord>;
  listener?: RunListener;
  /** Events of another run that it keeps. */
  kept?: EventBody[];
  restart?: RunRecord["restart"];
}

/** What may repeat an earlier request. */
type Keyed = Pick<NewRun, "tenant" | "idempotency">;

/** Starts runs. */
export class Starter {
  constructor(private readonly deps: StarterDeps) {}

  /** See `Engine.start`. */
  async start(request: NewRun, listener?: RunListener): Promise<StartedRun> {
    const { known, replayed } = await this.recognize(request);
    if (replayed) return replayed;
    this.deps.admit(request.tenant);
    return await this.begin(request, { known, listener });
  }

  /** See `Engine.restart`. */
  async restart(
    caller: Required<CallerRecord>,
    id: string,
    request: RestartRequest,
  ): Promise<StartedRun> {
    const { reader, admit } = this.deps;
    const { tenant } = caller;
    const { from, with: given, idempotency } = request;
    const { known, replayed } = await this.recognize({ tenant, idempotency });
    if (replayed) return replayed;
    const run = await reader.mustRun(tenant, id);
    const events = await reader.journal(tenant, id);
    const kept = keptEvents(id, events, request, this.deps.keepsEvent ?? (() => false));
    admit(tenant);
    const { pipeline, version, conversation_id, priority, budget, slot, tainted } = run;
    const concurrency = slot && { ...slot, on_busy: "enqueue" as const };
    return await this.begin({
      ...caller,
      pipeline,
      version,
      input: request.input ?? readHistory(events).input,
      conversation_id,
      priority,
      budget,
      concurrency,
      idempotency,
      tainted,
    }, { known, kept, restart: { run: id, from, with: given } });
  }

  /** Most runs find their place free: they are made without looking. */
  private async begin(request: NewRun, beginning: Beginning): Promise<StartedRun> {
    const { tenant, concurrency } = request;
    const blind = !concurrency ||
      concurrency.limit === 1 && !this.deps.slots.isTaken(tenant, concurrency);
    const started = blind && await this.tryCreate(request, beginning, 0);
    return started || await this.takeTurn(request, concurrency!, beginning);
  }

  /** @returns nothing when its place was not free */
  private async tryCreate(
    request: NewRun,
    beginning: Beginning,
    index: number,
  ): Promise<StartedRun | undefined> {
    const run = this.create(request, beginning, index);
    try {
      await run.journal.begun;
      return this.deps.watching.started(run);
    } catch (thrown) {
      this.deps.runner.orphans.delete(run.name);
      const error = toOrchestratorError(thrown);
      if (error.code !== "conflict") throw error;
      this.deps.runner.drop(run);
      const raced = request.idempotency && await this.known(request);
      if (raced && raced.versionstamp !== beginning.known?.versionstamp) {
        return await this.replay(request, raced.value);
      }
      if (!request.concurrency) throw error;
    }
  }

  /** Looks who has the places, and does what the request wants in that case. */
  private async takeTurn(
    request: NewRun,
    concurrency: Concurrency,
    beginning: Beginning,
  ): Promise<StartedRun> {
    const { slots, queue_limit } = this.deps;
    const { tenant } = request;
    const { key, limit, on_busy } = concurrency;
    while (true) {
      const places = await slots.read(tenant, { key, limit }, queue_limit + 1);
      if (slots.isEntering(tenant, { key, limit })) continue;
      if (places.free !== undefined) {
        const started = await this.tryCreate(request, beginning, places.free);
        if (started) return started;
        continue;
      }
      if (on_busy === "reject") throw busy(key, places);
      if (places.turns.length > queue_limit) throw crowded(key);
      if (on_busy === "interrupt") await this.interrupt(tenant, places);
      const queued = await this.queue(request, places, beginning);
      if (queued) return queued;
    }
  }

  private async interrupt(tenant: string, { held, turns }: Places): Promise<void> {
    const others = [...held.map(({ value }) => value.run), ...turns];
    for (const other of others) {
      await this.deps.cancel(tenant, other, "interrupted by a newer run").catch((error) => {
        if (toOrchestratorError(error).code !== "conflict") throw error; // it has just ended
      });
    }
  }

  private create(request: NewRun, beginning: Beginning, index: number): ActiveRun {
    const { store, runner, slots, watching, runDeps } = this.deps;
    const { known, listener, kept, restart } = beginning;
    const status = runner.hasSlot ? "running" : "queued";
    const record = { ...this.newRecord(request, status), ...(restart ? { restart } : {}) };
    const { concurrency } = request;
    if (concurrency) record.slot = { key: concurrency.key, limit: concurrency.limit, index };
    const run = new ActiveRun(record, historyOf(request, kept), runDeps);
    if (listener) watching.tell(run, listener);
    run.journal.change(createRun(record, store.worker, this.idempotency(request), known));
    run.early = slots.reserve(run);
    run.journal.begun.then(() => this.deps.observer?.started(record, request.input), () => {});
    if (record.slot) {
      run.journal.change(slots.take(record, record.slot, index));
      run.journal.begun.then((stamp) => run.placed = stamp, () => {});
    }
    run.journal.append(startedEvent(request));
    for (const event of kept ?? []) run.journal.append(event);
    runner.take(run);
    this.commitSoon(run);
    return run;
  }

  /** Puts a run aside until it is its turn. @returns nothing when a place became free meanwhile */
  private async queue(
    request: NewRun,
    places: Places,
    { known, listener, kept = [], restart }: Beginning,
  ): Promise<StartedRun | undefined> {
    const { store, slots, watching, runDeps, world } = this.deps;
    const { key, limit } = request.concurrency!;
    const record = { ...this.newRecord(request, "queued"), slot: { key, limit } };
    if (restart) Object.assign(record, { restart });
    const at = timestamp(world.clock.now());
    const events: JournalEvent[] = [startedEvent(request), ...kept]
      .map((event, index) => ({ ...event, run_id: record.id, seq: index + 1, at }));
    const journal = setText(
      keys.events(record.tenant, record.id, 1),
      JSON.stringify(events),
    );
    const parts: Commit[] = [
      parkRun(record, this.idempotency(request), known),
      slots.queue(record, record.slot, places),
      { checks: [], mutations: [journal] },
    ];
    const stamp = await store.commit({
      checks: parts.flatMap(({ checks }) => checks),
      mutations: parts.flatMap(({ mutations }) => mutations),
    });
    if (stamp === null) return undefined;
    this.deps.observer?.started(record, request.input);
    const run = new ActiveRun(record, emptyHistory(null), runDeps);
    run.gone = true;
    if (listener) watching.tell(run, listener);
    run.feed.close();
    return watching.started(run);
  }

  /**
   * What a run does at once, or after a quick read, goes into the commit that creates it: its first
   * step asks for that commit. One that waits or takes its time is committed without.
   */
  private commitSoon({ record, journal }: ActiveRun): void {
    if (journal.isFlushing) return;
    const { clock } = this.deps.world;
    const soon = record.status === "queued" ? Promise.resolve() : clock.sleep(FIRST_COMMIT_MS);
    soon.then(() => journal.flush()).catch(() => {});
  }

  private newRecord(request: NewRun, status: "running" | "queued"): RunRecord {
    const { world } = this.deps;
    const { tenant, started_by, grants, pipeline, version } = request;
    const { conversation_id, priority, budget } = request;
    const record: RunRecord = {
      id: `run_${world.newId()}`,
      tenant,
      started_by,
      grants,
      pipeline,
      version,
      status,
      created_at: timestamp(world.clock.now()),
    };
    if (conversation_id) record.conversation_id = conversation_id;
    if (priority) record.priority = priority;
    if (budget) record.budget = budget;
    if (request.tainted) record.tainted = true;
    return record;
  }

  private idempotency({ idempotency }: NewRun) {
    const { world, idempotency_ttl_ms } = this.deps;
    if (!idempotency) return undefined;
    return { request: idempotency, expires_at: world.clock.now() + idempotency_ttl_ms };
  }

  /** What an earlier request with the same key made; `known` is a record to replace. */
  private async recognize(
    request: Keyed,
  ): Promise<{ known?: Versioned<IdempotencyRecord>; replayed?: StartedRun }> {
    const known = request.idempotency && await this.known(request);
    if (!known) return {};
    if (known.value.expires_at <= this.deps.world.clock.now()) return { known };
    return { replayed: await this.replay(request, known.value) };
  }

  private known({ tenant, idempotency }: Keyed) {
    return this.deps.store.get<IdempotencyRecord>(keys.idempotency(tenant, idempotency!.key));
  }

  private async replay(request: Keyed, known: IdempotencyRecord): Promise<StartedRun> {
    if (known.fingerprint !== request.idempotency!.fingerprint) {
      throw new OrchestratorError(
        "idempotency_mismatch",
        "Cannot use this Idempotency-Key: it was sent with another request. Use a new key for a new request.",
      );
    }
    const { reader } = this.deps;
    const run = await reader.mustRun(request.tenant, known.run);
    const result = await reader.result(request.tenant, known.run);
    if (result) return { run, replayed: true, result: Promise.resolve(result) };
    throw new OrchestratorError(
      "idempotency_in_flight",
      `Cannot answer yet: the first request with this Idempotency-Key is still being worked on as run ${run.id}. Ask again later.`,
      { kind: "retryable", retry_after_ms: patience(run), details: { run_id: run.id } },
    );
  }
}

/** When to ask again, in milliseconds: a run that waits for somebody takes its time. */
function patience({ status, waiting_for = [] }: RunRecord): number {
  const asks = waiting_for.some(({ signal }) => signal !== undefined && !/^child\//.test(signal));
  return status === "paused" || asks ? 30_000 : 1_000;
}

function startedEvent({ pipeline, version, input, conversation_id }: NewRun): EventBody {
  return { type: "run.started", pipeline, version, input, conversation_id };
}

/** What a run knows when it begins: nothing, or what it keeps of another one. */
function historyOf({ input }: NewRun, kept?: EventBody[]) {
  if (!kept) return emptyHistory(input);
  const at = timestamp(0);
  const events = kept.map((event) => ({ ...event, run_id: "", seq: 0, at }));
  return { ...readHistory(events), seq: 0, input };
}

function busy(key: string, { held, turns }: Places): OrchestratorError {
  const runs = [...held.map(({ value }) => value.run), ...turns];
  return new OrchestratorError(
    "busy",
    `Cannot start a run: ${
      runs[0]
    } goes on with the same key (${key}). Wait for it, or send on_busy: enqueue.`,
    { kind: "retryable", retry_after_ms: 1000, details: { key, runs } },
  );
}

function crowded(key: string): OrchestratorError {
  return new OrchestratorError(
    "overloaded",
    `Cannot start a run: too many wait for their turn (${key}). Try again later.`,
    { kind: "retryable", retry_after_ms: 1000, details: { key } },
  );
}
