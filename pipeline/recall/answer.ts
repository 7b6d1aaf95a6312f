/** The text that a run's output amounts to. @module */
import type { Json } from "../kernel/mod.ts";

/** Text as it is, the `content` of an object that has one, anything else as JSON. */
export function answerText(output: Json): string {
  if (typeof output === "string") return output;
  const content = isObject(output) ? output.content : undefined;
  return typeof content === "string" ? content : JSON.stringify(output);
}

/** The last message of the user in a run's input; the empty string when there is none. */
export function questionText(input: Json): string {
  const messages = isObject(input) && Array.isArray(input.messages) ? input.messages : [];
  const last = messages.findLast((message) => isObject(message) && message.role === "user");
  const content = isObject(last) ? last.content : undefined;
  return typeof content === "string" ? content : "";
}

function isObject(value: Json | undefined): value is { [key: string]: Json | undefined } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
