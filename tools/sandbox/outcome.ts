/** How code ended, as reported by the side that runs it, and the result or error of it. @module */
import { OrchestratorError, sentence } from "../../errors.ts";
import type { Json } from "../../json/mod.ts";
import { type CodeResult, MAX_OUTPUT_BYTES, MAX_RESULT_DEPTH } from "./contract.ts";

/** Why code did not come to its end. */
export interface Failure {
  code: "code_failed" | "code_timeout" | "code_memory" | "code_output_too_large";
  /** What the code's own error says; for `code_failed` only. */
  reason?: string;
}

/** Everything that code leaves behind. */
export interface Outcome {
  /** JSON text of the result, or why it failed. */
  end: { json: string } | Failure;
  stdout: string;
  stderr: string;
  files: Record<string, Uint8Array>;
}

/** Printed text that an error carries: its end, where a traceback is. In characters. */
const KEPT_OUTPUT = 4_000;

/** The result of code that came to its end. @throws what `outcome.end` says, else `code_failed` */
export function resultOf(
  { end, stdout, stderr, files }: Outcome,
  limits: { timeout_ms: number; memory_mb: number },
): Omit<CodeResult, "duration_ms"> {
  if ("code" in end) throw failure(end, limits, { stdout, stderr });
  return { result: parse(end.json, limits, { stdout, stderr }), stdout, stderr, files };
}

/** The error that a failure is for whoever asked. */
export function failure(
  { code, reason = "the interpreter gave up" }: Failure,
  { timeout_ms, memory_mb }: { timeout_ms: number; memory_mb: number },
  printed: { stdout: string; stderr: string } = { stdout: "", stderr: "" },
): OrchestratorError {
  const why: Record<Failure["code"], string> = {
    code_failed: `${sentence(reason)} Fix the code.`,
    code_timeout: `it took longer than ${timeout_ms} ms. Do less, or allow more time.`,
    code_memory: `it needs more than ${memory_mb} MB of memory. Keep less in memory at a time.`,
    code_output_too_large:
      `it printed, returned and wrote more than ${MAX_OUTPUT_BYTES} bytes. Write less.`,
  };
  const details = {
    stdout: printed.stdout.slice(-KEPT_OUTPUT),
    stderr: printed.stderr.slice(-KEPT_OUTPUT),
  };
  return new OrchestratorError(code, `Cannot run the code: ${why[code]}`, { details });
}

/** The error for a system that cannot run a language. */
export function unavailable(language: string, why: string, cause?: unknown): OrchestratorError {
  const message = `Cannot run ${language} here: ${why}`;
  return new OrchestratorError("sandbox_unavailable", message, { cause });
}

type Limits = Parameters<typeof failure>[1];

/** What untrusted code calls its result need not be JSON, nor of a depth that can be walked. */
function parse(json: string, limits: Limits, printed: Parameters<typeof failure>[2]): Json {
  const reason = isTooDeep(json)
    ? `its result is nested deeper than ${MAX_RESULT_DEPTH} levels`
    : "its result is not JSON";
  if (isTooDeep(json)) throw failure({ code: "code_failed", reason }, limits, printed);
  try {
    return JSON.parse(json);
  } catch {
    throw failure({ code: "code_failed", reason }, limits, printed);
  }
}

/** Counts brackets outside of strings. */
function isTooDeep(json: string): boolean {
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === "[" || token === "{") depth++;
    if (token === "]" || token === "}") depth--;
    if (depth > MAX_RESULT_DEPTH) return true;
  }
  return false;
}
