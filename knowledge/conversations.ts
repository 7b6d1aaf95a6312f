/**
 * What was said in a conversation, one entry per exchange: the user's message and the answer to it.
 * An exchange is written by the commit that completes its run, so a turn is remembered exactly when
 * it was answered. Entries are keyed by run id, which sorts by time.
 *
 * @module
 */
import { keys, type ListOptions, type Mutation, type Selector, setJson } from "../store/mod.ts";

/** The part of the store that conversations use. */
export interface ConversationStore {
  list<T>(selector: Selector, options?: ListOptions): AsyncIterable<{ value: T }>;
}

/** One message as agents see it. */
export interface ConversationMessage {
  role: "user" | "assistant";
  content: string;
}

/** The memory of conversations. */
export interface Conversations {
  /**
   * The last `limit` messages at most, oldest first; begins with a user's message. With `before`,
   * only of runs that were started before that one.
   */
  window(
    tenant: string,
    conversation_id: string,
    limit: number,
    before?: string,
  ): Promise<ConversationMessage[]>;
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

/** Conversations kept in `store`. */
export function createConversations(store: ConversationStore): Conversations {
  return {
    async window(tenant, conversation_id, limit, before) {
      const exchanges: Exchange[] = [];
      // An exchange is two messages; a window never begins with an answer whose question is cut off.
      const wanted = Math.floor(limit / 2);
      if (wanted < 1) return [];
      const selector = {
        prefix: keys.conversation(tenant, conversation_id),
        ...(before && { end: keys.exchange(tenant, conversation_id, before) }),
      };
      const newestFirst = { limit: wanted, reverse: true };
      for await (const { value } of store.list<Exchange>(selector, newestFirst)) {
        exchanges.push(value);
      }
      return exchanges.reverse().flatMap(toMessages);
    },

    exchangeMutation(tenant, conversation_id, run_id, user, assistant) {
      const exchange: Exchange = { user, assistant };
      return setJson(keys.exchange(tenant, conversation_id, run_id), exchange);
    },
  };
}

function toMessages({ user, assistant }: Exchange): ConversationMessage[] {
  return [{ role: "user", content: user }, { role: "assistant", content: assistant }];
}
