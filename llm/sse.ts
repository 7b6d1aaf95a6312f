/**
 * Reads server-sent events of model providers, many per read. The SDKs' own decoders cost several
 * promises per event; this one costs one per read (docs/decisions/005-model-transport.md).
 *
 * @module
 */
import { createParser } from "eventsource-parser";
import { badOutput, MAX_ANSWER_BYTES } from "./answer.ts";
import { StreamFailure } from "./failure.ts";
import { readerOf } from "./transport.ts";

/**
 * Calls `onEvent` with the parsed JSON of each event until it returns `true` (all there is has been
 * said), `[DONE]` comes or the body ends.
 *
 * @param onActivity called once per read, before its events
 * @throws {StreamFailure} when an event is not JSON or names an error; whatever `onEvent` throws.
 *   The connection is closed then.
 */
export async function readEvents<T>(
  response: Response,
  onEvent: (event: T) => boolean | void,
  onActivity?: () => void,
): Promise<void> {
  const reader = readerOf(response);
  if (!reader) return;
  let done = false;
  const parser = createParser({
    maxBufferSize: MAX_ANSWER_BYTES,
    onEvent({ event, data }) {
      if (done) return;
      done = data === "[DONE]" || onEvent(parseEvent(event, data) as T) === true;
    },
    onError(error) {
      if (error.type === "max-buffer-size-exceeded") throw badOutput();
    },
  });
  const decoder = new TextDecoder();
  try {
    while (!done) {
      const { value, done: ended } = await reader.read();
      // Some servers leave out the blank line after the last event.
      if (ended) return parser.feed("\n\n");
      onActivity?.();
      parser.feed(decoder.decode(value, { stream: true }));
    }
    await reader.cancel();
  } catch (error) {
    await reader.cancel(error).catch(() => {}); // the first error is the one to tell
    throw error;
  }
}

function parseEvent(name: string | undefined, data: string): unknown {
  let event: { error?: unknown } | null;
  try {
    event = JSON.parse(data);
  } catch {
    throw new StreamFailure(undefined, "an event of the stream is not JSON");
  }
  if (name === "error" || event?.error) throw new StreamFailure(event);
  return event;
}
