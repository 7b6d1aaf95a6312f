/** Conversations: earlier messages are added to a run's input, and its answer is stored. @module */
import {
  type Conversations,
  type Exchange,
  type Memory,
  type Summary,
  toMessages,
} from "../../knowledge/mod.ts";
import type { Definition } from "../document/mod.ts";
import type { Json, RunContext, RunFunction, RunInfo } from "../kernel/mod.ts";

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

/** What was said before a turn; it does not change any more. */
interface Past {
  summary?: Summary;
  /** The newest exchanges, oldest first. */
  recent: (Exchange & { run: string })[];
}

/** What else is known before a turn. Plain JSON: it changes, so it is recorded for a replay. */
interface Recalled {
  /** The summary's text, and the run up to which it tells what was said. */
  summary?: string;
  after?: string;
  /** What is known of the user. */
  facts?: string[];
}

const NOTHING: Past = { recent: [] };

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
  const runTurn = async (ctx: RunContext, input: Json, messages: Json[]): Promise<Json> => {
    const { run } = ctx;
    const user_id = wantsMemory ? userOf(input) : undefined;
    if (!run.conversation_id && !user_id) return await program(ctx, input);
    const past = run.conversation_id ? await readPast(deps, run, wantsMemory) : NOTHING;
    const recalled: Recalled = wantsMemory
      ? await ctx.step(
        RECALL,
        async () => await recall(deps, run, past, user_id) as unknown as Json,
        { effect: "none", kind: "memory" },
      ) as unknown as Recalled
      : {};
    const earlier = messages.length > 1 ? [] : window(past, recalled, deps.limit);
    const output = await program(ctx, {
      ...input as object,
      messages: [...earlier, ...messages],
      ...(wantsMemory ? { memory: memoryOf(recalled) } : {}),
    });
    // Only these pipelines read a summary, and creating one is a model call.
    if (run.conversation_id && wantsMemory) await fold(deps, ctx, past);
    if (run.conversation_id) keep(deps, ctx, input, output, past);
    return output;
  };
  return (ctx, input) => {
    const messages = messagesOf(input);
    // A run within another one is a part of that one's turn.
    return !messages || ctx.run.parent ? program(ctx, input) : runTurn(ctx, input, messages);
  };
}

async function readPast(
  { conversations, limit }: RememberDeps,
  { caller, conversation_id, id: before }: RunInfo,
  wantsMemory: boolean,
): Promise<Past> {
  const most = Math.max(Math.floor(limit / 2), folding(limit).most + 1);
  const [recent, summary] = await Promise.all([
    conversations.exchanges(caller, conversation_id!, { before, limit: most }),
    wantsMemory ? conversations.summary(caller, conversation_id!) : null,
  ]);
  return { recent, ...(summary ? { summary } : {}) };
}

async function recall(
  { memory }: RememberDeps,
  { caller }: RunInfo,
  { summary }: Past,
  user_id: string | undefined,
): Promise<Recalled> {
  const known = user_id === undefined ? [] : await memory.list(caller, user_id, SHOWN_FACTS);
  return {
    ...(summary ? { summary: summary.text, after: summary.upto } : {}),
    ...(known.length > 0 ? { facts: known.map(({ text }) => text) } : {}),
  };
}

/** A pipeline whose input may hold `memory` gets it. */
export function wantsMemory({ pipeline }: Definition): boolean {
  const properties = pipeline.input?.properties;
  return typeof properties === "object" && properties !== null && "memory" in properties;
}

/** The last messages, without those that the summary covers. */
function window({ recent }: Past, { after }: Recalled, limit: number): Json[] {
  const untold = after === undefined ? recent : recent.filter(({ run }) => run > after);
  // An exchange is two messages; a window never begins with an answer whose question is cut off.
  const shown = Math.floor(limit / 2);
  return toMessages(shown < 1 ? [] : untold.slice(-shown)) as unknown as Json[];
}

/**
 * How many exchanges are kept out of the summary, and how many may be before the next ones are put
 * into it: early enough that none has left the window by then.
 */
function folding(limit: number): { keep: number; most: number } {
  const keep = Math.max(1, Math.floor(limit / 4));
  return { keep, most: Math.max(keep, Math.floor(limit * 3 / 8)) };
}

/** The run up to which exchanges are to be put into the summary now. */
function foldOf({ summary, recent }: Past, limit: number): string | undefined {
  const { keep, most } = folding(limit);
  const untold = summary ? recent.filter(({ run }) => run > summary.upto) : recent;
  return untold.length > most ? untold.at(-keep - 1)!.run : undefined;
}

/** Has what is about to leave the window put into the summary. */
async function fold({ summarize, limit }: RememberDeps, ctx: RunContext, past: Past) {
  const conversation_id = ctx.run.conversation_id!;
  const upto = foldOf(past, limit);
  if (upto === undefined) return;
  await ctx.step(SUMMARIZE, async () => {
    await summarize(ctx.run, { conversation_id, upto });
    return null;
  }, { effect: "none", kind: "memory" });
}

function keep(
  { conversations }: RememberDeps,
  ctx: RunContext,
  input: Json,
  output: Json,
  { recent }: Past,
): void {
  const { caller, id, conversation_id, created_at: at } = ctx.run;
  const last = recent.at(-1);
  const owner = last ? last.owner : userOf(input) ?? caller.actor;
  const exchange = {
    user: questionText(input),
    assistant: answerText(output),
    at,
    ...(owner === undefined ? {} : { owner }),
  };
  const mutations = conversations.exchangeMutation(
    caller,
    conversation_id!,
    id,
    exchange,
    last?.run,
  );
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
  return isObject(input) && Array.isArray(input.messages) ? input.messages : undefined;
}

/** Text as it is, the `content` of an object that has one, anything else as JSON. */
export function answerText(output: Json): string {
  if (typeof output === "string") return output;
  const content = isObject(output) ? output.content : undefined;
  return typeof content === "string" ? content : JSON.stringify(output);
}

/** The last message of the user in a run's input; the empty string if it has none. */
export function questionText(input: Json): string {
  const last = messagesOf(input)?.findLast((message) =>
    isObject(message) && message.role === "user"
  );
  const content = isObject(last) ? last.content : undefined;
  return typeof content === "string" ? content : "";
}

function isObject(value: Json | undefined): value is { [key: string]: Json | undefined } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
