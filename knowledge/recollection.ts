/** Everything that is remembered, as one: how much there is, and forgetting it. @module */
import type { Caller } from "../guard/mod.ts";
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

/** What is remembered of the users that a caller may act for. */
export interface Recollection {
  stats(caller: Caller): Promise<MemoryStats>;
  /** @throws `forbidden` for a user or a conversation of another one */
  forget(caller: Caller, what: Forgetting): Promise<Forgotten>;
}

/** Of each kind this many are counted. */
const MAX_COUNTED = 10_000;

/** What is remembered in `store`. */
export function createRecollection(
  store: Pick<Store, "kv" | "commit">,
  conversations: Pick<Conversations, "list" | "remove">,
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
  const idsOf = async (caller: Caller) =>
    (await conversations.list(caller, { limit: MAX_COUNTED })).conversations.map(({ id }) => id);

  const statsOfAll = async ({ tenant }: Caller) => {
    const [talks, exchanges, summaries, memories] = await Promise.all([
      count(keys.conversationsAt(tenant)),
      count(keys.conversations(tenant)),
      count(keys.summaries(tenant)),
      count(keys.memories(tenant)),
    ]);
    return { conversations: talks, exchanges, summaries, memories };
  };
  const statsOfOne = async (caller: Caller) => {
    const { tenant, actor } = caller;
    const ids = await idsOf(caller);
    const exchanges = await Promise.all(ids.map((id) => count(keys.conversation(tenant, id))));
    const summaries = await store.kv.getMany(ids.map((id) => keys.summary(tenant, id)));
    return {
      conversations: ids.length,
      exchanges: exchanges.reduce((sum, number) => sum + number, 0),
      summaries: summaries.filter((entry) => entry !== null).length,
      memories: await count(keys.memoriesOf(tenant, actor)),
    };
  };

  const forgetAll = async ({ tenant }: Caller) => {
    const exchanges = await removeBelow(store, keys.conversations(tenant));
    const memories = await removeBelow(store, keys.memories(tenant));
    await clear(keys.conversationsAt(tenant), keys.summaries(tenant), keys.memoryOwners(tenant));
    return { exchanges, memories };
  };
  const forgetOne = async (caller: Caller) => {
    let exchanges = 0;
    for (const id of await idsOf(caller)) exchanges += await conversations.remove(caller, id) ?? 0;
    return { exchanges, memories: await memory.clear(caller, caller.actor) };
  };

  return {
    async stats(caller) {
      const stats = caller.may("users:*") ? await statsOfAll(caller) : await statsOfOne(caller);
      const all = { ...stats, cached: await count(keys.cachesOf(caller.tenant)) };
      return { ...all, capped: Object.values(all).some((number) => number >= MAX_COUNTED) };
    },
    async forget(caller, { conversation_id, user_id, cache = false, all = false }) {
      const gone: Forgotten = { exchanges: 0, memories: 0, cached: 0 };
      if (conversation_id !== undefined) {
        gone.exchanges += await conversations.remove(caller, conversation_id) ?? 0;
      }
      if (user_id !== undefined) gone.memories += await memory.clear(caller, user_id);
      if (all) {
        Object.assign(gone, await (caller.may("users:*") ? forgetAll : forgetOne)(caller));
      }
      if (cache || all) gone.cached += await removeBelow(store, keys.cachesOf(caller.tenant));
      return gone;
    },
  };
}
