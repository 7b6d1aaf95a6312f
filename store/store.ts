/**
 * The store as the rest of the program sees it: JSON values of any size, fenced grouped commits.
 *
 * @module
 */
import { OrchestratorError, toOrchestratorError } from "../errors.ts";
import { Committer, type CommitterOptions, latestOf, parseLease } from "./committer.ts";
import { openDenoKv } from "./deno_kv.ts";
import { keys, SCHEMA_VERSION } from "./keys.ts";
import type { Commit, Entry, Key, Kv, ListOptions, Selector } from "./kv.ts";
import { type FlightFile, openFlightFile } from "./flight.ts";
import { type DirectoryLock, lockDirectory } from "./lock.ts";
import { readJson, setJson } from "./values.ts";

/** What a store needs. */
export interface StoreOptions extends CommitterOptions {
  /** True when the lock of the data directory proves that every other worker is dead. */
  alone?: boolean;
}

/** A JSON value with its version. */
export interface Versioned<T> {
  key: Key;
  value: T;
  versionstamp: string;
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
  private readonly now: () => number;

  constructor(private readonly options: StoreOptions) {
    this.kv = options.kv;
    this.worker = options.worker;
    this.now = options.now;
    this.committer = new Committer(options);
  }

  /** Checks the schema version and registers the worker. @throws `store_newer_schema` */
  async open(): Promise<void> {
    const found = await this.get<{ version: number }>(keys.schema());
    if (found && found.value.version > SCHEMA_VERSION) throw newerSchema(found.value.version);
    this.after = await this.latestTime() + AFTER_MS;
    this.committer.hasSeen(this.after);
    await this.committer.acquire();
    if (this.options.alone) await this.buryOthers();
    if (!found) await this.commit({ checks: [], mutations: schemaMutations() });
  }

  /** See {@linkcode Committer.submit}. */
  commit(commit: Commit): Promise<string | null> {
    return this.committer.submit(commit);
  }

  /** Reads one value. */
  async get<T>(key: Key): Promise<Versioned<T> | null> {
    const entry = await this.kv.get(key);
    return entry && await this.decode<T>(entry);
  }

  /** Reads several values; `null` where there is none. */
  async getMany<T>(wanted: Key[]): Promise<(Versioned<T> | null)[]> {
    const entries = await this.kv.getMany(wanted);
    return await Promise.all(entries.map((entry) => entry && this.decode<T>(entry)));
  }

  /** Reads values in key order. */
  async *list<T>(selector: Selector, options?: ListOptions): AsyncIterable<Versioned<T>> {
    for await (const entry of this.kv.list(selector, options)) yield await this.decode<T>(entry);
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

  /** The workers that hold a lease, with the age of their last sign of life in milliseconds. */
  async workers(): Promise<{ worker: string; age_ms: number; entry: Entry }[]> {
    const out = [];
    for await (const entry of this.kv.list({ prefix: keys.leases() })) {
      const lease = parseLease(entry);
      out.push({ worker: lease.worker, age_ms: this.now() - lease.at, entry });
    }
    return out;
  }

  /** Declares a worker dead. False when it showed life in the meantime. */
  async bury(entry: Entry): Promise<boolean> {
    this.committer.hasSeen(latestOf(parseLease(entry)));
    const checks = [{ key: entry.key, versionstamp: entry.versionstamp }];
    return await this.commit({ checks, mutations: [{ key: entry.key, delete: true }] }) !== null;
  }

  /** Gives the worker's lease back; reading goes on. */
  release(): Promise<void> {
    return this.committer.release();
  }

  private async decode<T>(entry: Entry): Promise<Versioned<T>> {
    const value = await readJson<T>(this.kv, entry);
    return { key: entry.key, value, versionstamp: entry.versionstamp };
  }

  /** The clock of this machine may be behind what workers before this one have seen. */
  private async latestTime(): Promise<number> {
    const kept = await this.get<{ latest: number }>(keys.time());
    const leases = (await this.workers()).map(({ entry }) => parseLease(entry));
    return Math.max(kept?.value.latest ?? 0, ...leases.map(latestOf));
  }

  private async buryOthers(): Promise<void> {
    for (const { worker, entry } of await this.workers()) {
      if (worker !== this.worker) {
        await this.kv.commit({ checks: [], mutations: [{ key: entry.key, delete: true }] });
      }
    }
  }
}

/** An open store with what must be closed after it. */
export interface OpenStore {
  store: Store;
  /** Only a data directory has one. */
  flight?: FlightFile;
  close(): Promise<void>;
}

/**
 * Opens the database of a data directory.
 *
 * @param directory created when absent; `:memory:` keeps nothing; nothing: the platform's database
 * @throws `data_dir_locked`, `store_newer_schema`, `store_unavailable`
 */
export async function openStore(
  directory: string | undefined,
  options: Omit<StoreOptions, "kv" | "alone">,
): Promise<OpenStore> {
  const local = directory !== undefined && directory !== ":memory:";
  let lock: DirectoryLock | undefined;
  let flight: FlightFile | undefined;
  if (local) {
    await makeDirectory(directory);
    lock = await lockDirectory(directory);
    flight = await openFlightFile(directory, options.worker);
  }
  const path = local ? `${directory}/store.kv` : directory;
  let kv: Kv | undefined;
  const close = async () => {
    await kv?.close();
    flight?.close();
    lock?.release();
  };
  try {
    kv = await openDenoKv(path);
    const store = new Store({ ...options, kv, alone: local });
    await store.open();
    return { store, flight, close };
  } catch (error) {
    await close();
    throw local ? unusable(path!, error) : error;
  }
}

/** The database has no code for damage: its words have to say whether it is that. */
function unusable(path: string, cause: unknown): OrchestratorError {
  if (cause instanceof OrchestratorError) return cause;
  return new OrchestratorError(
    "store_unavailable",
    `Cannot open ${path}: it is damaged or cannot be used (${
      toOrchestratorError(cause).message
    }). Check disk space and permissions; if it is damaged, restore a backup (docs/operations.md) or move it away.`,
    { cause },
  );
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new OrchestratorError(
      "config_invalid",
      `Cannot use ${directory}: it cannot be made (${
        (cause as Error).name
      }). Set ORCHESTRATOR_HOME to a folder that this user can write.`,
      { cause },
    );
  }
}

function schemaMutations() {
  return setJson(keys.schema(), { version: SCHEMA_VERSION });
}

function newerSchema(version: number): OrchestratorError {
  return new OrchestratorError(
    "store_newer_schema",
    `Cannot open the store: it has schema version ${version}, this program knows ${SCHEMA_VERSION}. Use the newer program that wrote it.`,
  );
}
