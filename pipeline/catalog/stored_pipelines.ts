/**
 * Pipelines that were put over the API: per tenant the current one by name, and every version that
 * there was.
 *
 * 1. A change is one commit that checks the current record, so that of two at a time one loses.
 * 2. Numbers rise for ever: a name that is deleted and put again goes on counting.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import type { Caller, CallerRecord } from "../../guard/mod.ts";
import { type Key, keys, setJson, type Store, type Versioned } from "../../store/mod.ts";

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

/** A document to put. */
export type PutPipeline = Pick<StoredPipeline, "name" | "text" | "version">;

/** What is stored now. */
export interface Snapshot {
  /** Changes with every put and delete; `null` while there was none. */
  stamp: string | null;
  /** The pipelines that are not deleted, by name. */
  pipelines: Map<string, StoredPipeline>;
}

/** The current record of a name with its version in the store; `null`: the name was never put. */
export type CurrentPipeline = Versioned<StoredPipeline> | null;

/** Stored pipelines. */
export interface StoredPipelines {
  /** The tenants that have, or had, pipelines of their own. */
  tenants(): Promise<string[]>;
  /** The pipelines of a tenant; `known` comes back when nothing has changed since. */
  snapshot(tenant: string, known?: Snapshot): Promise<Snapshot>;
  /** The current record, a deleted one included. */
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
    const changes = await Array.fromAsync(this.store.kv.list({ prefix }));
    return changes.map(({ key }) => String(key[1]));
  }

  async snapshot(tenant: string, known?: Snapshot): Promise<Snapshot> {
    const { store } = this;
    // The mark is read first: a change that comes in between is seen again next time.
    const stamp = (await store.kv.get(keys.pipelineChange(tenant)))?.versionstamp ?? null;
    if (known && known.stamp === stamp) return known;
    const all = stamp === null ? [] : await readAll(store, keys.pipelines(tenant));
    const there = all.filter(({ deleted }) => !deleted);
    return { stamp, pipelines: new Map(there.map((pipeline) => [pipeline.name, pipeline])) };
  }

  current(tenant: string, name: string): Promise<CurrentPipeline> {
    return this.store.get<StoredPipeline>(keys.pipeline(tenant, name));
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
    return this.change(tenant, { ...current.value, deleted: true }, current);
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
      ...setJson(key, record),
      ...(deleted ? [] : setJson(keys.pipelineVersion(tenant, name, number), record)),
      ...setJson(keys.pipelineChange(tenant), { name, number }),
    ];
    const checks = [{ key, versionstamp: current?.versionstamp ?? null }];
    if (await this.store.commit({ checks, mutations }) === null) throw overtaken(name);
  }
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
