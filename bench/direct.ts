/** The same work without the service: the model called directly. @module */
import { expectPart, post } from "./driver.ts";
import type { Bench } from "./piece.ts";
import type { Say } from "./service.ts";

/** About as long as an answer of the mock. */
const ANSWER = "x".repeat(3000);

interface Message {
  role: "user" | "assistant";
  content: string;
}

/** A conversation that the caller remembers: every request carries all of it. */
export function openDirect({ mock }: Bench, model: string): Say {
  const messages: Message[] = [];
  return async (content, onData) => {
    messages.push({ role: "user", content });
    const body = { model, stream: true, messages };
    const answer = await post(`${mock}/v1/chat/completions`, body, { onData });
    expectPart(answer, "[DONE]");
    messages.push({ role: "assistant", content: ANSWER });
    return answer;
  };
}
