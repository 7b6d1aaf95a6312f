/** Removes values of the store. @module */
import type { Key, Mutation, Store } from "../store/mod.ts";

/** Entries that are deleted in one commit. */
const BATCH = 100;

/** Deletes the values under these keys, as far as they are there. */
export async function removeEach(
  store: Pick<Store, "commit">,
  keys: Key[],
): Promise<void> {
  const mutations = keys.map((key) => ({ key, delete: true as const }));
  await store.commit({ checks: [], mutations });
}

/** Deletes everything below a key. @returns how many values */
export async function removeBelow(
  store: Pick<Store, "keys" | "commit">,
  prefix: Key,
): Promise<number> {
  let removed = 0;
  let batch: Mutation[] = [];
  const flush = async () => {
    const mutations = batch;
    batch = [];
    if (mutations.length > 0) await store.commit({ checks: [], mutations });
  };
  for await (const { key } of store.keys({ prefix })) {
    removed++;
    batch.push({ key, delete: true });
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  return removed;
}
