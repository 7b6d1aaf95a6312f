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
/** An event's text that is longer is not joined to what goes around it. */
const JOINED = 4_096;
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
  return new EventStream(sessions);
}

class EventStream implements SseStream {
  readonly response: Response;
  private readonly over = new AbortController();
  private readonly keepAlive: ReturnType<typeof setInterval>;
  private readonly leave: () => void;
  private controller!: ReadableStreamDefaultController<Uint8Array>;
  /** What waits, in pieces, and its length. */
  private pending: string[] = [];
  private waiting = 0;
  private cancelled = false;
  private scheduled = false;
  /** Set while a reader waits for data. */
  private wake?: () => void;
  /** Set while a sender waits for room. */
  private drained?: PromiseWithResolvers<void>;

  constructor(sessions: Sessions) {
    this.keepAlive = setInterval(() => this.write(": keep-alive\n\n"), KEEP_ALIVE_MS);
    this.leave = sessions.add({ close: () => this.shutDown() });
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.controller = controller),
      pull: () => this.pull(),
      cancel: () => this.cancel(),
      // Without a queue of its own, `pull` is called only while the client reads.
    }, { highWaterMark: 0 });
    this.response = new Response(body, { headers: SSE_HEADERS });
  }

  get signal(): AbortSignal {
    return this.over.signal;
  }

  room(): Promise<void> {
    if (this.waiting < MAX_BUFFERED / 2 || this.signal.aborted) return Promise.resolve();
    this.drained ??= Promise.withResolvers();
    return this.drained.promise;
  }

  send(type: string, json: string, seq?: number): void {
    const id = seq === undefined ? "" : `id: ${seq}\n`;
    const head = `${id}event: ${type}\ndata: `;
    // A long text that is joined to another one would be copied for each reader (invariant 1).
    if (json.length > JOINED) this.write(head, json, "\n\n");
    else this.write(`${head}${json}\n\n`);
  }

  end(): void {
    clearInterval(this.keepAlive);
    this.leave();
    this.over.abort(OVER);
    this.drained?.resolve();
    this.schedule();
  }

  private shutDown(): void {
    this.write(
      ": the server is stopping: resume at /v1/runs/{run_id}/events with Last-Event-ID\n\n",
    );
    this.end();
  }

  private write(...pieces: string[]): void {
    if (this.signal.aborted) return;
    if (this.waiting <= MAX_BUFFERED) {
      for (const piece of pieces) this.add(piece);
      this.schedule();
    } else {
      this.add(": disconnected, too slow: resume with Last-Event-ID\n\n");
      this.end();
    }
  }

  private add(piece: string): void {
    this.pending.push(piece);
    this.waiting += piece.length;
  }

  private schedule(): void {
    if (this.wake === undefined || this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(this.flush);
  }

  private readonly flush = () => {
    this.scheduled = false;
    if (this.cancelled) return;
    if (this.waiting > 0) {
      const text = takeFrom(this.pending);
      this.waiting -= text.length;
      this.controller.enqueue(encoder.encode(text));
      if (this.cancelled) return;
    }
    if (this.signal.aborted && this.waiting === 0) this.controller.close();
    this.wake?.();
    this.wake = undefined;
    if (this.waiting >= MAX_BUFFERED / 2 && !this.signal.aborted) return;
    this.drained?.resolve();
    this.drained = undefined;
  };

  private pull(): Promise<void> | void {
    if (this.waiting > 0 || this.signal.aborted) return this.flush();
    return new Promise((resolve) => this.wake = resolve);
  }

  private cancel(): void {
    this.cancelled = true;
    this.pending = [];
    this.waiting = 0;
    this.end();
  }
}

/** Takes the first {@linkcode CHUNK} characters off `pieces`, or less; no character is divided. */
function takeFrom(pieces: string[]): string {
  // Most often there is one.
  if (pieces.length === 1 && pieces[0]!.length <= CHUNK) return pieces.pop()!;
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
    room: () => stream.room(),
    listener: (event, json) =>
      stream.send(event.type, json, "seq" in event ? event.seq : undefined),
  };
}
