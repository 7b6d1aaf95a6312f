/**
 * Creates runs: new ones, ones that repeat another run from a step on, failed ones that resume.
 *
 * Invariants
 * 1. `start` resolves after the run is on disk and never before.
 * 2. A run is created and claimed in one commit, so its first step needs no other.
 * 3. A slot of its concurrency key, or a turn in the queue for one, is taken by that same commit.
 *
 * @module
 */
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";
import type { CallerRecord } from "../../guard/mod.ts";
import type { Commit } from "../../store/mod.ts";
import { ActiveRun, type ActiveRunDeps } from "./active_run.ts";
import { timestamp } from "./clock.ts";
import type { EventBody } from "./events.ts";
import { emptyHistory, forgetFailures, type History, readHistory } from "./history.ts";
import { type Claim, claim, lookUp } from "./idempotency.ts";
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
import type { Slots, SlotState } from "./slots.ts";
import { createRun, parkRun, reopenRun } from "./transitions.ts";
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

/** How often a run is made that others are always faster than. */
const MAX_TRIES = 100;

/** A run that is to be made. A commit that is refused has it made again, with another id. */
interface Plan {
  tenant: string;
  concurrency?: Concurrency;
  claim?: Claim;
  listener?: RunListener;
  /** After a refusal: what another request made. @throws why it cannot be made any more */
  recheck(): Promise<StartedRun | undefined>;
  /** Its header, history and first events; called for each try. */
  make(): { record: RunRecord; history: History; events: EventBody[]; commit?: Commit };
}

/** Where a run goes: the index of a slot, or the queue behind the runs that hold the slots. */
type Placement = number | SlotState;

/** Starts runs. */
export class Starter {
  constructor(private readonly deps: StarterDeps) {}

  /** See `Engine.start`. */
  async start(request: NewRun, listener?: RunListener): Promise<StartedRun> {
    const { tenant, input, concurrency } = request;
    return await this.once(request, (claim) => {
      this.deps.admit(tenant);
      const make = () => ({
        record: this.newRecord(request),
        history: emptyHistory(input),
        events: [startedEvent(request)],
      });
      const recheck = () => this.raced(claim);
      return this.carryOut({ tenant, concurrency, claim, listener, make, recheck });
    });
  }

  /** See `Engine.restart`. */
  async restart(
    caller: Required<CallerRecord>,
    id: string,
    asked: RestartRequest,
  ): Promise<StartedRun> {
    const { reader, admit, keepsEvent = () => false } = this.deps;
    const { tenant } = caller;
    return await this.once({ tenant, idempotency: asked.idempotency }, async (claim) => {
      const run = await reader.mustRun(tenant, id);
      const events = await reader.journal(tenant, id);
      const kept = keptEvents(id, events, asked, keepsEvent);
      admit(tenant);
      const request = { ...run, ...caller, input: asked.input ?? readHistory(events).input };
      const restart = { run: id, from: asked.from, with: asked.with };
      const make = () => ({
        record: { ...this.newRecord(request), restart },
        history: historyOf(request, kept),
        events: [startedEvent(request), ...kept],
      });
      const concurrency = inLine(run);
      const recheck = () => this.raced(claim);
      return await this.carryOut({ tenant, concurrency, claim, make, recheck });
    });
  }

  /** See `Engine.redrive`. */
  async redrive(tenant: string, id: string): Promise<void> {
    const { reader, store, admit } = this.deps;
    const ended = await reader.ended(tenant, id);
    const { status } = ended?.value ?? await reader.mustRun(tenant, id);
    if (!ended || status !== "failed") {
      throw new OrchestratorError(
        "conflict",
        `Only failed runs can be redriven; run ${id} is ${status}.`,
      );
    }
    admit(tenant);
    const { error: _error, ended_at: _at, last_seq: _seq, ...rest } = ended.value;
    const events = await reader.journal(tenant, id);
    const record: RunRecord = { ...rest, status: "running", attempts: (rest.attempts ?? 1) + 1 };
    const resumed = { type: "run.resumed", reason: "redriven", worker: store.worker } as const;
    const make = () => ({
      record: { ...record },
      history: forgetFailures(readHistory(events)),
      events: [resumed],
      commit: reopenRun(ended),
    });
    const recheck = async () => {
      const now = await reader.ended(tenant, id);
      if (now?.versionstamp === ended.versionstamp) return undefined;
      throw new OrchestratorError("conflict", `Run ${id} has been redriven already.`);
    };
    await this.carryOut({ tenant, concurrency: inLine(record), make, recheck });
  }

  /** Has a request carried out once, however often it is sent. */
  private async once(
    { tenant, idempotency }: Pick<NewRun, "tenant" | "idempotency">,
    carryOut: (claim?: Claim) => Promise<StartedRun>,
  ): Promise<StartedRun> {
    if (!idempotency) return await carryOut();
    const { store, reader, world } = this.deps;
    const found = await lookUp({ store, reader, now: world.clock.now }, tenant, idempotency);
    return "run" in found ? found : await carryOut(found);
  }

  private async carryOut(plan: Plan): Promise<StartedRun> {
    const { runner, slots, watching } = this.deps;
    const { tenant, concurrency } = plan;
    for (let tries = 1;; tries++) {
      const place = await this.place(tenant, concurrency, tries === 1);
      if (concurrency && slots.isEntering(tenant, concurrency)) continue;
      const run = this.make(plan, place);
      try {
        await run.journal.begun;
        return watching.started(run);
      } catch (thrown) {
        runner.orphans.delete(run.name);
        const error = toOrchestratorError(thrown);
        if (error.code !== "conflict") throw error;
        runner.drop(run);
        const replayed = await plan.recheck();
        if (replayed) return replayed;
        if (!concurrency || tries === MAX_TRIES) throw error;
      }
    }
  }

  /** What another request with the same key made meanwhile. */
  private async raced(claim?: Claim): Promise<StartedRun | undefined> {
    if (!claim) return undefined;
    const { store, reader, world } = this.deps;
    const found = await lookUp({ store, reader, now: world.clock.now }, claim.tenant, claim.asked);
    return "run" in found ? found : undefined;
  }

  /** Most runs find their slot free: they are created without looking. @throws `busy`, `overloaded` */
  private async place(
    tenant: string,
    concurrency: Concurrency | undefined,
    isFirst: boolean,
  ): Promise<Placement> {
    if (!concurrency) return 0;
    const { slots, queue_limit } = this.deps;
    const { key, limit, on_busy } = concurrency;
    if (isFirst && limit === 1 && !slots.isTaken(tenant, concurrency)) return 0;
    const places = await slots.read(tenant, { key, limit }, queue_limit + 1);
    if (places.free !== undefined) return places.free;
    if (on_busy === "reject") throw busy(key, places);
    if (places.turns.length > queue_limit) throw crowded(key);
    if (on_busy === "interrupt") await this.interrupt(tenant, places);
    return places;
  }

  private async interrupt(tenant: string, { held, turns }: SlotState): Promise<void> {
    const others = [...held.map(({ value }) => value.run), ...turns];
    for (const other of others) {
      await this.deps.cancel(tenant, other, "interrupted by a newer run").catch((error) => {
        if (toOrchestratorError(error).code !== "conflict") throw error; // it has just ended
      });
    }
  }

  /** Makes a run and has it committed; `journal.begun` says whether it was. */
  private make(plan: Plan, place: Placement): ActiveRun {
    const { watching, runDeps, world, idempotency_ttl_ms } = this.deps;
    const { record, history, events, commit } = plan.make();
    if (plan.concurrency) record.slot = slotOf(plan.concurrency, place);
    const isParked = typeof place !== "number";
    if (isParked || !this.deps.runner.hasSlot) record.status = "queued";
    const run = new ActiveRun(record, history, runDeps);
    if (plan.listener) watching.tell(run, plan.listener);
    if (commit) run.journal.change(commit);
    if (plan.claim) {
      const expires_at = world.clock.now() + idempotency_ttl_ms;
      run.journal.change(claim(plan.claim, record.id, expires_at));
    }
    if (isParked) this.park(run, place, events);
    else this.begin(run, place, events);
    if (!commit) {
      const told = () => this.deps.observer?.started(record, history.input);
      run.journal.begun.then(told, () => {});
    }
    return run;
  }

  private begin(run: ActiveRun, index: number, events: EventBody[]): void {
    const { store, runner, slots } = this.deps;
    const { record, journal } = run;
    journal.change(createRun(record, store.worker));
    run.early = slots.reserve(run);
    if (record.slot) {
      journal.change(slots.take(record, record.slot, index));
      journal.begun.then((stamp) => run.placed = stamp, () => {});
    }
    for (const event of events) journal.append(event);
    runner.take(run);
    this.commitSoon(run);
  }

  /** Suspends a run until it is its turn. */
  private park(run: ActiveRun, places: SlotState, events: EventBody[]): void {
    const { record, journal, feed } = run;
    journal.change(parkRun(record));
    journal.change(this.deps.slots.queue(record, record.slot!, places));
    for (const event of events) journal.append(event);
    run.gone = true;
    const left = () => feed.close();
    journal.begun.then(left, left);
    journal.flush().catch(() => {});
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

  private newRecord(request: Omit<NewRun, "concurrency">): RunRecord {
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
      status: "running",
      created_at: timestamp(world.clock.now()),
    };
    if (conversation_id) record.conversation_id = conversation_id;
    if (priority) record.priority = priority;
    if (budget) record.budget = budget;
    if (request.tainted) record.tainted = true;
    return record;
  }
}

function slotOf({ key, limit }: Concurrency, place: Placement) {
  return typeof place === "number" ? { key, limit, index: place } : { key, limit };
}

/** A run that resumes takes its turn like any other run with its key. */
function inLine({ slot }: RunRecord): Concurrency | undefined {
  return slot && { key: slot.key, limit: slot.limit, on_busy: "enqueue" };
}

function startedEvent({ pipeline, version, input, conversation_id }: Omit<NewRun, "concurrency">) {
  return { type: "run.started" as const, pipeline, version, input, conversation_id };
}

/** What a run knows when it begins that keeps events of another one. */
function historyOf({ input }: Pick<NewRun, "input">, kept: EventBody[]): History {
  const at = timestamp(0);
  const events = kept.map((event) => ({ ...event, run_id: "", seq: 0, at }));
  return { ...readHistory(events), seq: 0, input };
}

function busy(key: string, { held, turns }: SlotState): OrchestratorError {
  const runs = [...held.map(({ value }) => value.run), ...turns];
  return new OrchestratorError(
    "busy",
    `Cannot start a run: ${
      runs[0]
    } is running with the same key (${key}). Wait for it, or send on_busy: enqueue.`,
    { kind: "retryable", retry_after_ms: 1000, details: { key, runs } },
  );
}

function crowded(key: string): OrchestratorError {
  return new OrchestratorError(
    "overloaded",
    `Cannot start a run: too many runs are queued for the same key (${key}). Retry later.`,
    { kind: "retryable", retry_after_ms: 1000, details: { key } },
  );
}
