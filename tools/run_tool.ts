/**
 * One run of a tool.
 *
 * 1. A tool gets arguments that fit its schema, and a caller gets a result that fits its schema and
 *    size, or a typed error. Neither holds the secrets of the tool's requests.
 * 2. A run ends at its time-out, whether or not the tool listens.
 *
 * @module
 */
import { fromErrorJson, OrchestratorError, sentence, toErrorJson } from "../errors.ts";
import { type Json, schemaIssues } from "../json/mod.ts";
import { redact } from "./http/mod.ts";
import type { Tool, ToolScope } from "./tool.ts";

/** The most a result may hold, in characters of JSON. */
export const MAX_OUTPUT_CHARS = 1_000_000;

/**
 * Runs a tool.
 *
 * @throws `tool_bad_arguments`, `tool_timeout`, `tool_bad_output`, `tool_output_too_large`,
 *   `tool_failed`, what the tool itself throws, what aborted the signal
 */
export async function runTool(tool: Tool, args: Json, scope: ToolScope): Promise<Json> {
  const fitting = mustFit(tool, args);
  try {
    return checked(tool, clean(tool, await inTime(tool, fitting, scope)));
  } catch (error) {
    scope.signal.throwIfAborted();
    throw cleanError(tool, error instanceof OrchestratorError ? error : failed(tool.name, error));
  }
}

/** @throws `tool_bad_arguments` */
function mustFit({ name, input }: Tool, args: Json): Record<string, Json> {
  const issues = schemaIssues(input, args);
  if (issues.length === 0 && typeof args === "object" && args !== null && !Array.isArray(args)) {
    return args as Record<string, Json>;
  }
  const [first] = issues;
  const why = first ? `${first.location}: ${first.message}` : "they are not an object";
  throw new OrchestratorError(
    "tool_bad_arguments",
    `Cannot call ${name}: the arguments do not match its schema: ${
      sentence(why)
    } Fix them and call it again.`,
    { issues },
  );
}

/** @throws `tool_timeout`, also when the tool does not listen to its signal */
async function inTime(tool: Tool, args: Record<string, Json>, scope: ToolScope): Promise<Json> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(timedOut(tool)), tool.timeout_ms);
  const signal = AbortSignal.any([scope.signal, late.signal]);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([tool.run(args, { ...scope, signal }), over]);
  } finally {
    clearTimeout(timer);
  }
}

/** A result without the secrets that the tool's requests carry. */
function clean({ secrets }: Tool, value: Json): Json {
  const values = secrets?.() ?? [];
  if (values.length === 0) return value;
  const text = JSON.stringify(value ?? null);
  const redacted = redact(text, values);
  return redacted === text ? value : JSON.parse(redacted);
}

function cleanError({ secrets }: Tool, error: OrchestratorError): OrchestratorError {
  const values = secrets?.() ?? [];
  const json = JSON.stringify(toErrorJson(error));
  const redacted = redact(json, values);
  return redacted === json ? error : fromErrorJson(JSON.parse(redacted));
}

/** @throws `tool_output_too_large`, `tool_bad_output` */
function checked({ name, output }: Tool, value: Json): Json {
  const text = JSON.stringify(value ?? null);
  if (text.length > MAX_OUTPUT_CHARS) {
    throw new OrchestratorError(
      "tool_output_too_large",
      `Cannot use the result of ${name}: it has ${text.length} characters, more than ${MAX_OUTPUT_CHARS}. Ask for less.`,
    );
  }
  const [issue] = output ? schemaIssues(output, value) : [];
  if (!issue) return value ?? null;
  throw new OrchestratorError(
    "tool_bad_output",
    `Cannot use the result of ${name}: it does not match the tool's own schema: ${issue.location}: ${
      sentence(issue.message)
    } Fix the tool or its schema.`,
  );
}

function timedOut({ name, timeout_ms }: Tool): OrchestratorError {
  return new OrchestratorError(
    "tool_timeout",
    `Cannot call ${name}: it did not finish within ${timeout_ms} ms. Ask for less, or raise its time limit.`,
    { kind: "retryable" },
  );
}

function failed(name: string, cause: unknown): OrchestratorError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new OrchestratorError("tool_failed", `Cannot get a result of ${name}: ${sentence(why)}`, {
    cause,
  });
}
