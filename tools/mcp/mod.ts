/** MCP servers as sets of tools. @module */
import type { McpServer } from "../../config/external.ts";
import { type McpDeps, McpToolSet } from "./tool_set.ts";

export { createPins, type Pins } from "./pins.ts";
export { type McpDeps, McpToolSet } from "./tool_set.ts";

/** One set of tools for each server. Nothing is connected to before its tools are asked for. */
export function createMcpTools(servers: readonly McpServer[], deps: McpDeps): McpToolSet[] {
  return servers.map((server) => new McpToolSet(server, deps));
}
