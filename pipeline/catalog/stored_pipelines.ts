/**
 * Pipelines that were put over the API: per tenant the current one by name, and every version that
 * there was.
 *
 * 1. A change is one commit that checks the current record, so that of two at a time one loses.
 * 2. Numbers only rise: a name that is deleted and stored again continues counting.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import type { Caller, CallerRecord } from "../../guard/mod.ts";
import {
  type At,
  type Key,
  keys,
  type ReadOptions,
  setJson,
  type Store,
  type Versioned,
} from "../../store/mod.ts";

/** One version of a pipeline. */
export interface StoredPipeline {
  name: string;
  /** 1 for the first version of this name. */
  number: number;
  /** The document as it was put. */
  text: string;
  /** Content hash of the definition when it was put. */
  version: string;
  /** RFC 3339 UTC. */
  created_at: string;
  by: string;
  /** What whoever put it might do, for the runs that its schedule starts. */
  grants?: CallerRecord["grants"];
  /** Set on the current record when the pipeline was deleted. */
  deleted?: boolean;
}

/** A current record that cannot be read: a new version and a deletion replace it. */
export interface DamagedPipeline extends StoredPipeline {
  damaged: OrchestratorError;
}

/** A document to put. */
export type PutPipeline = Pick<StoredPipeline, "name" | "text" | "version">;

/** What is stored now. */
export interface Snapshot {
  /** Changes with every put and delete; `null` while there was none. */
  stamp: string | null;
  /** The pipelines that are not deleted, by name. */
  pipelines: Map<string, StoredPipeline | DamagedPipeline>;
}

/** The current record of a name with its version in the store; `null`: the name was never put. */
export type CurrentPipeline = Versioned<StoredPipeline> | null;

/** Stored pipelines. */
export interface StoredPipelines {
  /** The tenants that have, or had, pipelines of their own. */
  tenants(): Promise<string[]>;
  /** The pipelines of a tenant; `known` comes back when nothing has changed since. */
  snapshot(tenant: string, known?: Snapshot): Promise<Snapshot>;
  /** The current record, a deleted or damaged one included. */
  current(tenant: string, name: string): Promise<CurrentPipeline>;
  /** One version, whether or not the pipeline was deleted since. */
  version(tenant: string, name: string, number: number): Promise<StoredPipeline | null>;
  /** Every version, the newest first. */
  versions(tenant: string, name: string): Promise<StoredPipeline[]>;
  /** Stores a new version after `current`. @throws `conflict` when there is a newer one */
  put(caller: Caller, pipeline: PutPipeline, current: CurrentPipeline): Promise<StoredPipeline>;
  /** Deletes the current version; the history stays. @throws `conflict` as `put` */
  remove(tenant: string, current: Versioned<StoredPipeline>): Promise<void>;
}

/** Keeps pipelines in the store. `now` gives milliseconds since the epoch. */
export function createStoredPipelines(store: Store, now: () => number): StoredPipelines {
  return new PipelineStore(store, now);
}

class PipelineStore implements StoredPipelines {
  constructor(private readonly store: Store, private readonly now: () => number) {}

  async tenants(): Promise<string[]> {
    const prefix = keys.pipelineChanges();
    const changes = await Array.fromAsync(this.store.keys({ prefix }));
    return changes.map(({ key }) => String(key[1]));
  }

  async snapshot(tenant: string, known?: Snapshot): Promise<Snapshot> {
    const { store } = this;
    // The mark is read first: a change that comes in between is seen again next time.
    const stamp = (await store.kv.get(keys.pipelineChange(tenant)))?.versionstamp ?? null;
    if (known && known.stamp === stamp) return known;
    const pipelines: Snapshot["pipelines"] = new Map();
    if (stamp === null) return { stamp, pipelines };
    const onDamaged: ReadOptions["onDamaged"] = (error, { key }) => {
      const name = key.at(-1) as string;
      pipelines.set(name, damagedPipeline(name, 0, error));
    };
    const all = store.list<StoredPipeline>({ prefix: keys.pipelines(tenant) }, { onDamaged });
    for await (const { value } of all) if (!value.deleted) pipelines.set(value.name, value);
    return { stamp, pipelines };
  }

  async current(tenant: string, name: string): Promise<CurrentPipeline> {
    const { store } = this;
    let broken: { at: At; error: OrchestratorError } | undefined;
    const [found] = await store.getMany<StoredPipeline>([keys.pipeline(tenant, name)], {
      onDamaged: (error, at) => void (broken = { at, error }),
    });
    if (!broken) return found ?? null;
    const number = await lastNumber(store, tenant, name);
    return { ...broken.at, value: damagedPipeline(name, number, broken.error) };
  }

  async version(tenant: string, name: string, number: number): Promise<StoredPipeline | null> {
    const key = keys.pipelineVersion(tenant, name, number);
    return (await this.store.get<StoredPipeline>(key))?.value ?? null;
  }

  async versions(tenant: string, name: string): Promise<StoredPipeline[]> {
    return (await readAll(this.store, keys.pipelineVersions(tenant, name))).reverse();
  }

  async put(
    caller: Caller,
    { name, text, version }: PutPipeline,
    current: CurrentPipeline,
  ): Promise<StoredPipeline> {
    const { tenant, started_by: by, grants } = caller.toRecord();
    const number = (current?.value.number ?? 0) + 1;
    const created_at = new Date(this.now()).toISOString();
    const record: StoredPipeline = { name, number, text, version, created_at, by, grants };
    await this.change(tenant, record, current);
    return record;
  }

  remove(tenant: string, current: Versioned<StoredPipeline>): Promise<void> {
    const { damaged: _damaged, ...record } = current.value as DamagedPipeline;
    return this.change(tenant, { ...record, deleted: true }, current);
  }

  /** @throws `conflict` */
  private async change(
    tenant: string,
    record: StoredPipeline,
    current: CurrentPipeline,
  ): Promise<void> {
    const { name, number, deleted } = record;
    const key = keys.pipeline(tenant, name);
    const mutations = [
      setJson(key, record),
      ...(deleted ? [] : [setJson(keys.pipelineVersion(tenant, name, number), record)]),
      setJson(keys.pipelineChange(tenant), { name, number }),
    ];
    const checks = [{ key, versionstamp: current?.versionstamp ?? null }];
    if (await this.store.commit({ checks, mutations }) === null) throw overtaken(name);
  }
}

function damagedPipeline(
  name: string,
  number: number,
  damaged: OrchestratorError,
): DamagedPipeline {
  return { name, number, text: "", version: "", created_at: "", by: "", damaged };
}

async function lastNumber(store: Store, tenant: string, name: string): Promise<number> {
  const prefix = keys.pipelineVersions(tenant, name);
  for await (const { key } of store.keys({ prefix }, { limit: 1, reverse: true })) {
    return key.at(-1) as number;
  }
  return 0;
}

async function readAll(store: Store, prefix: Key): Promise<StoredPipeline[]> {
  const entries = await Array.fromAsync(store.list<StoredPipeline>({ prefix }));
  return entries.map(({ value }) => value);
}

function overtaken(name: string): OrchestratorError {
  return new OrchestratorError(
    "conflict",
    `Cannot change pipeline ${name}: another request changed it at the same time. Read it again, then retry.`,
  );
}
