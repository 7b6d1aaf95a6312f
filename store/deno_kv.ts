/**
 * The Deno KV adapter: a local file, `:memory:`, or what Deno Deploy provides.
 *
 * @module
 */
import type { Commit, Entry, Key, Kv, KvLimits, ListOptions, Selector } from "./kv.ts";

/** What Deno KV takes. A commit's bytes leave room for how it encodes keys (of 819,200). */
export const DENO_KV_LIMITS: KvLimits = {
  value_bytes: 65_536,
  checks: 100,
  mutations: 1_000,
  key_bytes: 2_048,
  commit_key_bytes: 81_920,
  commit_bytes: 800_000,
  snapshot_keys: 10,
};

/**
 * Opens a Deno KV database.
 *
 * @param path a file, `:memory:`, or nothing for the platform's own database (Deno Deploy)
 */
export async function openDenoKv(path?: string): Promise<Kv> {
  return new DenoKv(await Deno.openKv(path));
}

class DenoKv implements Kv {
  readonly limits = DENO_KV_LIMITS;

  constructor(private readonly kv: Deno.Kv) {}

  async get(key: Key): Promise<Entry | null> {
    return toEntry(await this.kv.get<Uint8Array>(key));
  }

  async getMany(keys: Key[]): Promise<(Entry | null)[]> {
    const pages: Promise<Deno.KvEntryMaybe<Uint8Array>[]>[] = [];
    const { snapshot_keys } = this.limits;
    for (let at = 0; at < keys.length; at += snapshot_keys) {
      pages.push(this.kv.getMany<Uint8Array[]>(keys.slice(at, at + snapshot_keys)));
    }
    return (await Promise.all(pages)).flat().map(toEntry);
  }

  async *list(selector: Selector, options: ListOptions = {}): AsyncIterable<Entry> {
    const { limit, reverse } = options;
    const batchSize = Math.min(limit ?? 500, 500);
    const entries = this.kv.list<Uint8Array>(toDenoSelector(selector), {
      limit,
      reverse,
      batchSize,
    });
    for await (const entry of entries) {
      yield {
        key: entry.key as Key,
        value: entry.value,
        versionstamp: entry.versionstamp,
      };
    }
  }

  async commit(commit: Commit): Promise<string | null> {
    const atomic = this.kv.atomic();
    for (const check of commit.checks) atomic.check(check);
    for (const mutation of commit.mutations) {
      if ("set" in mutation) atomic.set(mutation.key, mutation.set);
      else atomic.delete(mutation.key);
    }
    const result = await atomic.commit();
    return result.ok ? result.versionstamp : null;
  }

  close(): Promise<void> {
    this.kv.close();
    return Promise.resolve();
  }
}

function toEntry(entry: Deno.KvEntryMaybe<Uint8Array>): Entry | null {
  if (entry.versionstamp === null) return null;
  return { key: entry.key as Key, value: entry.value, versionstamp: entry.versionstamp };
}

function toDenoSelector({ prefix, start, end }: Selector): Deno.KvListSelector {
  if (start && end) return { start, end };
  if (start) return { prefix, start };
  if (end) return { prefix, end };
  return { prefix };
}
