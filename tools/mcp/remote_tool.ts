/** What an MCP server says about a tool, checked and in this project's words. @module */
import * as z from "zod";
import type { McpServer } from "../../config/external.ts";
import { canonicalJson, type JsonSchema, schemaProblems } from "../../json/mod.ts";
import type { ToolInfo } from "../tool.ts";

const MAX_DESCRIPTION = 4000;
const MAX_NAME = 64;

const REMOTE_TOOL = z.object({
  name: z.string().min(1).max(256),
  title: z.string().optional(),
  description: z.string().optional(),
  inputSchema: z.record(z.string(), z.unknown()),
  outputSchema: z.record(z.string(), z.unknown()).optional(),
  annotations: z.object({
    readOnlyHint: z.boolean().optional(),
    idempotentHint: z.boolean().optional(),
  }).loose().optional(),
});

type Described = z.output<typeof REMOTE_TOOL>;

/** A tool of a server. */
export interface RemoteTool {
  /** The server's own name for it. */
  remote: string;
  info: ToolInfo;
  /** SHA-256 over all that the server says about it, in hexadecimal. */
  hash: string;
}

/** Reads what a server lists: the tools that can be used, and why the others cannot. */
export async function readTools(
  server: McpServer,
  listed: readonly unknown[],
): Promise<{ tools: RemoteTool[]; problems: string[] }> {
  const problems: string[] = [];
  const tools = new Map<string, RemoteTool>();
  const missing = new Set(server.tools);
  for (const item of listed) {
    const { success, data } = REMOTE_TOOL.safeParse(item);
    if (!success) {
      problems.push(`${nameOf(item)} is left out: it does not follow the protocol`);
      continue;
    }
    missing.delete(data.name);
    if (server.tools && !server.tools.includes(data.name)) continue;
    const problem = schemaProblem(data);
    const info = infoOf(server, data);
    if (problem) problems.push(`${data.name} is left out: ${problem}`);
    else if (tools.has(info.name)) {
      problems.push(`${data.name} is left out: the name ${info.name} is taken`);
    } else tools.set(info.name, { remote: data.name, info, hash: await hashOf(data) });
  }
  problems.push(...[...missing].map((name) => `the server has no tool named ${name}`));
  return { tools: [...tools.values()], problems };
}

function nameOf(item: unknown): string {
  const { name } = (item ?? {}) as { name?: unknown };
  return typeof name === "string" && name ? name.slice(0, MAX_NAME) : "a tool without a name";
}

function schemaProblem({ inputSchema, outputSchema }: Described): string | undefined {
  if (inputSchema.type !== "object") return "its input schema does not have the type object";
  const [problem] = [
    ...schemaProblems(inputSchema, ["inputSchema"]),
    ...(outputSchema ? schemaProblems(outputSchema, ["outputSchema"]) : []),
  ];
  return problem && `${problem.path.join(".")}: ${problem.message}`;
}

function infoOf(server: McpServer, tool: Described): ToolInfo {
  const hints = server.trust_annotations ? tool.annotations ?? {} : {};
  const reads = hints.readOnlyHint === true;
  return {
    name: toolName(server.name, tool.name),
    description: (tool.description ?? tool.title ?? tool.name).slice(0, MAX_DESCRIPTION),
    input: tool.inputSchema as JsonSchema,
    ...(tool.outputSchema ? { output: tool.outputSchema as JsonSchema } : {}),
    source: "mcp",
    capability: server.capability ?? (reads ? "egress" : "write"),
    effect: server.effect ??
      (reads ? "none" : hints.idempotentHint === true ? "at_least_once" : "at_most_once"),
    timeout_ms: server.timeout_ms,
    untrusted: true,
  };
}

/** `getIssue` of `github` is `github_get_issue`. */
function toolName(server: string, tool: string): string {
  const words = tool.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
  return `${server}_${words.replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "")}`.slice(0, MAX_NAME);
}

async function hashOf(tool: Described): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(tool));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
