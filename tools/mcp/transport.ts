/**
 * How an MCP server is talked to: streamable HTTP through the egress guard, or a program that the
 * operator allowed.
 *
 * @module
 */
import type { McpServer } from "../../config/external.ts";
import { OrchestratorError } from "../../errors.ts";
import type { Egress } from "../../guard/mod.ts";
import { guardedFetch } from "../guarded_fetch.ts";
import { LineBuffer } from "./lines.ts";
import type { Transport } from "./sdk.ts";

/** The most that one answer of a server may hold, in bytes. */
export const MAX_ANSWER_BYTES = 10 * 1024 * 1024;

/** What transports need. */
export interface TransportDeps {
  egress: Egress;
  /** Whole command lines, words divided by one space. */
  allowed_commands: readonly string[];
}

/** Makes a transport that is not started yet. @throws `config_invalid` for a program not allowed */
export function openTransport(server: McpServer, deps: TransportDeps): Promise<Transport> {
  return server.url === undefined
    ? programTransport(server, deps.allowed_commands)
    : httpTransport(server, server.url, deps.egress);
}

async function programTransport(
  { name, command = "", args, env }: McpServer,
  allowed: readonly string[],
): Promise<Transport> {
  const line = [command, ...args].join(" ");
  if (!allowed.includes(line)) {
    throw new OrchestratorError(
      "config_invalid",
      `Cannot start MCP server ${name}: the program is not allowed. Add ${
        JSON.stringify(line)
      } to MCP_ALLOWED_COMMANDS if you trust this program.`,
    );
  }
  const { deserializeMessage, StdioClientTransport } = await import("./sdk.ts");
  const variables = Object.entries(env).map(([name, value]) => [name, value.reveal()] as const);
  const transport = new StdioClientTransport({
    command,
    args,
    env: Object.fromEntries(variables),
    stderr: "ignore",
    maxBufferSize: MAX_ANSWER_BYTES,
  });
  const _readBuffer = new LineBuffer(MAX_ANSWER_BYTES, deserializeMessage, tooLarge);
  return Object.assign(transport as Transport, { _readBuffer });
}

async function httpTransport(
  { headers, timeout_ms }: McpServer,
  url: string,
  egress: Egress,
): Promise<Transport> {
  const { StreamableHTTPClientTransport } = await import("./sdk.ts");
  const secret_headers = () =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
  const answers = guardedFetch(egress, {
    url,
    secret_headers,
    max_bytes: MAX_ANSWER_BYTES,
    timeout_ms,
  });
  // The stream of notifications stays open for as long as the connection: only its events are limited.
  const notifications = guardedFetch(egress, {
    url,
    secret_headers,
    max_bytes: Number.MAX_SAFE_INTEGER,
    timeout_ms,
  });
  const transport: Transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: async (url, init) => {
      if (init?.method === "GET") return watched(await notifications(url, init), () => {});
      const id = requestId(init?.body);
      const response = await answers(url, init);
      return id === undefined ? response : watched(response, (error) => fail(transport, id, error));
    },
  });
  return transport;
}

function requestId(body: unknown): string | number | undefined {
  if (typeof body !== "string") return undefined;
  const { method, id } = JSON.parse(body) as { method?: string; id?: string | number };
  return method === undefined ? undefined : id;
}

/**
 * The transport only reports that a stream broke; the request that waited for an answer in it would
 * wait for its time-out. The error itself travels as `data`, which nothing from outside can be.
 */
function fail(transport: Transport, id: string | number, data: unknown): void {
  const message = "the answer was cut off";
  transport.onmessage?.({ jsonrpc: "2.0", id, error: { code: -32000, message, data } });
}

/** An event stream that says when it breaks, and breaks at an event that is too large. */
export function watched(response: Response, onBreak: (error: unknown) => void): Response {
  const type = response.headers.get("content-type") ?? "";
  if (!response.body || !type.startsWith("text/event-stream")) return response;
  const reader = response.body.getReader();
  let event_bytes = 0;
  /** The reader has left: however `response` ends now, that is no break. */
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (cancelled) return;
        if (done) return controller.close();
        event_bytes = endsAnEvent(value) ? 0 : event_bytes + value.length;
        if (event_bytes > MAX_ANSWER_BYTES) throw tooLarge();
        controller.enqueue(value);
      } catch (error) {
        if (cancelled) return;
        onBreak(error);
        controller.error(error);
        reader.cancel(error).catch(() => {});
      }
    },
    cancel(reason) {
      cancelled = true;
      return reader.cancel(reason);
    },
  });
  return new Response(body, response);
}

function endsAnEvent(chunk: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(chunk);
  return text.includes("\n\n") || text.includes("\r\n\r\n");
}

function tooLarge(): OrchestratorError {
  return new OrchestratorError(
    "tool_output_too_large",
    `Cannot read the answer of an MCP server: it has more than ${MAX_ANSWER_BYTES} bytes. Ask for less.`,
  );
}
