/**
 * What was said in a conversation, one entry per exchange: the user's message and the answer to it.
 * An exchange is written by the commit that completes its run, so a turn is remembered exactly when
 * it was answered. Entries are keyed by run id, which sorts by time.
 *
 * What is older than the window is put into a summary, piece by piece; the exchanges themselves stay.
 *
 * A conversation belongs to the user whom its first turn was for: the `user_id` of that request, or
 * else the caller. Everyone else needs the grant to act for other users; so does everyone for the
 * conversations of earlier versions, which name no owner.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import {
  type Key,
  keys,
  type Mutation,
  type ReadOptions,
  type Selector,
  setJson,
  type Store,
} from "../store/mod.ts";
import { removeBelow, removeEach } from "./remove.ts";

/** The part of the store that conversations use. */
export type ConversationStore = Pick<Store, "get" | "list" | "keys" | "commit">;

/** One message as agents see it. */
export interface ConversationMessage {
  role: "user" | "assistant";
  content: string;
}

/** A question and its answer. */
export interface Exchange {
  user: string;
  assistant: string;
  /** When the turn began, RFC 3339 UTC; absent in those of earlier versions. */
  at?: string;
  /** The run whose answer it is, where it was taken from the cache. */
  answered_by?: string;
  /** Whose conversation it is; absent in those of earlier versions. */
  owner?: string;
}

/** A summary of a conversation's beginning. */
export interface Summary {
  text: string;
  /** The run of the last exchange that is in it. */
  upto: string;
  /** As in {@linkcode Exchange}. */
  owner?: string;
}

/** A conversation in a list. */
export interface ConversationHead {
  id: string;
  /** How it began. */
  title: string;
  /** When its latest turn began. RFC 3339 UTC. */
  updated_at: string;
  /** The run of that turn. */
  last_run: string;
  owner?: string;
}

/** Which exchanges: of runs after `after` and before `before`, both exclusive. */
export interface Span {
  after?: string;
  before?: string;
  limit: number;
}

/** The memory of conversations. All but `list` throw `forbidden` for one of another user. */
export interface Conversations {
  /** The newest exchanges of a span, oldest first, each with its run. */
  exchanges(
    caller: Caller,
    conversation_id: string,
    span: Span,
  ): Promise<(Exchange & { run: string })[]>;
  /** The oldest exchanges of a span, oldest first. */
  oldest(
    caller: Caller,
    conversation_id: string,
    span: Span,
  ): Promise<(Exchange & { run: string })[]>;
  head(caller: Caller, conversation_id: string): Promise<ConversationHead | null>;
  summary(caller: Caller, conversation_id: string): Promise<Summary | null>;
  /**
   * What the commit that completes the run has to write so that the exchange is remembered. Whether
   * the conversation is the caller's was found out when the exchanges before it were read.
   *
   * @param before the run of the exchange before
   */
  exchangeMutation(
    caller: Caller,
    conversation_id: string,
    run_id: string,
    exchange: Exchange,
    before?: string,
  ): Mutation[];
  /** Keeps a summary, unless the conversation is gone or a summary of more is there. */
  keepSummary(caller: Caller, conversation_id: string, summary: Summary): Promise<boolean>;
  /** The conversations of the caller, the one that went on last first. `cursor` comes from the page before. */
  list(
    caller: Caller,
    options: { limit: number; cursor?: string },
  ): Promise<{ conversations: ConversationHead[]; next_cursor?: string }>;
  /** Removes a conversation. @returns how many exchanges it had; `null` when there was none */
  remove(caller: Caller, conversation_id: string): Promise<number | null>;
}

const TITLE_CHARS = 80;
/** Conversations kept in `store`. */
export function createConversations(store: ConversationStore): Conversations {
  return new StoredConversations(store);
}

/** An exchange with the run that it is of. */
type RunExchange = Exchange & { run: string };

class StoredConversations implements Conversations {
  constructor(private readonly store: ConversationStore) {}

  async head(caller: Caller, id: string): Promise<ConversationHead | null> {
    const found = await this.headOf(caller, id);
    if (found) mustOwn(caller, id, found);
    return found;
  }

  async exchanges(caller: Caller, id: string, span: Span): Promise<RunExchange[]> {
    return (await this.readOwn(caller, id, span, { reverse: true })).reverse();
  }

  oldest(caller: Caller, id: string, span: Span): Promise<RunExchange[]> {
    return this.readOwn(caller, id, span);
  }

  async summary(caller: Caller, id: string): Promise<Summary | null> {
    const found = (await this.store.get<Summary>(keys.summary(caller.tenant, id)))?.value;
    if (found) mustOwn(caller, id, found);
    return found ?? null;
  }

  exchangeMutation(
    { tenant }: Caller,
    id: string,
    run_id: string,
    exchange: Exchange,
    before?: string,
  ): Mutation[] {
    const old: Mutation[] = before !== undefined && before !== run_id
      ? [{ key: keys.conversationAt(tenant, before, id), delete: true }]
      : [];
    return [
      setJson(keys.exchange(tenant, id, run_id), exchange),
      ...old,
      setJson(keys.conversationAt(tenant, run_id, id), null),
    ];
  }

  async keepSummary(caller: Caller, id: string, { text, upto }: Summary): Promise<boolean> {
    const key = keys.summary(caller.tenant, id);
    const [known, [last]] = await Promise.all([
      this.store.get<Summary>(key),
      this.readOwn(caller, id, { limit: 1 }, { reverse: true }),
    ]);
    if (!last || (known && known.value.upto >= upto)) return false;
    const checks = [{ key, versionstamp: known?.versionstamp ?? null }];
    const mutations = [setJson(key, { text, upto, ...ownerOf(last) })];
    return await this.store.commit({ checks, mutations }) !== null;
  }

  async list(
    caller: Caller,
    { limit, cursor }: { limit: number; cursor?: string },
  ): Promise<{ conversations: ConversationHead[]; next_cursor?: string }> {
    const found: ConversationHead[] = [];
    const prefix = keys.conversationsAt(caller.tenant);
    const selector = cursor === undefined ? { prefix } : { prefix, end: [...prefix, cursor] };
    for await (const { key } of this.store.list(selector, { reverse: true })) {
      const [run, id] = key.slice(-2).map(String) as [string, string];
      const known = await this.headOf(caller, id);
      // Two turns at the same time may both leave an entry: that of the last one counts.
      if (known?.last_run !== run || !caller.mayActFor(known.owner)) continue;
      if (found.length === limit) {
        return { conversations: found, next_cursor: found.at(-1)!.last_run };
      }
      found.push(known);
    }
    return { conversations: found };
  }

  async remove(caller: Caller, id: string): Promise<number | null> {
    const { tenant } = caller;
    const known = await this.head(caller, id);
    const removed = await removeBelow(this.store, keys.conversation(tenant, id));
    const rest: Key[] = [keys.summary(tenant, id)];
    if (known) rest.push(keys.conversationAt(tenant, known.last_run, id));
    await removeEach(this.store, rest);
    return known || removed > 0 ? removed : null;
  }

  private async headOf(caller: Caller, id: string): Promise<ConversationHead | null> {
    let broken: string | undefined; // of the exchanges that cannot be read, the newest
    const onDamaged: ReadOptions["onDamaged"] = (_error, { key }) => broken ??= String(key.at(-1));
    const [[first], [last]] = await Promise.all([
      this.read(caller, id, { limit: 1 }),
      this.read(caller, id, { limit: 1 }, { reverse: true, onDamaged }),
    ]);
    if (!first || !last) return null;
    const { at = new Date(0).toISOString() } = last;
    const last_run = broken ?? last.run;
    return { id, title: titleOf(first.user), updated_at: at, last_run, ...ownerOf(first) };
  }

  /** @throws `forbidden` */
  private async readOwn(
    caller: Caller,
    id: string,
    span: Span,
    options?: ReadOptions,
  ): Promise<RunExchange[]> {
    const found = await this.read(caller, id, span, options);
    // Of two users who begin it in the same moment, each has their own turns.
    const own = found.filter(({ owner }) => caller.mayActFor(owner));
    if (found[0] && !own[0]) mustOwn(caller, id, found[0]);
    return own;
  }

  private async read(
    { tenant }: Caller,
    id: string,
    { after, before, limit }: Span,
    options: ReadOptions = {},
  ): Promise<RunExchange[]> {
    const found: RunExchange[] = [];
    if (limit < 1) return found;
    const selector: Selector = {
      prefix: keys.conversation(tenant, id),
      // The next possible id after `after`.
      ...(after && { start: keys.exchange(tenant, id, `${after}\0`) }),
      ...(before && { end: keys.exchange(tenant, id, before) }),
    };
    for await (const { key, value } of this.store.list<Exchange>(selector, { ...options, limit })) {
      found.push({ ...value, run: String(key.at(-1)) });
    }
    return found;
  }
}

function ownerOf({ owner }: { owner?: string }): { owner?: string } {
  return owner === undefined ? {} : { owner };
}

/** @throws `forbidden` */
function mustOwn(caller: Caller, id: string, { owner }: { owner?: string }): void {
  if (caller.mayActFor(owner)) return;
  throw new OrchestratorError(
    "forbidden",
    `Cannot use the conversation ${JSON.stringify(id)}: it belongs to another user. Choose ` +
      "another id.",
  );
}

/** Exchanges as agents see them. */
export function toMessages(exchanges: Exchange[]): ConversationMessage[] {
  return exchanges.flatMap(({ user, assistant }) => [
    { role: "user", content: user },
    { role: "assistant", content: assistant },
  ]);
}

function titleOf(question: string): string {
  const line = question.trim().split("\n", 1)[0]!.replace(/\s+/g, " ");
  const characters = Array.from(line);
  return characters.length <= TITLE_CHARS
    ? line
    : `${characters.slice(0, TITLE_CHARS - 1).join("")}…`;
}
