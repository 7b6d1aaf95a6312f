/**
 * Server-sent events with back-pressure.
 *
 * Boundary: turns events that are text already into one response body.
 *
 * 1. An event's text is one string for all of its readers until the moment it is sent: of what waits,
 *    no more than {@linkcode CHUNK} characters are copied for a reader that takes nothing.
 * 2. A reader that waits is served in the same turn of the event loop (a microtask), so that events
 *    which arrive together leave together and an idle stream adds no latency.
 * 3. A reader that does not keep up is cut off past {@linkcode MAX_BUFFERED} characters: it still
 *    gets what waits for it, so that it gets on each time it resumes with `Last-Event-ID`.
 * 4. However a stream ends, `signal` is aborted and no timer is left.
 * 5. A client can leave at any moment, and `enqueue` is where the runtime notices: it calls `cancel`
 *    before it returns. A cancelled stream's controller is never used again.
 *
 * @module
 */
import type { Sink } from "../service/mod.ts";
import type { Sessions } from "./sessions.ts";

/** Characters that may wait for one reader. */
const MAX_BUFFERED = 1_000_000;
/** Characters that go out at once. */
const CHUNK = 65_536;
/** Proxies close connections that are silent for longer, in milliseconds. */
const KEEP_ALIVE_MS = 15_000;

/** Why `signal` is aborted: one for all, because an error of its own would cost a stack trace. */
const OVER = new DOMException("The stream is over.", "AbortError");

const encoder = new TextEncoder();

/** One stream of events to one client. */
export interface SseStream {
  /** Aborted when the client went away or the stream ended. */
  readonly signal: AbortSignal;
  /** Resolves when less than half of what may wait does, or when the stream has ended. */
  room(): Promise<void>;
  /** Sends an event; `json` must be one line. Without `seq` it carries no `id:`. */
  send(type: string, json: string, seq?: number): void;
  /** Ends the stream after what was sent. */
  end(): void;
  readonly response: Response;
}

/** Opens a stream; it counts as one of `sessions` until it ends. */
export function openSse(sessions: Sessions): SseStream {
  const over = new AbortController();
  /** What waits, in pieces, and its length. */
  let pending: string[] = [];
  let waiting = 0;
  let cancelled = false;
  let scheduled = false;
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  /** Set while a reader waits for data. */
  let wake: (() => void) | undefined;
  /** Set while a sender waits for room. */
  let drained: PromiseWithResolvers<void> | undefined;

  const flush = () => {
    scheduled = false;
    if (cancelled) return;
    if (waiting > 0) {
      const text = takeFrom(pending);
      waiting -= text.length;
      controller.enqueue(encoder.encode(text));
      if (cancelled) return;
    }
    if (over.signal.aborted && waiting === 0) controller.close();
    wake?.();
    wake = undefined;
    if (waiting >= MAX_BUFFERED / 2 && !over.signal.aborted) return;
    drained?.resolve();
    drained = undefined;
  };
  const schedule = () => {
    if (wake === undefined || scheduled) return;
    scheduled = true;
    queueMicrotask(flush);
  };
  const end = () => {
    clearInterval(keepAlive);
    leave();
    over.abort(OVER);
    drained?.resolve();
    schedule();
  };
  const add = (piece: string) => {
    pending.push(piece);
    waiting += piece.length;
  };
  const write = (...pieces: string[]) => {
    if (over.signal.aborted) return;
    if (waiting <= MAX_BUFFERED) {
      pieces.forEach(add);
      schedule();
    } else {
      add(": disconnected, too slow: resume with Last-Event-ID\n\n");
      end();
    }
  };
  const keepAlive = setInterval(() => write(": keep-alive\n\n"), KEEP_ALIVE_MS);
  const leave = sessions.add({
    close() {
      write(": the server is stopping: resume at /v1/runs/{run_id}/events with Last-Event-ID\n\n");
      end();
    },
  });

  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
    pull() {
      if (waiting > 0 || over.signal.aborted) return flush();
      return new Promise<void>((resolve) => wake = resolve);
    },
    cancel() {
      cancelled = true;
      pending = [];
      waiting = 0;
      end();
    },
    // Without a queue of its own, `pull` is called only while somebody reads.
  }, { highWaterMark: 0 });

  return {
    signal: over.signal,
    room() {
      if (waiting < MAX_BUFFERED / 2 || over.signal.aborted) return Promise.resolve();
      drained ??= Promise.withResolvers();
      return drained.promise;
    },
    send(type, json, seq) {
      const id = seq === undefined ? "" : `id: ${seq}\n`;
      write(`${id}event: ${type}\ndata: `, json, "\n\n");
    },
    end,
    response: new Response(body, { headers: SSE_HEADERS }),
  };
}

/** Takes the first {@linkcode CHUNK} characters off `pieces`, or less; no character is divided. */
function takeFrom(pieces: string[]): string {
  let text = "", whole = 0;
  while (whole < pieces.length && text.length + pieces[whole]!.length <= CHUNK) {
    text += pieces[whole++];
  }
  const rest = pieces[whole];
  if (rest !== undefined && text.length < CHUNK) {
    let end = CHUNK - text.length;
    if (/[\ud800-\udbff]/.test(rest[end - 1]!)) end--;
    text += rest.slice(0, end);
    pieces[whole] = rest.slice(end);
  }
  pieces.splice(0, whole);
  return text;
}

const SSE_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/** A stream as the place that a run's events go to. */
export function sseSink(stream: SseStream): Sink {
  return {
    signal: stream.signal,
    room: stream.room,
    listener: (event, json) =>
      stream.send(event.type, json, "seq" in event ? event.seq : undefined),
  };
}
