/** An MCP server made with the SDK's own server classes, that tests can make misbehave. @module */
import type { Server } from "@modelcontextprotocol/sdk/server";
// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { createServer, type Handlers, type MockTool } from "./mcp_server.ts";

export type { Handlers, MockTool } from "./mcp_server.ts";

/** A server over streamable HTTP. */
export interface MockMcp {
  url: string;
  /** What it lists; change it at will. */
  tools: MockTool[];
  /** What its tools do, by name. */
  handlers: Handlers;
  /** Headers of the requests that came. */
  requests: Headers[];
  /** Answers instead of the server when it gives a response. */
  intercept?: (request: Request) => Response | undefined | Promise<Response | undefined>;
  /** How many sessions are open. */
  sessions(): number;
  /** Tells every client that the tools changed. */
  notifyChanged(): Promise<void>;
  /** Forgets all sessions, as a restarted server does. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server on a free port. `json`: plain answers instead of event streams. */
export function startMcp(
  tools: MockTool[],
  handlers: Handlers,
  { json = false } = {},
): MockMcp {
  const sessions = new Map<
    string,
    { server: Server; transport: WebStandardStreamableHTTPServerTransport }
  >();
  const open = async () => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      enableJsonResponse: json,
      onsessioninitialized: (id: string) => void sessions.set(id, { server, transport }),
      onsessionclosed: (id: string) => void sessions.delete(id),
    });
    const server = createServer(() => mock.tools, () => mock.handlers);
    await server.connect(transport);
    return transport;
  };
  const forget = async () => {
    const all = [...sessions.values()];
    sessions.clear();
    await Promise.all(all.map(({ server }) => server.close()));
  };
  const http = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    mock.requests.push(request.headers);
    const instead = await mock.intercept?.(request);
    if (instead) return instead;
    const id = request.headers.get("mcp-session-id");
    const session = id === null ? { transport: await open() } : sessions.get(id);
    if (!session) return new Response("unknown session", { status: 404 });
    return await session.transport.handleRequest(request);
  });
  const mock: MockMcp = {
    url: `http://127.0.0.1:${http.addr.port}/mcp`,
    tools,
    handlers,
    requests: [],
    sessions: () => sessions.size,
    async notifyChanged() {
      await Promise.all([...sessions.values()].map(({ server }) => server.sendToolListChanged()));
    },
    forget,
    async stop() {
      await forget();
      await http.shutdown();
    },
  };
  return mock;
}
