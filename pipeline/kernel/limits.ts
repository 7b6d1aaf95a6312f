/** How large the texts are that a journal takes. @module */
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";

/** Longest event; a step that returns more has failed. */
export const MAX_EVENT_CHARS = 4_000_000;
/** Longest message: it becomes a part of events of the run that gets it. */
export const MAX_MESSAGE_CHARS = MAX_EVENT_CHARS - 10_000;

/** Refuses a text above its limit. @throws `payload_too_large` */
export function mustFit(what: "an event" | "a message", text: string): void {
  const limit = what === "an event" ? MAX_EVENT_CHARS : MAX_MESSAGE_CHARS;
  if (text.length <= limit) return;
  throw new OrchestratorError(
    "payload_too_large",
    `Cannot record ${what} of ${text.length} characters: the limit is ${limit}. Return or send less, or store it elsewhere and pass a reference.`,
  );
}

/** True for what can never be written, however often it is tried. */
export function isTooLarge(error: unknown): boolean {
  return toOrchestratorError(error).code === "payload_too_large";
}
