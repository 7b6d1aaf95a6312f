/** Conversations remember what was answered. @module */
import type { Conversations } from "../knowledge/conversations.ts";
import { answerText, questionText } from "./answer.ts";
import type { RunFunction } from "./kernel/context.ts";

/**
 * A run function that also adds the exchange to the run's conversation, in the commit that
 * completes the run: the turn is remembered exactly when it was answered.
 */
export function remembering(
  program: RunFunction,
  conversations: Pick<Conversations, "exchangeMutation">,
): RunFunction {
  return async (ctx, input) => {
    const output = await program(ctx, input);
    const { tenant, conversation_id, id } = ctx.run;
    const question = questionText(input);
    if (conversation_id && question) {
      const answer = answerText(output);
      ctx.write(conversations.exchangeMutation(tenant, conversation_id, id, question, answer));
    }
    return output;
  };
}
