/** Removes values of the store, with every part of those that are kept in several. @module */
import { deleteEntry, type Key, type Mutation, type Store } from "../store/mod.ts";

/** Entries that are deleted in one commit. */
const BATCH = 100;

/** Deletes the values under these keys, as far as they are there. */
export async function removeEach(
  store: Pick<Store, "kv" | "commit">,
  keys: Key[],
): Promise<void> {
  const entries = (await store.kv.getMany(keys)).flatMap((entry) => entry ?? []);
  await store.commit({ checks: [], mutations: entries.flatMap(deleteEntry) });
}

/** Deletes everything below a key. @returns how many values */
export async function removeBelow(
  store: Pick<Store, "kv" | "commit">,
  prefix: Key,
): Promise<number> {
  let removed = 0;
  let batch: Mutation[] = [];
  const flush = async () => {
    const mutations = batch;
    batch = [];
    if (mutations.length > 0) await store.commit({ checks: [], mutations });
  };
  for await (const entry of store.kv.list({ prefix })) {
    removed++;
    batch.push(...deleteEntry(entry));
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  return removed;
}
