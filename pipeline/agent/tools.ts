import type { Json } from "../kernel/events.ts";
import type { RunInfo } from "../kernel/context.ts";
import type { ToolCall, ToolSpec } from "../../llm/model.ts";
import { schemaIssues } from "../../json/schema.ts";

/** The port to the tools that agents may use. */
export interface Tools {
  /** Descriptions of the tools with these names, in this order; unknown names are left out. */
  specs(names: string[]): ToolSpec[];
  /** Makes one call. What it throws is shown to the model. */
  call(name: string, args: Json, options: ToolOptions): Promise<Json>;
}

/** What a tool is told besides its arguments. */
export interface ToolOptions {
  /** Aborted on cancel, time-out and shutdown. */
  signal: AbortSignal;
  /** The same for every attempt of this call. */
  idempotency_key: string;
  run: RunInfo;
}

/** A call that may be made, or why it may not. */
export type CheckedCall = { args: Json } | { denied: string };

/** Checks a model's call against the tools it was given and their schemas. */
export function checkCall(call: ToolCall, specs: ToolSpec[]): CheckedCall {
  const spec = specs.find(({ name }) => name === call.name);
  if (!spec) return { denied: `the tool "${call.name}" is not one of this agent's tools` };
  const args = parseArguments(call.arguments);
  if (args === undefined) return { denied: "the arguments are not valid JSON" };
  const [issue] = schemaIssues(spec.parameters, args);
  if (issue) return { denied: `the arguments do not fit: ${issue.location}: ${issue.message}` };
  return { args };
}

function parseArguments(text: string): Json | undefined {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
