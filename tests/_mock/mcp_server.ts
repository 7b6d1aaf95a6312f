/** The SDK's server with a list of tools that may say anything. @module */
import { Server } from "@modelcontextprotocol/sdk/server";
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

/** A tool as it is listed: anything, so that it can be wrong. */
export type MockTool = { name: string } & Record<string, unknown>;

/** What tools do. */
export type Handlers = Record<
  string,
  (args: Record<string, unknown>, signal: AbortSignal) => Promise<CallToolResult> | CallToolResult
>;

/** A server that lists and calls. */
export function createServer(tools: () => MockTool[], handlers: () => Handlers): Server {
  const server = new Server(
    { name: "mock", version: "1.0.0" },
    { capabilities: { tools: { listChanged: true } } },
  );
  server.setRequestHandler(
    ListToolsRequestSchema,
    // The point of it: what is listed need not be what the protocol asks for.
    () => ({ tools: tools() as never }),
  );
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
    const handler = handlers()[params.name];
    if (!handler) throw new Error(`no tool ${params.name}`);
    return await handler(params.arguments ?? {}, signal);
  });
  return server;
}

/** Text as a tool's result. */
export function text(text: string): CallToolResult {
  return { content: [{ type: "text", text }] };
}

/** A tool that takes `{ q }`. */
export function takesQ(name: string, fields: Record<string, unknown> = {}): MockTool {
  return {
    name,
    description: `Does ${name}.`,
    inputSchema: { type: "object", properties: { q: { type: "string" } } },
    ...fields,
  };
}
