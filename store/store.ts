/**
 * The store as the rest of the program sees it: JSON values of any size, fenced grouped commits.
 *
 * Boundary: what is large, damaged or of an earlier schema version is dealt with here; callers read
 * and write values.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import { Committer, type CommitterOptions, latestOf, type Lease, parseLease } from "./committer.ts";
import { type At, BYTES, Contents, json, type ReadOptions, type Versioned } from "./contents.ts";
import { keys, SCHEMA_VERSION } from "./keys.ts";
import type { Commit, Entry, Key, Kv, ListOptions, Selector } from "./kv.ts";
import { migrate, schemaOf, setSchema } from "./migrate.ts";
import { sweepBlobs } from "./sweep.ts";
import { jsonOf } from "./values.ts";
import { Writer } from "./writer.ts";

/** What a store needs. */
export interface StoreOptions extends CommitterOptions {
  /** True when the lock of the data directory proves that every other worker is dead. */
  alone?: boolean;
  /** Called once for each damaged value that is found. Must not throw. */
  onDamaged?(error: OrchestratorError): void;
}

/** A worker that holds a lease. */
export interface Worker {
  worker: string;
  /** Since its last sign of life, in milliseconds. */
  age_ms: number;
  /** Its lease. */
  entry: Entry;
}

/** What a commit holds may have been made this long before it, and the clock been set back since. */
const AFTER_MS = 1_000;

/** Reads from and commits to one key-value store on behalf of one worker. */
export class Store {
  readonly worker: string;
  readonly kv: Kv;
  /**
   * A time after all that the store had seen when it was opened, in milliseconds since the epoch:
   * later than now where the clock was set back.
   */
  after = 0;
  private readonly committer: Committer;
  private readonly writer: Writer;
  private readonly contents: Contents;
  private readonly now: () => number;

  constructor(private readonly options: StoreOptions) {
    const { kv, worker, now, onDamaged } = options;
    this.kv = kv;
    this.worker = worker;
    this.now = now;
    const committer = this.committer = new Committer(options);
    const writer = this.writer = new Writer(kv, committer);
    this.contents = new Contents({
      kv,
      onLarge: (key, pointer) => writer.remember(key, pointer),
      onDamaged,
    });
  }

  /**
   * Registers the worker and migrates what an earlier program wrote.
   *
   * @throws `store_newer_schema`
   */
  async open(): Promise<void> {
    const schema = await schemaOf(this.kv);
    if (schema && schema.version > SCHEMA_VERSION) throw newerSchema(schema.version);
    this.after = await this.latestTime() + AFTER_MS;
    this.committer.hasSeen(this.after);
    await this.committer.acquire();
    if (this.options.alone) await this.reapOthers();
    const commit = (change: Commit) => this.commit(change);
    if (schema) await migrate({ kv: this.kv, commit }, schema);
    else await commit({ checks: [], mutations: [setSchema({ version: SCHEMA_VERSION })] });
  }

  /**
   * Commits all of `commit` or nothing of it. Its values may have any size that they can be made
   * with; see {@linkcode Committer.submit}.
   */
  commit(commit: Commit): Promise<string | null> {
    return this.writer.commit(commit);
  }

  /** Reads one value. @throws `value_damaged` */
  async get<T>(key: Key): Promise<Versioned<T> | null> {
    const entry = await this.kv.get(key);
    return entry && await this.contents.read(entry, json<T>());
  }

  /** Reads one value; `null` if it is missing or cannot be read. */
  async tryGet<T>(key: Key): Promise<Versioned<T> | null> {
    return (await this.getMany<T>([key], { onDamaged() {} }))[0]!;
  }

  /** Reads one value in order to replace or delete it: of a damaged one no more than its version. */
  async getToReplace<T>(key: Key): Promise<At & { value?: T } | null> {
    let damaged: At | null = null;
    const onDamaged: ReadOptions["onDamaged"] = (_error, { versionstamp }) =>
      damaged = { key, versionstamp };
    const [found] = await this.getMany<T>([key], { onDamaged });
    return found ?? damaged;
  }

  /**
   * Reads several values; `null` for those that are missing.
   *
   * @throws `value_damaged`, unless `onDamaged` is given: such a value is `null` then
   */
  async getMany<T>(
    wanted: Key[],
    { onDamaged }: Pick<ReadOptions, "onDamaged"> = {},
  ): Promise<(Versioned<T> | null)[]> {
    const { contents } = this;
    const entries = await this.kv.getMany(wanted);
    return await Promise.all(entries.map((entry) => {
      if (!entry) return null;
      if (!onDamaged) return contents.read(entry, json<T>());
      return contents.attempt(entry, json<T>(), onDamaged);
    }));
  }

  /** Reads bytes. @throws `value_damaged` */
  async getBytes(key: Key): Promise<Uint8Array | null> {
    const entry = await this.kv.get(key);
    return entry && (await this.contents.read(entry, BYTES))?.value || null;
  }

  /** Reads values in key order; damaged ones are left out. */
  list<T>(selector: Selector, options?: ReadOptions): AsyncIterable<Versioned<T>> {
    return this.contents.list(selector, json<T>(), options);
  }

  /** The same for bytes. */
  listBytes(selector: Selector, options?: ReadOptions): AsyncIterable<Versioned<Uint8Array>> {
    return this.contents.list(selector, BYTES, options);
  }

  /** Reads keys in their order: of large values no more than where they are. */
  keys(selector: Selector, options?: ListOptions): AsyncIterable<At> {
    return this.contents.keys(selector, options);
  }

  /** Deletes what replaced and deleted values left behind; gives how many each slice deleted. */
  sweep(): AsyncGenerator<number, void> {
    return sweepBlobs({
      kv: this.kv,
      worker: this.worker,
      commit: (commit) => this.committer.submit(commit),
      isWriting: (blob) => this.writer.isWriting(blob),
      workers: async () => (await this.workers()).map(({ worker }) => worker),
    });
  }

  /** Shows other workers that this one is alive. */
  heartbeat(idle_ms: number): Promise<void> {
    return this.committer.heartbeat(idle_ms);
  }

  /** True when no other process can have this store open. */
  get isAlone(): boolean {
    return this.options.alone ?? false;
  }

  /** True once another worker has taken over. */
  get isFenced(): boolean {
    return this.committer.isFenced;
  }

  /** The workers that hold a lease. */
  async workers(): Promise<Worker[]> {
    const found: Worker[] = [];
    for await (const entry of this.kv.list({ prefix: keys.leases() })) {
      const { worker, at } = leaseOf(entry);
      found.push({ worker, age_ms: this.now() - at, entry });
    }
    return found;
  }

  /** Declares a worker dead. False when it showed life in the meantime. */
  async reap(entry: Entry): Promise<boolean> {
    this.committer.hasSeen(latestOf(leaseOf(entry)));
    const checks = [{ key: entry.key, versionstamp: entry.versionstamp }];
    return await this.commit({ checks, mutations: [{ key: entry.key, delete: true }] }) !== null;
  }

  /** Releases the worker's lease; reading still works. */
  release(): Promise<void> {
    return this.committer.release();
  }

  /** The clock of this machine may be behind what workers before this one have seen. */
  private async latestTime(): Promise<number> {
    const kept = await this.kv.get(keys.time());
    const leases = (await this.workers()).map(({ entry }) => latestOf(leaseOf(entry)));
    return Math.max(kept ? timeOf(kept) : 0, ...leases);
  }

  private async reapOthers(): Promise<void> {
    for (const { worker, entry } of await this.workers()) {
      if (worker !== this.worker) {
        await this.kv.commit({ checks: [], mutations: [{ key: entry.key, delete: true }] });
      }
    }
  }
}

/** A lease that cannot be read is overdue. */
function leaseOf(entry: Entry): Lease {
  try {
    const lease = parseLease(entry);
    if (typeof lease.at === "number") return lease;
  } catch {
    // It is handled below.
  }
  return { worker: entry.key[1] as string, batch: 0, at: -Infinity };
}

/** One that cannot be read says nothing. */
function timeOf(entry: Entry): number {
  try {
    const { latest } = jsonOf<{ latest: number }>(entry);
    return typeof latest === "number" ? latest : 0;
  } catch {
    return 0;
  }
}

function newerSchema(version: number): OrchestratorError {
  return new OrchestratorError(
    "store_newer_schema",
    `Cannot open the store: it has schema version ${version}, but this program only supports ${SCHEMA_VERSION}. Use the newer program that wrote it.`,
  );
}
