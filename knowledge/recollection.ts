/** Everything that is remembered, as one: how much there is, and forgetting it. @module */
import type { Caller } from "../guard/mod.ts";
import { type Key, keys, type Store } from "../store/mod.ts";
import type { Conversations } from "./conversations.ts";
import type { Memory } from "./memory.ts";
import { removeBelow } from "./remove.ts";

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

/** The part of the store that a recollection uses. */
type RecollectionStore = Pick<Store, "keys" | "kv" | "commit">;

/** What is remembered in `store`. */
export function createRecollection(
  store: RecollectionStore,
  conversations: Pick<Conversations, "list" | "remove">,
  memory: Pick<Memory, "clear">,
): Recollection {
  return new StoredRecollection(store, conversations, memory);
}

class StoredRecollection implements Recollection {
  constructor(
    private readonly store: RecollectionStore,
    private readonly conversations: Pick<Conversations, "list" | "remove">,
    private readonly memory: Pick<Memory, "clear">,
  ) {}

  async stats(caller: Caller): Promise<MemoryStats> {
    const stats = await (caller.may("users:*") ? this.statsOfAll(caller) : this.statsOfOne(caller));
    const all = { ...stats, cached: await this.count(keys.cachesOf(caller.tenant)) };
    return { ...all, capped: Object.values(all).some((number) => number >= MAX_COUNTED) };
  }

  async forget(
    caller: Caller,
    { conversation_id, user_id, cache = false, all = false }: Forgetting,
  ): Promise<Forgotten> {
    const { store, conversations, memory } = this;
    const gone: Forgotten = { exchanges: 0, memories: 0, cached: 0 };
    if (conversation_id !== undefined) {
      gone.exchanges += await conversations.remove(caller, conversation_id) ?? 0;
    }
    if (user_id !== undefined) gone.memories += await memory.clear(caller, user_id);
    if (all) {
      const work = caller.may("users:*") ? this.forgetAll(caller) : this.forgetOne(caller);
      Object.assign(gone, await work);
    }
    if (cache || all) gone.cached += await removeBelow(store, keys.cachesOf(caller.tenant));
    return gone;
  }

  private async statsOfAll({ tenant }: Caller) {
    const [conversations, exchanges, summaries, memories] = await Promise.all([
      this.count(keys.conversationsAt(tenant)),
      this.count(keys.conversations(tenant)),
      this.count(keys.summaries(tenant)),
      this.count(keys.memories(tenant)),
    ]);
    return { conversations, exchanges, summaries, memories };
  }

  private async statsOfOne(caller: Caller) {
    const { tenant, actor } = caller;
    const ids = await this.conversationsOf(caller);
    const exchanges = await Promise.all(ids.map((id) => this.count(keys.conversation(tenant, id))));
    const summaries = await this.store.kv.getMany(ids.map((id) => keys.summary(tenant, id)));
    return {
      conversations: ids.length,
      exchanges: exchanges.reduce((sum, number) => sum + number, 0),
      summaries: summaries.filter((entry) => entry !== null).length,
      memories: await this.count(keys.memoriesOf(tenant, actor)),
    };
  }

  private async forgetAll({ tenant }: Caller) {
    const { store } = this;
    const exchanges = await removeBelow(store, keys.conversations(tenant));
    const memories = await removeBelow(store, keys.memories(tenant));
    const rest = [keys.conversationsAt(tenant), keys.summaries(tenant), keys.memoryOwners(tenant)];
    for (const prefix of rest) await removeBelow(store, prefix);
    return { exchanges, memories };
  }

  private async forgetOne(caller: Caller) {
    const { conversations, memory } = this;
    let exchanges = 0;
    for (const id of await this.conversationsOf(caller)) {
      exchanges += await conversations.remove(caller, id) ?? 0;
    }
    return { exchanges, memories: await memory.clear(caller, caller.actor) };
  }

  private async conversationsOf(caller: Caller): Promise<string[]> {
    const { conversations } = await this.conversations.list(caller, { limit: MAX_COUNTED });
    return conversations.map(({ id }) => id);
  }

  private async count(prefix: Key): Promise<number> {
    let found = 0;
    for await (const _ of this.store.keys({ prefix }, { limit: MAX_COUNTED })) found++;
    return found;
  }
}
