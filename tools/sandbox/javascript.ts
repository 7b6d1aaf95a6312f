/**
 * JavaScript: each run has a Worker of its own, which holds QuickJS and ends with the run. QuickJS is
 * the sandbox; the Worker only keeps the server's event loop free, and a broken interpreter apart.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { script } from "../../resources.ts";
import type { Job } from "./contract.ts";
import type { JavascriptJob } from "./javascript_worker.ts";
import { type Outcome, unavailable } from "./outcome.ts";

const GRACE_MS = 250;
const TIMED_OUT: Outcome = { end: { code: "code_timeout" }, stdout: "", stderr: "", files: {} };

/** Runs JavaScript to its end. @throws `sandbox_unavailable`, and what aborted the signal */
export async function runJavascript(job: Job, prelude: string): Promise<Outcome> {
  const { signal, timeout_ms } = job;
  signal.throwIfAborted();
  const worker = startWorker();
  const ended = Promise.withResolvers<Outcome>();
  const stop = () => ended.reject(signal.reason);
  // The Worker keeps the time itself and tells what was printed; this is for one that is stuck.
  const timer = setTimeout(() => ended.resolve(TIMED_OUT), timeout_ms + GRACE_MS);
  signal.addEventListener("abort", stop, { once: true });
  worker.onmessage = ({ data }: MessageEvent<Outcome>) => ended.resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    ended.reject(unavailable("JavaScript", `the interpreter does not start: ${event.message}.`));
  };
  try {
    worker.postMessage(messageOf(job, prelude));
    return await ended.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    worker.terminate();
  }
}

function startWorker(): Worker {
  try {
    const { href } = pathToFileURL(script("tools/sandbox/javascript_worker.ts"));
    return new Worker(href, { type: "module", name: "sandbox" });
  } catch (error) {
    throw unavailable("JavaScript", "this platform has no Workers.", error);
  }
}

function messageOf(job: Job, prelude: string): JavascriptJob {
  const { code, files, timeout_ms, memory_mb } = job;
  const deadline = Date.now() + timeout_ms;
  return { code, prelude, input: JSON.stringify(job.input), files, deadline, memory_mb };
}
