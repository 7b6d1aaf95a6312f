/** Conversations: what was said before goes into a run, what was answered goes on record. @module */
import type { Conversations } from "../knowledge/conversations.ts";
import { answerText, questionText } from "./answer.ts";
import type { RunFunction, RunInfo } from "./kernel/context.ts";
import type { Json } from "./kernel/events.ts";

/**
 * A run function with a memory.
 *
 * - A lone message is put behind the conversation's last `limit` messages; a client that sends
 *   several knows better. What was said before is not part of the run's own input: it is in the
 *   conversation already.
 * - The exchange is added to the conversation in the commit that completes the run: a turn is
 *   remembered exactly when it was answered.
 */
export function remembering(
  program: RunFunction,
  conversations: Conversations,
  limit: number,
): RunFunction {
  return async (ctx, input) => {
    const { tenant, conversation_id, id, parent } = ctx.run;
    const messages = messagesOf(input);
    // A run within another one is a part of that one's turn.
    if (!conversation_id || !messages || parent) return await program(ctx, input);
    const alone = messages.length === 1;
    const output = await program(
      ctx,
      alone ? await withEarlier(conversations, ctx.run, input, messages, limit) : input,
    );
    const question = questionText(input);
    const answer = answerText(output);
    const mutations = conversations.exchangeMutation(tenant, conversation_id, id, question, answer);
    ctx.change({ checks: [], mutations });
    return output;
  };
}

async function withEarlier(
  conversations: Conversations,
  { tenant, conversation_id, id }: RunInfo,
  input: Json,
  messages: Json[],
  limit: number,
): Promise<Json> {
  const earlier = await conversations.window(tenant, conversation_id!, limit, id);
  if (earlier.length === 0) return input;
  return { ...input as object, messages: [...earlier as unknown as Json[], ...messages] };
}

function messagesOf(input: Json): Json[] | undefined {
  const isObject = typeof input === "object" && input !== null && !Array.isArray(input);
  return isObject && Array.isArray(input.messages) ? input.messages : undefined;
}
