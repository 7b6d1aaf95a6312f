/**
 * What was said in a conversation, one entry per exchange: the user's message and the answer to it.
 * An exchange is written by the commit that completes its run, so a turn is remembered exactly when
 * it was answered. Entries are keyed by run id, which sorts by time.
 *
 * @module
 */
import type { Key, ListOptions, Mutation, Selector } from "../store/kv.ts";

/** The part of the store that conversations use; values may be of any size. */
export interface ConversationStore {
  /** In key order, with chunked values put together again. */
  list(
    selector: Selector,
    options?: ListOptions,
  ): AsyncIterable<{ key: Key; value: Uint8Array }>;
  /** The mutations that set `key` to `bytes`. */
  encode(key: Key, bytes: Uint8Array): Mutation[];
}

/** One message as agents see it. */
export interface ConversationMessage {
  role: "user" | "assistant";
  content: string;
}

/** The memory of conversations. */
export interface Conversations {
  /** The last `limit` messages at most, oldest first; begins with a user's message. */
  window(tenant: string, conversation_id: string, limit: number): Promise<ConversationMessage[]>;
  /** What the commit that completes the run has to write so that the exchange is remembered. */
  exchangeMutation(
    tenant: string,
    conversation_id: string,
    run_id: string,
    user: string,
    assistant: string,
  ): Mutation[];
}

interface Exchange {
  user: string;
  assistant: string;
}

/** Conversations kept in `store` below `["conversation", tenant, conversation_id]`. */
export function createConversations(store: ConversationStore): Conversations {
  return {
    async window(tenant, conversation_id, limit) {
      const exchanges: Exchange[] = [];
      // An exchange is two messages; a window never begins with an answer whose question is cut off.
      const wanted = Math.floor(limit / 2);
      if (wanted < 1) return [];
      const prefix = ["conversation", tenant, conversation_id];
      for await (const { value } of store.list({ prefix }, { limit: wanted, reverse: true })) {
        exchanges.push(JSON.parse(new TextDecoder().decode(value)));
      }
      return exchanges.reverse().flatMap(toMessages);
    },

    exchangeMutation(tenant, conversation_id, run_id, user, assistant) {
      const exchange: Exchange = { user, assistant };
      const bytes = new TextEncoder().encode(JSON.stringify(exchange));
      return store.encode(["conversation", tenant, conversation_id, run_id], bytes);
    },
  };
}

function toMessages({ user, assistant }: Exchange): ConversationMessage[] {
  return [{ role: "user", content: user }, { role: "assistant", content: assistant }];
}
