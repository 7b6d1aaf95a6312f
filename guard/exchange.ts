/**
 * One request and its response over a pool of connections.
 *
 * Invariants: (1) aborting the signal, cancelling the body or too many bytes closes the connection;
 * (2) a reader that is slow pauses the socket; (3) a reader can cancel at any moment, also inside of
 * `enqueue`: once the exchange is over, neither the socket nor the stream is used again.
 *
 * @module
 */
import type { Dispatcher } from "undici";
import { OrchestratorError } from "../errors.ts";

/** What is read ahead of the reader, in bytes. */
const READ_AHEAD = 256 * 1024;

/** A request that was allowed. */
export interface Outgoing {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}

/** A response whose body is still to be read. */
export interface Incoming {
  status: number;
  headers: Headers;
  body: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/**
 * Sends a request.
 *
 * @param max_bytes of the body as it is sent; more breaks it with `response_too_large`
 * @throws network errors as undici gives them, with a `code`; the signal's reason
 */
export function exchange(
  pool: Dispatcher,
  { url, method, headers, body = "" }: Outgoing,
  signal: AbortSignal,
  max_bytes: number,
): Promise<Incoming> {
  return new Promise((resolve, reject) => {
    const handler = new Exchange(resolve, reject, signal, max_bytes, url.host);
    if (signal.aborted) return;
    pool.dispatch({
      origin: url.origin,
      path: url.pathname + url.search,
      method: method as Dispatcher.HttpMethod,
      headers,
      body: body.length > 0 ? body : null,
    }, handler);
  });
}

class Exchange implements Dispatcher.DispatchHandler {
  #controller?: Dispatcher.DispatchController;
  #stream?: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #received = 0;
  #over = false;
  #error: unknown;

  constructor(
    private readonly resolve: (response: Incoming) => void,
    private readonly reject: (error: unknown) => void,
    private readonly signal: AbortSignal,
    private readonly maxBytes: number,
    private readonly host: string,
  ) {
    if (signal.aborted) this.#abort();
    else signal.addEventListener("abort", this.#abort);
  }

  readonly #abort = () => this.#fail(this.signal.reason);

  onRequestStart(controller: Dispatcher.DispatchController) {
    this.#controller = controller;
    if (this.#over) controller.abort(asError(this.#error));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    fields: Record<string, string | string[] | undefined>,
  ) {
    if (status < 200 || this.#over) return;
    const headers = toHeaders(fields);
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (stream) => void (this.#stream = stream),
      pull: () => controller.resume(),
      cancel: () => this.#fail(new DOMException("The body was cancelled", "AbortError")),
    }, { highWaterMark: READ_AHEAD, size: (chunk) => chunk.length });
    this.resolve({ status, headers, body });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array) {
    if (this.#over) return;
    this.#received += chunk.length;
    if (this.#received > this.maxBytes) return this.#fail(tooLarge(this.host, this.maxBytes));
    this.#stream?.enqueue(chunk as Uint8Array<ArrayBuffer>);
    if (this.#over) return;
    if ((this.#stream?.desiredSize ?? 0) <= 0) controller.pause();
  }

  onResponseEnd() {
    if (this.#finish()) this.#stream?.close();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error) {
    this.#fail(error);
  }

  #fail(error: unknown) {
    this.#error = error;
    if (!this.#finish()) return;
    this.#controller?.abort(asError(error));
    // After the response has begun `reject` does nothing, and the stream tells the reader.
    this.reject(error);
    this.#stream?.error(error);
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.signal.removeEventListener("abort", this.#abort);
    return this.#over = true;
  }
}

/** Whatever a signal's reason is, undici wants an error. */
function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}

function toHeaders(fields: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value ?? []].flat()) headers.append(name, one);
  }
  return headers;
}

/** The failure of a response that goes over its limit. */
export function tooLarge(host: string, max_bytes: number): OrchestratorError {
  return new OrchestratorError(
    "response_too_large",
    `Cannot read the response of ${host}: it has more than ${max_bytes} bytes. Request less of it.`,
    { details: { host, max_bytes } },
  );
}
