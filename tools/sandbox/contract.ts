/** What the sandbox promises, whatever the language. @module */
import type { Json } from "../../json/mod.ts";

/** What can be run. */
export type Language = "javascript" | "python";

/** What is run. */
export interface CodeRequest {
  language: Language;
  code: string;
  /** JSON that is available to the code as `input`. */
  input?: Json;
  /**
   * Files that the code may read, by name without folders: in Python below `/data/`, in JavaScript
   * `readFile(name)` gives text.
   */
  files?: Record<string, Uint8Array>;
  signal: AbortSignal;
  /** Default 10,000 for JavaScript, 60,000 for Python; the start counts, waiting for a turn not. */
  timeout_ms?: number;
  /** Default 128 for JavaScript, 1,024 for Python. */
  memory_mb?: number;
}

/** What it did. */
export interface CodeResult {
  /** The value of `result`, or of the last expression, when it is JSON. */
  result: Json;
  stdout: string;
  stderr: string;
  /** Written by the code: in Python below `/out/`, in JavaScript by `writeFile(name, text)`. */
  files: Record<string, Uint8Array>;
  duration_ms: number;
}

/** Runs code. */
export interface Sandbox {
  /**
   * @throws `code_failed` (the code threw: message, `details.stdout`, `details.stderr`),
   *   `code_timeout`, `code_memory`, `code_output_too_large`, `sandbox_unavailable` (this system
   *   cannot run that language), and what aborted `signal`
   */
  run(request: CodeRequest): Promise<CodeResult>;
  close(): Promise<void>;
}

/** A request with nothing left open. */
export type Job = CodeRequest & Required<Omit<CodeRequest, "signal">>;

/** What the code may print, return and write, all together, in bytes. */
export const MAX_OUTPUT_BYTES = 10 * 1024 * 1024;

/** The byte with which Python's process says that it has grown too large. */
export const TOO_LARGE = 1;

/** How deep a result may be nested: what reads it later is recursive in many places. */
export const MAX_RESULT_DEPTH = 64;
