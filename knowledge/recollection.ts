/** Everything that is remembered, as one: how much there is, and forgetting it. @module */
import { type Key, keys, type Store } from "../store/mod.ts";
import { type Conversations, removeBelow } from "./conversations.ts";
import type { Memory } from "./memory.ts";

/** How much is remembered. */
export interface MemoryStats {
  conversations: number;
  exchanges: number;
  summaries: number;
  /** Facts about users. */
  memories: number;
  /** Outputs and responses that may be used again. */
  cached: number;
  /** True where there is more than was counted. */
  capped: boolean;
}

/** What is to be forgotten. */
export interface Forgetting {
  conversation_id?: string;
  user_id?: string;
  cache?: boolean;
  all?: boolean;
}

/** How much was forgotten. */
export interface Forgotten {
  exchanges: number;
  memories: number;
  cached: number;
}

/** What is remembered of a tenant. */
export interface Recollection {
  stats(tenant: string): Promise<MemoryStats>;
  forget(tenant: string, what: Forgetting): Promise<Forgotten>;
}

/** Of each kind this many are counted. */
const MAX_COUNTED = 10_000;

/** What is remembered in `store`. */
export function createRecollection(
  store: Pick<Store, "kv" | "commit">,
  conversations: Pick<Conversations, "remove">,
  memory: Pick<Memory, "clear">,
): Recollection {
  const count = async (prefix: Key): Promise<number> => {
    let found = 0;
    for await (const _ of store.kv.list({ prefix }, { limit: MAX_COUNTED })) found++;
    return found;
  };
  const clear = async (...prefixes: Key[]): Promise<void> => {
    for (const prefix of prefixes) await removeBelow(store, prefix);
  };
  return {
    async stats(tenant) {
      const [talks, exchanges, summaries, memories, cached] = await Promise.all([
        count(keys.conversationsAt(tenant)),
        count(keys.conversations(tenant)),
        count(keys.summaries(tenant)),
        count(keys.memories(tenant)),
        count(keys.cachesOf(tenant)),
      ]);
      const all = { conversations: talks, exchanges, summaries, memories, cached };
      return { ...all, capped: Object.values(all).some((number) => number >= MAX_COUNTED) };
    },
    async forget(tenant, { conversation_id, user_id, cache = false, all = false }) {
      const gone: Forgotten = { exchanges: 0, memories: 0, cached: 0 };
      if (conversation_id !== undefined) {
        gone.exchanges += await conversations.remove(tenant, conversation_id) ?? 0;
      }
      if (user_id !== undefined) gone.memories += await memory.clear(tenant, user_id);
      if (all) {
        gone.exchanges += await removeBelow(store, keys.conversations(tenant));
        gone.memories += await removeBelow(store, keys.memories(tenant));
        await clear(
          keys.conversationsAt(tenant),
          keys.summaries(tenant),
          keys.memoryOwners(tenant),
        );
      }
      if (cache || all) gone.cached += await removeBelow(store, keys.cachesOf(tenant));
      return gone;
    },
  };
}
