/**
 * The connection to one MCP server: made when it is needed, made again when it broke.
 *
 * 1. There is at most one connection at a time, however many calls wait for it.
 * 2. Every failure leaves as an `OrchestratorError`, or as what aborted the caller's signal.
 * 3. A request is sent again only when the server has not looked at it.
 *
 * @module
 */
import * as z from "zod";
import type { McpServer } from "../../config/external.ts";
import { OrchestratorError } from "../../errors.ts";
import { type Json, type JsonSchema, schemaIssues } from "../../json/mod.ts";
import { version } from "../../version.ts";
import { isLostSession, toolError } from "./failure.ts";
import type { CallToolResult, Client, JsonSchemaValidator, Transport } from "./sdk.ts";
import { openTransport, type TransportDeps } from "./transport.ts";

/** Longest time for connecting, in milliseconds. */
const CONNECT_MS = 10_000;
/** Longest time that a closing service takes leave of a server. */
const LEAVE_MS = 1000;
/** An endless list is cut here. */
const MAX_PAGES = 20;

/** Lenient: one broken tool must not hide the others. */
const TOOLS_PAGE = z.object({ tools: z.array(z.unknown()), nextCursor: z.string().optional() });

/** What a connection needs. */
export interface ConnectionDeps extends TransportDeps {
  server: McpServer;
  /** The server says that its tools changed. */
  onToolsChanged: () => void;
}

/** What is open. */
interface Open {
  client: Client;
  transport: Transport;
  /** Why it ended, where it is known. */
  fault?: OrchestratorError;
}

/** Talks to one server. */
export class Connection {
  private opening?: Promise<Open>;
  private connected?: Open;
  private readonly closing = new AbortController();

  constructor(private readonly deps: ConnectionDeps) {}

  /** True while there is a connection. */
  get isConnected(): boolean {
    return this.connected !== undefined;
  }

  /** What the server lists, unchecked. */
  async tools(): Promise<unknown[]> {
    const { signal } = this.closing;
    return await this.request(async ({ client }) => {
      const tools: unknown[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < MAX_PAGES; page++) {
        const params = cursor === undefined ? {} : { cursor };
        const options = { signal, timeout: CONNECT_MS };
        const found = await client.request({ method: "tools/list", params }, TOOLS_PAGE, options);
        tools.push(...found.tools);
        cursor = found.nextCursor;
        if (cursor === undefined) break;
      }
      return tools;
    }, signal);
  }

  /** Calls a tool by the server's own name for it. */
  async call(
    name: string,
    args: Record<string, Json>,
    signal: AbortSignal,
  ): Promise<CallToolResult> {
    const options = { signal, timeout: this.deps.server.timeout_ms };
    return await this.request(
      ({ client }) =>
        client.callTool({ name, arguments: args }, undefined, options) as Promise<CallToolResult>,
      signal,
    );
  }

  /** Takes leave. What still waits fails. */
  async close(): Promise<void> {
    this.closing.abort(new DOMException("The service is closing.", "AbortError"));
    const open = await this.opening?.catch(() => undefined);
    if (!open) return;
    await leave(open.transport);
    await open.client.close();
  }

  private async request<T>(send: (open: Open) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      const open = await this.open();
      try {
        return await send(open);
      } catch (error) {
        if (open.fault && this.connected !== open) throw open.fault;
        if (!await isLostSession(error)) throw error;
        await this.drop(open);
        return await send(await this.open());
      }
    } catch (error) {
      throw await toolError(this.deps.server.name, error, signal);
    }
  }

  private open(): Promise<Open> {
    this.closing.signal.throwIfAborted();
    if (!this.opening) {
      const opening = this.connect();
      this.opening = opening;
      opening.catch(() => {
        if (this.opening === opening) this.opening = undefined;
      });
    }
    return this.opening;
  }

  private async connect(): Promise<Open> {
    const { server, onToolsChanged } = this.deps;
    const transport = await openTransport(server, this.deps);
    const client = await createClient(onToolsChanged);
    const open: Open = { client, transport };
    client.onclose = () => this.forget(open);
    client.onerror = (error) => {
      if (error instanceof OrchestratorError) open.fault ??= error;
    };
    try {
      const timeout = Math.min(CONNECT_MS, server.timeout_ms);
      await client.connect(transport, { timeout, signal: this.closing.signal });
    } catch (error) {
      await transport.close().catch(() => {});
      throw error;
    }
    this.connected = open;
    return open;
  }

  private async drop(open: Open): Promise<void> {
    this.forget(open);
    await open.client.close();
  }

  private forget(open: Open): void {
    if (this.connected !== open) return;
    this.connected = undefined;
    this.opening = undefined;
  }
}

/** The SDK's own validators compile a server's schemas into code, or take quadratic time. */
const jsonSchemaValidator: JsonSchemaValidator = {
  getValidator: <T>(schema: unknown) => (input: unknown) => {
    const [issue] = schemaIssues(schema as JsonSchema, input);
    return issue
      ? { valid: false, data: undefined, errorMessage: `${issue.location} ${issue.message}` }
      : { valid: true, data: input as T, errorMessage: undefined };
  },
};

async function createClient(onToolsChanged: () => void): Promise<Client> {
  const { Client, ToolListChangedNotificationSchema } = await import("./sdk.ts");
  const client = new Client({ name: "orchestrator", version }, { jsonSchemaValidator });
  client.setNotificationHandler(ToolListChangedNotificationSchema, onToolsChanged);
  return client;
}

/** Ends the session, so that the server need not keep it; one that does not answer is left. */
async function leave(transport: Transport): Promise<void> {
  if (!("terminateSession" in transport)) return;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LEAVE_MS);
  const { terminateSession } = transport as { terminateSession(): Promise<void> };
  await Promise.race([terminateSession.call(transport).catch(() => {}), late]);
  clearTimeout(timer);
}
