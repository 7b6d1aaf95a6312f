import type { Json } from "../kernel/mod.ts";
import type { ToolCall } from "../../llm/mod.ts";
import type { ToolInfo } from "../../tools/mod.ts";
import { schemaIssues } from "../../json/mod.ts";

/** A call that may be made, or why it may not. */
export type CheckedCall =
  | { tool: ToolInfo; args: Record<string, Json> }
  | { denied: string };

/** Checks a model's call against the tools it was given and their schemas. */
export function checkCall(call: ToolCall, tools: ToolInfo[]): CheckedCall {
  const tool = tools.find(({ name }) => name === call.name);
  if (!tool) return { denied: `the tool "${call.name}" is not one of this agent's tools` };
  const args = parseArguments(call.arguments);
  if (args === undefined) return { denied: "the arguments are not valid JSON" };
  const [issue] = schemaIssues(tool.input, args);
  if (issue) {
    return { denied: `the arguments do not match the schema: ${issue.location}: ${issue.message}` };
  }
  return { tool, args: args as Record<string, Json> };
}

function parseArguments(text: string): Json | undefined {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
