/** The sandbox: whose turn it is, the limits, and which interpreter runs what. @module */
import { OrchestratorError } from "../../errors.ts";
import type { CodeRequest, Job, Language, Sandbox } from "./contract.ts";
import { runJavascript } from "./javascript.ts";
import { type Outcome, resultOf } from "./outcome.ts";
import { createPython } from "./python.ts";
import { createTurns } from "./turns.ts";

/** What a sandbox is given. */
export interface SandboxDeps {
  /** How many codes run at a time; further ones wait. Default 2. */
  concurrency?: number;
  /** JavaScript that every run of JavaScript finds executed: helpers, as global functions. */
  prelude?: string;
  /** Milliseconds, for durations. */
  now?: () => number;
}

const DEFAULTS: Record<Language, { timeout_ms: number; memory_mb: number }> = {
  javascript: { timeout_ms: 10_000, memory_mb: 128 },
  python: { timeout_ms: 60_000, memory_mb: 1_024 },
};

/** Makes a sandbox. Nothing is loaded or started before the first run. */
export function createSandbox(deps: SandboxDeps = {}): Sandbox {
  const { concurrency = 2, prelude = "", now = () => performance.now() } = deps;
  const turns = createTurns(concurrency);
  const closing = new AbortController();

  const python = createPython();

  const execute = (job: Job): Promise<Outcome> =>
    job.language === "javascript" ? runJavascript(job, prelude) : python.run(job);

  return {
    run(request) {
      const job = completed(request);
      job.signal = AbortSignal.any([request.signal, closing.signal]);
      return turns.take(async () => {
        const began = now();
        const result = resultOf(await execute(job), job);
        return { ...result, duration_ms: Math.round(now() - began) };
      }, job.signal);
    },
    close() {
      const message = "Cannot run code: the service is stopping. Try again later.";
      closing.abort(new OrchestratorError("shutting_down", message, { kind: "retryable" }));
      return Promise.resolve();
    },
  };
}

function completed(request: CodeRequest): Job {
  return { input: null, files: {}, ...DEFAULTS[request.language], ...request };
}
