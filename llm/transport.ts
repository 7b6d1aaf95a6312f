/**
 * A `fetch` for model streams: HTTP/1.1 over undici's dispatcher, with one difference that pays. A
 * body delivers all bytes that have arrived since the last read as one chunk, where the platform's
 * `fetch` costs one read per HTTP chunk. Why and how much: docs/decisions/005-model-transport.md.
 *
 * Invariants:
 * 1. Aborting the request's signal, or cancelling the body with a reason, closes the connection.
 * 2. Cancelling without a reason means "I have what I need": the rest is drained for
 *    {@linkcode DRAIN_MS} so that the connection can be used again.
 * 3. At most {@linkcode HIGH_WATER_BYTES} (and one read) wait unread; then the socket is paused.
 * 4. A reader can cancel at any moment, also inside of `enqueue`: what was handed over is forgotten
 *    before, and a cancelled stream's controller is never used again.
 * 5. A body has one reader: the stream of the response, or what {@linkcode readerOf} returns.
 *
 * @module
 */
import type { Dispatcher } from "undici";
import { joinBytes } from "../bytes.ts";

const DRAIN_MS = 100;
const HIGH_WATER_BYTES = 1024 * 1024;
/** Servers announce shorter times themselves; undici then keeps to those. */
const KEEP_ALIVE_MS = 30_000;

/** For the SDKs, whose own deadlines would get in the way of the router's. */
export const NO_TIMEOUT_MS = 24 * 3600 * 1000;

/** What adapters need of a `fetch`: the one signature that SDKs and platforms agree on. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** A `fetch` that owns a pool of connections. */
export interface ModelFetch extends Fetch {
  /** Closes every connection; what is under way fails. */
  close(): Promise<void>;
}

/** The platform's `fetch`, which knows proxies. A redirect is not followed: it would take the key along. */
export const platformFetch: Fetch = (input, init) => fetch(input, { ...init, redirect: "manual" });

/** Settings of {@linkcode createFetch}. */
export interface FetchOptions {
  /** Longest time for opening a connection; 0: none. Default 10 s. */
  connect_timeout_ms?: number;
}

/**
 * Makes a `fetch` with its own pool of kept-alive connections, without a limit on their number.
 * Requests whose body is not text go to the platform's `fetch`. Redirects are not followed and
 * proxies not used.
 *
 * @throws network errors as undici gives them, with a `code`; the signal's reason when aborted
 */
export function createFetch(options: FetchOptions = {}): ModelFetch {
  let agent: Promise<Dispatcher> | undefined;
  const call: Fetch = async (input, init = {}) => {
    const body = init.body ?? null;
    if (input instanceof Request || (body !== null && typeof body !== "string")) {
      return await platformFetch(input, init);
    }
    agent ??= openAgent(options);
    return await send(await agent, new URL(input), init, body);
  };
  const close = async () => {
    const open = agent;
    agent = undefined;
    await (await open)?.destroy();
  };
  return Object.assign(call, { close });
}

async function openAgent({ connect_timeout_ms = 10_000 }: FetchOptions): Promise<Dispatcher> {
  // Not `undici` itself: its index also loads an own fetch, which needs a newer runtime than 2.7.
  const { default: Agent } = await import("undici/lib/dispatcher/agent.js");
  return new Agent({
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: { timeout: connect_timeout_ms },
    // The other deadlines are the router's: it knows the whole call.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

function send(
  agent: Dispatcher,
  url: URL,
  init: RequestInit,
  body: string | null,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const exchange = new Exchange(resolve, reject, init.signal ?? undefined);
    if (exchange.over) return;
    agent.dispatch({
      origin: url.origin,
      path: url.pathname + url.search,
      method: (init.method ?? "GET") as Dispatcher.HttpMethod,
      headers: { ...toRecord(init.headers), "accept-encoding": "identity" },
      body,
    }, exchange);
  });
}

/** Reads a body, as a `ReadableStreamDefaultReader` does. */
export interface BodyReader {
  read(): Promise<{ done: boolean; value?: Uint8Array<ArrayBuffer> }>;
  cancel(reason?: unknown): Promise<void>;
}

/** The reader of a body. One of {@linkcode createFetch} costs a promise per read, not a stream's six. */
export function readerOf(response: Response): BodyReader | undefined {
  return response instanceof ReadResponse ? response.reader : response.body?.getReader();
}

class ReadResponse extends Response {
  constructor(readonly reader: BodyReader, init: ResponseInit) {
    const pull = async (stream: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) => {
      const { value } = await reader.read();
      if (value) stream.enqueue(value);
      else stream.close();
    };
    const cancel = (reason: unknown) => reader.cancel(reason);
    super(new ReadableStream({ pull, cancel }, { highWaterMark: 0 }), init);
  }
}

/** One request and its response: undici's handler on one side, a reader on the other. */
class Exchange implements Dispatcher.DispatchHandler, BodyReader {
  over = false;
  #controller?: Dispatcher.DispatchController;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #error: unknown;
  #wake?: () => void;
  #cancelled = false;
  #drain?: ReturnType<typeof setTimeout>;

  constructor(
    private readonly resolve: (response: Response) => void,
    private readonly reject: (error: unknown) => void,
    private readonly signal?: AbortSignal,
  ) {
    if (signal?.aborted) this.#finish(signal.reason);
    else signal?.addEventListener("abort", this.#abort);
  }

  readonly #abort = () => {
    this.#controller?.abort(this.signal?.reason);
    this.#finish(this.signal?.reason);
  };

  onRequestStart(controller: Dispatcher.DispatchController) {
    this.#controller = controller;
    if (this.over) controller.abort(this.#error as Error);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ) {
    if (status < 200) return;
    const init = { status, headers: toPairs(headers) };
    const noBody = status === 204 || status === 205 || status === 304;
    this.resolve(noBody ? new Response(null, init) : new ReadResponse(this, init));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array) {
    if (this.#cancelled) return;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size > HIGH_WATER_BYTES) controller.pause();
    this.#notify();
  }

  onResponseEnd() {
    this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error) {
    this.#finish(error);
  }

  #finish(error?: unknown) {
    if (this.over) return;
    this.over = true;
    this.#error = error;
    clearTimeout(this.#drain);
    this.signal?.removeEventListener("abort", this.#abort);
    // After the response has begun this does nothing; the stream tells the reader.
    if (error !== undefined) this.reject(error);
    this.#notify();
  }

  /** Wakes a waiting reader at the end of this turn, when all that one socket read held is here. */
  #notify() {
    const wake = this.#wake;
    this.#wake = undefined;
    if (wake) queueMicrotask(wake);
  }

  async read() {
    if (this.#size === 0 && !this.over) await new Promise<void>((resolve) => this.#wake = resolve);
    if (this.#cancelled) return { done: true };
    if (this.#size === 0) {
      if (this.#error !== undefined) throw this.#error;
      return { done: true };
    }
    const value = joinBytes(this.#chunks);
    this.#chunks = [];
    this.#size = 0;
    this.#controller?.resume();
    return { done: false, value };
  }

  cancel(reason?: unknown): Promise<void> {
    this.#cancelled = true;
    this.#chunks = [];
    this.#size = 0;
    this.#notify();
    if (!this.over) this.#stop(reason);
    return Promise.resolve();
  }

  #stop(reason: unknown) {
    this.#controller?.resume();
    if (this.over) return;
    if (reason !== undefined) this.#controller?.abort(reason as Error);
    else this.#drain = setTimeout(() => this.#controller?.abort(new Error("drained")), DRAIN_MS);
  }
}

/** Not by iterating: the platform sorts all headers again for each one. */
function toRecord(init: HeadersInit | undefined): Record<string, string> {
  const record: Record<string, string> = {};
  const headers = init instanceof Headers ? init : new Headers(init);
  headers.forEach((value, name) => record[name] = value);
  return record;
}

function toPairs(fields: Record<string, string | string[] | undefined>): [string, string][] {
  return Object.entries(fields).flatMap(([name, value = []]) =>
    [value].flat().map((one): [string, string] => [name, one])
  );
}
