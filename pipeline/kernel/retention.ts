/**
 * Removes what is no longer needed: runs that ended long ago with all that they left, and
 * records whose time is over.
 *
 * Boundary: knows the keys of what runs leave, not what is in them. Never touches a live run.
 *
 * Invariants
 * 1. A run disappears in one commit that checks its header: one that was redriven in the meantime
 *    has another header or none, so it stays.
 * 2. What does not fit that commit is named by a marker that the same commit sets. The marker goes
 *    with the last of it, so a crash in between leaves nothing that is not found again.
 * 3. Work is done in slices that others can come between, and in rounds of {@linkcode ROUND_MS}.
 *
 * @module
 */
import { encodeTime } from "ulid";
import {
  type At,
  type Check,
  type Key,
  keys,
  type Mutation,
  setJson,
  type Store,
  type Versioned,
} from "../../store/mod.ts";
import { type Clock, timestamp } from "./clock.ts";
import type { KernelLog } from "./runner.ts";
import type { RunRecord } from "./runs.ts";

/** A round ends with the slice that goes beyond this. */
const ROUND_MS = 50;
/** Pause between two rounds of a pass. */
const PAUSE_MS = 200;
/** Pause between two passes. */
const REST_MS = 300_000;
/** Runs that are removed together. */
const SLICE_RUNS = 25;
/** Records that are looked at together. */
const SLICE_RECORDS = 200;
/** Changes of one run that one commit makes. */
const MAX_MUTATIONS = 100;

/** What retention needs. */
export interface RetentionOptions {
  store: Store;
  clock: Clock;
  log: KernelLog;
  /** How long a run is kept after its end, in milliseconds; 0: for ever. */
  keep_ms: number;
  /** What others keep for a run: deleted with it. */
  leftovers?: Leftovers[];
  /** Below these are records of others that have an `expires_at`, in milliseconds since the epoch. */
  expiring?: Key[];
  /** Others that remove what is old: each gives how many records a slice of it removed. */
  sweepers?: (() => AsyncIterable<number>)[];
}

/** Gives the changes that delete what is kept for a run; each set of them happens at once. */
export type Leftovers = (store: Store, tenant: string, run: string) => AsyncIterable<Mutation[]>;

/** What a round did. */
export interface Swept {
  /** Runs that were removed. */
  runs: number;
  /** Expired records and what sweepers removed. */
  records: number;
  /** False if the next round has to continue where this one stopped. */
  done: boolean;
}

/** Removes what is too old. */
export interface Retention {
  /** One round. @throws what the store throws; the next round starts over */
  sweep(): Promise<Swept>;
  /** Sweeps from now on, in the background. */
  start(): void;
  /** Resolves when the round under way is over. */
  stop(): Promise<void>;
}

/** Makes a retention; nothing happens before `sweep` or `start`. */
export function createRetention(options: RetentionOptions): Retention {
  return new KernelRetention(options);
}

/** What a slice did. */
type Slice = Omit<Swept, "done">;

class KernelRetention implements Retention {
  /** The pass under way; it stands where the last round stopped. */
  private pass?: AsyncGenerator<Slice, void>;
  private readonly closing = new AbortController();
  private loop?: Promise<void>;

  constructor(private readonly options: RetentionOptions) {}

  async sweep(): Promise<Swept> {
    const { clock } = this.options;
    const until = clock.now() + ROUND_MS;
    const swept: Swept = { runs: 0, records: 0, done: false };
    const pass = this.pass ??= this.slices();
    this.pass = undefined; // a pass that threw is over
    do {
      const { done, value } = await pass.next();
      if (done) return { ...swept, done };
      swept.runs += value.runs;
      swept.records += value.records;
      await new Promise<void>((resolve) => clock.afterTurn(resolve));
    } while (clock.now() < until);
    this.pass = pass;
    return swept;
  }

  start(): void {
    this.loop ??= this.keepSweeping();
  }

  async stop(): Promise<void> {
    this.closing.abort();
    await this.loop;
  }

  private async keepSweeping(): Promise<void> {
    const { clock, log, store } = this.options;
    const { signal } = this.closing;
    let removed = 0;
    while (!signal.aborted && !store.isFenced) {
      let pause = REST_MS;
      try {
        const { runs, done } = await this.sweep();
        removed += runs;
        if (done && removed > 0) log.info("old runs removed", { runs: removed });
        if (done) removed = 0;
        else pause = PAUSE_MS;
      } catch (error) {
        log.warn("removing old runs failed, will be retried", { error });
      }
      await clock.sleep(pause, signal).catch(() => {});
    }
  }

  /** One pass over everything. */
  private async *slices(): AsyncGenerator<Slice, void> {
    const { clock, keep_ms, store } = this.options;
    for await (const { key } of store.keys({ prefix: keys.removings() })) {
      yield* this.clear(key[1] as string, key[2] as string);
    }
    if (keep_ms > 0) {
      for await (const tenant of this.tenants()) {
        yield* this.oldRuns(tenant, clock.now() - keep_ms);
      }
    }
    for (const prefix of [keys.idempotencies(), ...this.options.expiring ?? []]) {
      yield* this.expired(prefix);
    }
    for (const sweep of this.options.sweepers ?? []) {
      for await (const records of sweep()) yield { runs: 0, records };
    }
    for await (const _ of store.sweep()) yield { runs: 0, records: 0 };
  }

  /** The tenants that have runs, without reading all of these. */
  private async *tenants(): AsyncGenerator<string, void> {
    const prefix = keys.allRuns();
    let start: Key | undefined;
    while (true) {
      const selector = start ? { prefix, start } : { prefix };
      const [first] = await Array.fromAsync(this.options.store.keys(selector, { limit: 1 }));
      if (!first) return;
      const tenant = first.key[1] as string;
      yield tenant;
      start = [...keys.runs(tenant), 0]; // ids are strings, and numbers come after these
    }
  }

  /**
   * Removes the runs that ended before `cutoff`. Ids begin with the time of their making, or with a
   * later one while the clock is behind what the store has seen.
   */
  private async *oldRuns(tenant: string, cutoff: number): AsyncGenerator<Slice, void> {
    const { clock, store } = this.options;
    const prefix = keys.runs(tenant);
    const end = [...prefix, `run_${encodeTime(cutoff).toLowerCase()}`];
    const selector = clock.now() < store.after ? { prefix } : { prefix, end };
    const ended = timestamp(cutoff);
    let batch: Versioned<RunRecord>[] = [];
    for await (const run of store.list<RunRecord>(selector)) {
      const { ended_at } = run.value;
      if (ended_at === undefined || ended_at >= ended) continue;
      batch.push(run);
      if (batch.length < SLICE_RUNS) continue;
      yield* this.removeAll(batch);
      batch = [];
    }
    yield* this.removeAll(batch);
  }

  /** Removes runs, each in a commit of its own, which the store groups. */
  private async *removeAll(batch: Versioned<RunRecord>[]): AsyncGenerator<Slice, void> {
    const left: RunRecord[] = [];
    const removed = await Promise.all(batch.map(async (ended) => {
      const { value: run } = ended;
      const { tenant, id } = run;
      const { mutations, complete } = await this.remains(tenant, id);
      if (!complete) left.push(run);
      const rest = complete ? mutations : [setJson(keys.removing(tenant, id), {})];
      return await this.remove(ended, [...indexOf(run), ...rest]);
    }));
    yield { runs: removed.filter(Boolean).length, records: 0 };
    for (const { tenant, id } of left) yield* this.clear(tenant, id);
  }

  private async remove({ key, versionstamp }: At, more: Mutation[]): Promise<boolean> {
    const checks: Check[] = [{ key, versionstamp }];
    const mutations = [{ key, delete: true as const }, ...more];
    return await this.options.store.commit({ checks, mutations }) !== null;
  }

  /** Clears away what a removed run left, its marker last. */
  private async *clear(tenant: string, id: string): AsyncGenerator<Slice, void> {
    const { store } = this.options;
    const key = keys.removing(tenant, id);
    // Without its marker the run was not removed after all.
    for (let marker = await store.kv.get(key); marker; marker = await store.kv.get(key)) {
      const { mutations, complete } = await this.remains(tenant, id);
      if (complete) mutations.push({ key, delete: true });
      const checks = [{ key, versionstamp: marker.versionstamp }];
      await store.commit({ checks, mutations });
      yield { runs: 0, records: 0 };
    }
  }

  /** What a run left besides its header, as much as one commit takes. */
  private async remains(
    tenant: string,
    id: string,
  ): Promise<{ mutations: Mutation[]; complete: boolean }> {
    const mutations: Mutation[] = [];
    for await (const some of this.leftBy(tenant, id)) {
      const full = mutations.length + some.length > MAX_MUTATIONS;
      if (full && mutations.length > 0) return { mutations, complete: false };
      mutations.push(...some);
    }
    return { mutations, complete: true };
  }

  private async *leftBy(tenant: string, id: string): AsyncGenerator<Mutation[], void> {
    const { store, leftovers = [] } = this.options;
    for (const left of leftovers) yield* left(store, tenant, id);
    for (const prefix of [keys.journal(tenant, id), keys.inbox(tenant, id)]) {
      // One more than a commit takes shows that there are more.
      for await (const { key } of store.keys({ prefix }, { limit: MAX_MUTATIONS + 1 })) {
        yield [{ key, delete: true }];
      }
    }
  }

  /** Removes the records below `prefix` whose `expires_at` has passed. */
  private async *expired(prefix: Key): AsyncGenerator<Slice, void> {
    const { store, clock } = this.options;
    let seen = 0;
    let batch: At[] = [];
    const removeBatch = async () => {
      const removed = await Promise.all(batch.map((record) => this.remove(record, [])));
      batch = [];
      return { runs: 0, records: removed.filter(Boolean).length };
    };
    for await (const record of store.list<{ expires_at?: number }>({ prefix })) {
      const { expires_at } = record.value;
      if (expires_at !== undefined && expires_at <= clock.now()) batch.push(record);
      if (++seen % SLICE_RECORDS === 0 || batch.length === SLICE_RUNS) yield await removeBatch();
    }
    yield await removeBatch();
  }
}

/** The entry by which a list of failed or cancelled runs finds this one. */
function indexOf({ tenant, id, status }: RunRecord): Mutation[] {
  return status === "completed" ? [] : [{ key: keys.ended(tenant, status, id), delete: true }];
}
