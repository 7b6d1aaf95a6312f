/**
 * Starts the runs of pipelines that have a schedule.
 *
 * Boundary: reads schedules from the catalog, starts runs through the engine. Knows no cron syntax.
 * Runs of a stored pipeline act for its tenant, with the grants of whoever stored it. Files are the
 * operator's: their schedules start runs for the local tenant only.
 *
 * 1. A tick starts one run at most, however many processes there are and however often they stop:
 *    its idempotency key names it.
 * 2. The last tick that was handled is on disk, and only later ones are due: a clock that goes back
 *    starts nothing again.
 * 3. A schedule starts when it is first seen; one that was removed and comes back restarts.
 * 4. A tick that is not handled within {@linkcode ON_TIME_MS} is missed. Missed ticks are dropped, or
 *    make one run together, the last one's.
 *
 * @module
 */
import { toOrchestratorError } from "../../errors.ts";
import { actingFor, type Caller, localCaller } from "../../guard/mod.ts";
import {
  type Key,
  keys,
  type Mutation,
  type ReadOptions,
  setJson,
  type Store,
  type Versioned,
} from "../../store/mod.ts";
import type { Catalog } from "./catalog.ts";
import type { StoredPipelines } from "./stored_pipelines.ts";
import { DEFAULT_TIMEZONE, readCron, type Ticks } from "../language/mod.ts";
import type { Schedule } from "../document/mod.ts";
import type { Clock, Engine, Json, KernelLog, StartRequest } from "../kernel/mod.ts";

/** How often schedules are looked at: a new one is noticed, and a tick comes, that much late. */
const LOOK_MS = 1_000;
/** How late a tick may be handled without being missed. */
const ON_TIME_MS = 60_000;
/** Who started a scheduled run. */
const ACTOR = "schedule";

/** What scheduling needs. */
export interface SchedulesOptions {
  catalog: Pick<Catalog, "pipelines" | "document">;
  stored: Pick<StoredPipelines, "tenants">;
  engine: Pick<Engine, "start">;
  /** Checks a run's input and says what the pipeline wants of its start. */
  prepare(
    caller: Caller,
    pipeline: string,
    input: Json,
  ): Promise<Pick<StartRequest, "version" | "priority" | "concurrency" | "budget">>;
  store: Store;
  clock: Clock;
  log: KernelLog;
}

/** A schedule as clients see it. Times are RFC 3339 UTC. */
export interface ScheduleView {
  pipeline: string;
  /** Its place among the schedules of its pipeline. */
  index: number;
  cron: string;
  timezone: string;
  missed: "skip" | "once";
  input?: Json;
  /** `null` if there are no more. */
  next: string | null;
  /** The last tick that was handled, with its run if it started one. */
  last?: string;
  last_run?: string;
}

/** Starts runs when they are due. */
export interface Schedules {
  /** Looks at the schedules from now on, in the background. */
  start(): void;
  /** Resolves when the look under way is over. */
  stop(): Promise<void>;
  list(caller: Caller): Promise<ScheduleView[]>;
}

/** Makes the schedules; nothing happens before `start`. */
export function createSchedules(options: SchedulesOptions): Schedules {
  return new CronSchedules(options);
}

/** What is kept of a schedule. */
interface Kept {
  /** Its cron expression and time zone: if they change, it restarts. */
  rule: string;
  /** The last tick that was handled, or when it was first seen. Milliseconds since the epoch. */
  last: number;
  /** Set once a tick was handled. */
  ticked?: boolean;
  /** The run that the last tick started. */
  run?: string;
}

/** No schedule has this rule. */
const NOTHING_KEPT: Kept = { rule: "", last: 0 };

interface Known {
  /** As whom it is looked at: to start a run takes the grants of whoever stored the pipeline. */
  caller: Caller;
  pipeline: string;
  index: number;
  schedule: Schedule;
  rule: string;
  key: Key;
}

class CronSchedules implements Schedules {
  private readonly closing = new AbortController();
  private readonly ticks = new Map<string, Promise<Ticks>>();
  private loop?: Promise<void>;

  constructor(private readonly options: SchedulesOptions) {}

  start(): void {
    this.loop ??= this.keepLooking();
  }

  async stop(): Promise<void> {
    this.closing.abort();
    await this.loop;
  }

  async list(caller: Caller): Promise<ScheduleView[]> {
    const known = await this.known(caller);
    const now = this.options.clock.now();
    return await Promise.all(known.map(async ({ pipeline, index, schedule, rule, key }) => {
      const { cron, timezone = DEFAULT_TIMEZONE, missed = "skip", input } = schedule;
      const kept = (await this.options.store.tryGet<Kept>(key))?.value;
      const next = (await this.ticksOf(schedule, rule)).next(now);
      return {
        pipeline,
        index,
        cron,
        timezone,
        missed,
        ...(input === undefined ? {} : { input }),
        next: next === undefined ? null : iso(next),
        ...(kept?.ticked && kept.rule === rule ? { last: iso(kept.last) } : {}),
        ...(kept?.run && kept.rule === rule ? { last_run: kept.run } : {}),
      };
    }));
  }

  private async keepLooking(): Promise<void> {
    const { clock, log, store } = this.options;
    const { signal } = this.closing;
    while (!signal.aborted && !store.isFenced) {
      // Not at once: looking reads every pipeline, and a process that starts has more urgent things.
      await clock.sleep(LOOK_MS, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.look();
      } catch (error) {
        if (!signal.aborted) log.warn("checking the schedules failed, will be retried", { error });
      }
    }
  }

  private async look(): Promise<void> {
    const tenants = new Set([localCaller().tenant, ...await this.options.stored.tenants()]);
    for (const tenant of tenants) {
      if (this.closing.signal.aborted) return;
      try {
        await this.lookFor(actingFor({ tenant, started_by: ACTOR, grants: [] }));
      } catch (error) {
        const { log } = this.options;
        if (!this.closing.signal.aborted) {
          log.warn("schedules of a tenant failed", { tenant, error });
        }
      }
    }
  }

  private async lookFor(caller: Caller): Promise<void> {
    const known = await this.known(caller);
    const kept = await this.kept(caller);
    for (const one of known) {
      const name = nameOf(one.key);
      await this.handle(one, kept.get(name) ?? null);
      kept.delete(name);
    }
    for (const { key, versionstamp } of kept.values()) {
      await this.commit(key, versionstamp, { key, delete: true });
    }
  }

  /** Starts what is due of one schedule. */
  private async handle(known: Known, kept: Versioned<Kept> | null): Promise<void> {
    const { rule, key, schedule } = known;
    const now = this.options.clock.now();
    const keep = (value: Kept) => this.commit(key, kept?.versionstamp ?? null, setJson(key, value));
    if (kept?.value.rule !== rule) return await keep({ rule, last: now });
    const ticks = await this.ticksOf(schedule, rule);
    const first = ticks.next(kept.value.last);
    if (first === undefined || first > now) return;
    const tick = Math.max(first, ticks.last(now) ?? first);
    const late = now - tick > ON_TIME_MS;
    const { ticked, run: before } = kept.value;
    if (late && schedule.missed !== "once") {
      return await keep({ rule, last: tick, ...(ticked ? { ticked, run: before } : {}) });
    }
    const run = await this.startRun(known, tick);
    if (run === "later") return;
    await keep({ rule, last: tick, ticked: true, ...(run ? { run } : {}) });
  }

  /** @returns the run's id; nothing when it cannot start; `later` when it is worth another try */
  private async startRun(known: Known, tick: number): Promise<string | undefined> {
    const { engine, prepare, log } = this.options;
    const { pipeline, index, schedule } = known;
    const input = schedule.input ?? {};
    const fingerprint = iso(tick);
    const idempotency = { key: `schedule/${pipeline}/${index}/${fingerprint}`, fingerprint };
    try {
      const caller = await this.starterOf(known);
      const prepared = await prepare(caller, pipeline, input);
      const { run } = await engine.start(caller, { pipeline, input, idempotency, ...prepared });
      log.info("scheduled run started", { pipeline, run_id: run.id, tick: fingerprint });
      return run.id;
    } catch (thrown) {
      const error = toOrchestratorError(thrown);
      if (error.code === "idempotency_in_flight") return String(error.details?.run_id);
      if (error.kind !== "terminal") return "later";
      log.warn("scheduled run not started", { pipeline, tick: fingerprint, error });
    }
  }

  private async starterOf({ caller, pipeline }: Known): Promise<Caller> {
    const document = await this.options.catalog.document(caller, pipeline);
    return actingFor({ ...caller.toRecord(), grants: document?.stored?.grants });
  }

  /** Another process that did the same first is as good. */
  private async commit(
    key: Key,
    versionstamp: string | null,
    mutation: Mutation,
  ): Promise<void> {
    const checks = [{ key, versionstamp }];
    await this.options.store.commit({ checks, mutations: [mutation] });
  }

  private async known(caller: Caller): Promise<Known[]> {
    const { tenant } = caller;
    const pipelines = await this.options.catalog.pipelines(caller, "schedule");
    const own = tenant === localCaller().tenant
      ? pipelines
      : pipelines.filter(({ source }) => source === "stored");
    return own.flatMap(({ name: pipeline, schedule = [] }) =>
      schedule.map((schedule, index) => {
        const rule = `${schedule.cron} ${schedule.timezone ?? DEFAULT_TIMEZONE}`;
        const key = keys.schedule(tenant, pipeline, index);
        return { caller, pipeline, index, schedule, rule, key };
      })
    );
  }

  private async kept({ tenant }: Caller): Promise<Map<string, Versioned<Kept>>> {
    const found = new Map<string, Versioned<Kept>>();
    // A damaged one restarts and replaces its record.
    const onDamaged: ReadOptions["onDamaged"] = (_error, at) =>
      void found.set(nameOf(at.key), { ...at, value: NOTHING_KEPT });
    const entries = this.options.store.list<Kept>({ prefix: keys.schedules(tenant) }, {
      onDamaged,
    });
    for await (const entry of entries) found.set(nameOf(entry.key), entry);
    return found;
  }

  private ticksOf({ cron, timezone }: Schedule, rule: string): Promise<Ticks> {
    let ticks = this.ticks.get(rule);
    if (!ticks) this.ticks.set(rule, ticks = readCron(cron, timezone));
    return ticks;
  }
}

function nameOf(key: Key): string {
  return key.join("/");
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
