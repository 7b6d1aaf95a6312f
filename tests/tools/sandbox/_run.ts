/** Running code in tests: what comes of it, as plain values. */
import { type CodeRequest, type CodeResult, createSandbox } from "../../../tools/sandbox/mod.ts";
import { OrchestratorError } from "../../../errors.ts";

/** What a run came to. */
export type Ending = CodeResult | { code: string; message: string; details: unknown };

/** One sandbox for all tests of a file. */
export const sandbox = createSandbox({
  concurrency: 2,
  prelude: "globalThis.mean = (list) => list.reduce((sum, x) => sum + x, 0) / list.length;",
});

/** Runs code; a typed failure is a value, anything else is thrown. */
export async function attempt(request: Partial<CodeRequest> & { code: string }): Promise<Ending> {
  const { signal } = new AbortController();
  try {
    return await sandbox.run({ language: "javascript", signal, ...request });
  } catch (error) {
    if (!(error instanceof OrchestratorError)) throw error;
    return { code: error.code, message: error.message, details: error.details };
  }
}

/** Text as a file. */
export const file = (text: string): Uint8Array => new TextEncoder().encode(text);
