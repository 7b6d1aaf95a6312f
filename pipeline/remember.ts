/** Conversations: what was said before goes into a run, what was answered goes on record. @module */
import {
  type ConversationHead,
  type Conversations,
  toMessages,
} from "../knowledge/conversations.ts";
import type { Memory } from "../knowledge/memory.ts";
import { answerText, questionText } from "./answer.ts";
import type { RunContext, RunFunction, RunInfo } from "./kernel/context.ts";
import type { Json } from "./kernel/events.ts";

/** Facts of a user that a run gets to see. */
const SHOWN_FACTS = 30;

/** What remembering needs. */
export interface RememberDeps {
  conversations: Conversations;
  memory: Pick<Memory, "list">;
  /** Messages of a conversation that a run gets to see. */
  limit: number;
  /** Has the exchanges up to a run put into the conversation's summary. Must not wait for it. */
  summarize(run: RunInfo, request: SummaryRequest): Promise<void>;
}

/** Which exchanges are to be put into a summary. */
export interface SummaryRequest {
  conversation_id: string;
  /** Run of the last one. */
  upto: string;
}

/** What is known before a turn. Plain JSON: it is recorded, so that a replay knows the same. */
interface Recalled {
  head?: ConversationHead;
  /** The summary's text, and the run up to which it tells what was said. */
  summary?: string;
  after?: string;
  /** What is known of the user. */
  facts?: string[];
  /** The run up to which exchanges are to be put into the summary now. */
  fold?: string;
}

/** Key of the step that looks up what is known; no node is called so. */
const RECALL = "@recall";
const SUMMARIZE = "@summarize";

/**
 * A run function with a memory.
 *
 * - A lone message is put behind the conversation's last messages; a client that sends several knows
 *   better. What was said before is not part of the run's own input: it is in the conversation
 *   already.
 * - A pipeline that `wantsMemory` finds what was said before that, and what is known of the user, as
 *   `memory` in its input.
 * - The exchange is added to the conversation in the commit that completes the run: a turn is
 *   remembered exactly when it was answered.
 */
export function remembering(
  program: RunFunction,
  deps: RememberDeps,
  wantsMemory = false,
): RunFunction {
  return async (ctx, input) => {
    const { run } = ctx;
    const messages = messagesOf(input);
    // A run within another one is a part of that one's turn.
    if (!messages || run.parent) return await program(ctx, input);
    const user_id = wantsMemory ? userOf(input) : undefined;
    if (!run.conversation_id && !user_id) return await program(ctx, input);
    const recalled = await ctx.step(
      RECALL,
      async () => await recall(deps, run, user_id) as unknown as Json,
      { effect: "none", kind: "memory" },
    ) as unknown as Recalled;
    const output = await program(ctx, {
      ...input as object,
      messages: [...await earlier(deps, run, messages, recalled), ...messages],
      ...(wantsMemory ? { memory: memoryOf(recalled) } : {}),
    });
    if (run.conversation_id) await keep(deps, ctx, input, output, recalled);
    return output;
  };
}

async function recall(
  { conversations, memory, limit }: RememberDeps,
  { tenant, conversation_id: id, id: run }: RunInfo,
  user_id: string | undefined,
): Promise<Recalled> {
  const known = user_id === undefined ? [] : await memory.list(tenant, user_id, SHOWN_FACTS);
  const facts = known.length > 0 ? { facts: known.map(({ text }) => text) } : {};
  const head = id === undefined ? null : await conversations.head(tenant, id);
  if (!id || !head) return facts;
  const summary = await conversations.summary(tenant, id);
  const { keep, most } = window(limit);
  const span = { after: summary?.upto, before: run, limit: most + 1 };
  const recent = await conversations.exchanges(tenant, id, span);
  const fold = recent.length > most ? recent.at(-keep - 1)!.run : undefined;
  return {
    head,
    ...(summary ? { summary: summary.text, after: summary.upto } : {}),
    ...facts,
    ...(fold ? { fold } : {}),
  };
}

/**
 * How many exchanges are kept out of the summary, and how many may be before the next ones are put
 * into it: early enough that none has left the window by then.
 */
function window(limit: number): { keep: number; most: number } {
  const keep = Math.max(1, Math.floor(limit / 4));
  return { keep, most: Math.max(keep, Math.floor(limit * 3 / 8)) };
}

async function earlier(
  { conversations, limit }: RememberDeps,
  { tenant, conversation_id, id: before }: RunInfo,
  messages: Json[],
  { head, after }: Recalled,
): Promise<Json[]> {
  if (!conversation_id || !head || messages.length > 1) return [];
  // An exchange is two messages; a window never begins with an answer whose question is cut off.
  const span = { after, before, limit: Math.floor(limit / 2) };
  return toMessages(
    await conversations.exchanges(tenant, conversation_id, span),
  ) as unknown as Json[];
}

async function keep(
  { conversations, summarize }: RememberDeps,
  ctx: RunContext,
  input: Json,
  output: Json,
  { head, fold: upto }: Recalled,
): Promise<void> {
  const { run } = ctx;
  const { tenant, id, conversation_id, created_at: at } = run as RunInfo & {
    conversation_id: string;
  };
  if (upto !== undefined) {
    await ctx.step(SUMMARIZE, async () => {
      await summarize(run, { conversation_id, upto });
      return null;
    }, { effect: "none", kind: "memory" });
  }
  const exchange = { user: questionText(input), assistant: answerText(output), at };
  const mutations = conversations.exchangeMutation(tenant, conversation_id, id, exchange, head);
  ctx.change({ checks: [], mutations });
}

function memoryOf({ summary, facts }: Recalled): Json {
  return { ...(summary ? { summary } : {}), facts: facts ?? [] };
}

function userOf(input: Json): string | undefined {
  const { user_id } = input as { user_id?: Json };
  return typeof user_id === "string" ? user_id : undefined;
}

function messagesOf(input: Json): Json[] | undefined {
  const isObject = typeof input === "object" && input !== null && !Array.isArray(input);
  return isObject && Array.isArray(input.messages) ? input.messages : undefined;
}
