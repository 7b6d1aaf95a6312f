/** One attempt at something, ended by its own end, a signal or a time-out. @module */
import { OrchestratorError } from "../../errors.ts";
import type { Clock } from "./clock.ts";

/**
 * Runs `fn` until it settles, `signal` aborts or `timeout_ms` passes; in the last two cases `fn` is
 * told by its own signal and not waited for.
 *
 * @throws what `fn` throws; the signal's reason; `step_timeout` (retryable)
 */
export async function attempt<T>(
  fn: (signal: AbortSignal) => T | Promise<T>,
  options: { signal: AbortSignal; clock: Clock; what: string; timeout_ms?: number },
): Promise<T> {
  const { signal, clock, timeout_ms } = options;
  signal.throwIfAborted();
  if (timeout_ms === undefined) return await orAborted(fn(signal), signal);
  const controller = new AbortController();
  const stop = () => controller.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const over = new AbortController();
  clock.sleep(timeout_ms, over.signal).then(
    () => controller.abort(timedOut(options.what, timeout_ms)),
    () => {},
  );
  try {
    return await orAborted(fn(controller.signal), controller.signal);
  } finally {
    signal.removeEventListener("abort", stop);
    over.abort(SETTLED);
  }
}

/** Ends a sleep that nobody waits for. Without a reason the platform makes an error with a stack. */
const SETTLED = "settled";

/** Settles as `result` does, or rejects with the signal's reason when it aborts first. */
function orAborted<T>(result: T | Promise<T>, signal: AbortSignal): T | Promise<T> {
  if (!(result instanceof Promise)) return result;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    const settle = () => signal.removeEventListener("abort", stop);
    result.then(
      (value) => (settle(), resolve(value)),
      (error) => (settle(), reject(error)),
    );
  });
}

/** The error of something that took too long. */
export function timedOut(what: string, ms: number): OrchestratorError {
  return new OrchestratorError(
    "step_timeout",
    `Cannot finish ${what}: it took longer than ${
      ms / 1000
    } s. Raise timeout_seconds or give it less to do.`,
    { kind: "retryable" },
  );
}
