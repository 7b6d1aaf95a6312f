/**
 * What all mock model servers share: scripted replies, faults and a record of every request. A
 * server speaks its provider's wire format through a {@linkcode Wire}.
 *
 * @module
 */

/** A fault in the middle of a streamed reply, after the pieces of its text. */
export type Fault =
  /** Silence, the connection stays open. */
  | "stall"
  /** No response at all, the connection stays open. */
  | "half_open"
  /** The connection breaks. */
  | "reset"
  /** The body ends properly, the answer does not. */
  | "cut"
  /** An event that is not JSON. */
  | "malformed"
  /** The provider's error event ({@linkcode Reply.error}). */
  | "error_event"
  /** 100 MB in one event. */
  | "huge_event"
  /** 100 MB in many events. */
  | "huge_answer";

/** One scripted reply. */
export interface Reply {
  text?: string;
  /** Sent as text. */
  json?: unknown;
  tool_calls?: { name: string; arguments: string }[];
  /** The provider's own word for why it stopped. */
  finish?: string;
  usage?: { input: number; output: number };
  /** Length of the pieces that the text is sent in, in characters; default 8. */
  piece?: number;
  /** Between pieces. */
  delay_ms?: number;
  fault?: Fault;
  /** Body of the error event or of the failure. */
  error?: unknown;
  /** Fails with this status instead of answering. */
  status?: number;
  headers?: Record<string, string>;
}

/** Replies in order, the last one for ever; or a function of the request. */
export type Script = Reply[] | ((call: MockCall) => Reply);

/** A request as it came in. */
export interface MockCall {
  method: string;
  /** With the query. */
  path: string;
  headers: Headers;
  /** The client's port: the same for requests over one connection. */
  port: number;
  // deno-lint-ignore no-explicit-any -- whatever JSON the adapter sent
  body: any;
  /** Settles when the client has gone away in the middle of a streamed reply. */
  gone: Promise<void>;
}

/** A running server. */
export interface MockServer {
  /** Without a slash at the end. */
  url: string;
  calls: MockCall[];
  close(): Promise<void>;
}

/** How one provider says things: frames of a stream, or whole bodies. */
export interface Wire {
  open(call: MockCall, reply: Reply): string[];
  text(piece: string): string;
  call(index: number, call: { name: string; arguments: string }): string[];
  finish(reply: Reply): string[];
  error(reply: Reply): string;
  /** The answer to a request that is not a model call or not streamed. */
  other(call: MockCall, reply: () => Reply): Response | undefined;
}

const HUGE_BYTES = 100 * 1024 * 1024;
const HUGE_PIECE = "x".repeat(64 * 1024);

/** Starts a server on a free port of this machine. */
export function startServer(wire: Wire, script: Script): MockServer {
  const calls: MockCall[] = [];
  const stop = new AbortController();
  let used = 0;
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request, info) => {
      const gone = Promise.withResolvers<void>();
      const call = await record(request, info.remoteAddr.port, gone.promise);
      calls.push(call);
      const next = () =>
        typeof script === "function"
          ? script(call)
          : script[Math.min(used++, script.length - 1)] ?? { text: "" };
      const other = wire.other(call, next);
      if (other) return other;
      const reply = next();
      if (reply.status) return fail(reply);
      if (reply.fault === "half_open") return await halfOpen(stop.signal);
      const body = streamOf(frames(wire, call, reply, stop.signal), gone.resolve);
      return new Response(body, {
        headers: { "content-type": "text/event-stream", ...reply.headers },
      });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    calls,
    async close() {
      stop.abort();
      await server.shutdown();
    },
  };
}

/** The reply's text, whichever way it was given. */
export function textOf(reply: Reply): string {
  return reply.json === undefined ? reply.text ?? "" : JSON.stringify(reply.json);
}

/** A server-sent event. */
export function sse(data: unknown, event?: string): string {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return `${event ? `event: ${event}\n` : ""}data: ${text}\n\n`;
}

async function record(request: Request, port: number, gone: Promise<void>): Promise<MockCall> {
  const url = new URL(request.url);
  const text = await request.text();
  return {
    method: request.method,
    path: url.pathname + url.search,
    headers: request.headers,
    port,
    body: text ? JSON.parse(text) : undefined,
    gone,
  };
}

function fail(reply: Reply): Response {
  const error = reply.error ?? { error: { message: `mock ${reply.status}` } };
  return Response.json(error, { status: reply.status, headers: reply.headers });
}

/** Says nothing until the server is closed. */
function halfOpen(stop: AbortSignal): Promise<Response> {
  return new Promise((resolve) => {
    stop.addEventListener("abort", () => resolve(new Response(null, { status: 503 })));
  });
}

async function* frames(
  wire: Wire,
  call: MockCall,
  reply: Reply,
  stop: AbortSignal,
): AsyncGenerator<string> {
  yield* wire.open(call, reply);
  const characters = [...textOf(reply)];
  const size = reply.piece ?? 8;
  for (let at = 0; at < characters.length; at += size) {
    yield wire.text(characters.slice(at, at + size).join(""));
    if (reply.delay_ms) await new Promise((resolve) => setTimeout(resolve, reply.delay_ms));
  }
  if (reply.fault) return yield* faulty(wire, reply, stop);
  for (const [index, tool] of (reply.tool_calls ?? []).entries()) yield* wire.call(index, tool);
  yield* wire.finish(reply);
}

async function* faulty(wire: Wire, reply: Reply, stop: AbortSignal): AsyncGenerator<string> {
  switch (reply.fault) {
    case "stall":
      return await new Promise<void>((resolve) => stop.addEventListener("abort", () => resolve()));
    case "reset":
      throw new Error("reset by the script");
    case "malformed":
      return yield 'data: {"broken": \n\n';
    case "error_event":
      return yield wire.error(reply);
    case "huge_event":
      yield "data: ";
      for (let sent = 0; sent < HUGE_BYTES; sent += HUGE_PIECE.length) yield HUGE_PIECE;
      return;
    case "huge_answer":
      for (let sent = 0; sent < HUGE_BYTES; sent += HUGE_PIECE.length) yield wire.text(HUGE_PIECE);
  }
}

function streamOf(source: AsyncGenerator<string>, gone: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await source.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: () => gone(),
  });
}
