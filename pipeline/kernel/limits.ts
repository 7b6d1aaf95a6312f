/** How large the texts are that a journal takes, in bytes of UTF-8. @module */
import { isLonger } from "../../bytes.ts";
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";

/** Largest event; a step that returns more has failed. */
export const MAX_EVENT_BYTES = 4_000_000;
/** Largest message: it becomes a part of events of the run that gets it. */
export const MAX_MESSAGE_BYTES = MAX_EVENT_BYTES - 10_000;

/** Refuses a text above its limit. @throws `payload_too_large` */
export function mustFit(what: "an event" | "a message", text: string): void {
  const limit = what === "an event" ? MAX_EVENT_BYTES : MAX_MESSAGE_BYTES;
  if (!isLonger(text, limit)) return;
  throw new OrchestratorError(
    "payload_too_large",
    `Cannot record ${what} of more than ${limit} bytes. Return or send less, or store it elsewhere and pass a reference.`,
  );
}

/** True for what can never be written, however often it is tried. */
export function isTooLarge(error: unknown): boolean {
  return toOrchestratorError(error).code === "payload_too_large";
}
