/** Stores on a database in memory that outlives them. */
import { DENO_KV_LIMITS } from "../../store/deno_kv.ts";
import { type Kv, openDenoKv, Store, type StoreOptions } from "../../store/mod.ts";
import { SimDatabase } from "../_sim/kv.ts";

let workers = 0;

/** What a store in a test needs besides its database: a worker of its own, pauses that are over. */
export function storeOptions(): Omit<StoreOptions, "kv"> {
  return {
    worker: `w${++workers}`,
    now: () => 0,
    sleep: () => Promise.resolve(),
    lease_ms: 15_000,
  };
}

/** Opens a store. With `alone` every worker before it is dead. */
export async function openOn(kv: Kv, options: Partial<StoreOptions> = {}): Promise<Store> {
  const store = new Store({ ...storeOptions(), kv, ...options });
  await store.open();
  return store;
}

/** Calls `use` with an empty database. */
export async function onKv(use: (kv: Kv) => Promise<void>): Promise<void> {
  const kv = await openDenoKv(":memory:");
  try {
    await use(kv);
  } finally {
    await kv.close();
  }
}

/** Calls `use` with an empty directory. */
export async function inDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Every key but those of the store itself. */
export async function keysIn(kv: Kv): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of kv.list({ prefix: [] })) {
    if (key[0] !== "meta" && key[0] !== "lease") found.push(key.join("/"));
  }
  return found;
}

/** A database of plain objects, at once and without faults: fast enough to be copied often. */
export function simulatedKv(db = new SimDatabase()): Kv {
  return {
    limits: DENO_KV_LIMITS,
    get: (key) => Promise.resolve(db.get(key)),
    getMany: (keys) => Promise.resolve(keys.map((key) => db.get(key))),
    async *list(selector, options) {
      yield* db.list(selector, options);
    },
    commit: (commit) => Promise.resolve(db.apply(commit)),
    close: () => Promise.resolve(),
  };
}
