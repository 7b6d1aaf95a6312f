/**
 * Errors that nothing catches: a promise of a library that rejects and that no one awaits, a callback
 * of a socket or a timer that throws. The runtime would end the process, and with it every run and
 * every request in it; docs/decisions/020-uncaught-errors.md says why this one keeps serving.
 *
 * Invariants: (1) nothing here throws; (2) at most {@linkcode MAX_LINES} lines a minute are logged,
 * each of a bounded length: input that can cause one such error can cause a million.
 *
 * @module
 */
import { toErrorJson } from "../errors.ts";
import type { LogFields, Logger } from "../telemetry/mod.ts";

/** Lines that are logged in a minute. */
const MAX_LINES = 10;
const MINUTE_MS = 60_000;
/** Characters of a message or a stack that are logged. */
const MAX_CHARS = 4_000;

/**
 * Logs errors that nothing catches, and keeps the process running.
 *
 * @param now the clock, in milliseconds
 * @returns until it is disposed of
 */
export function surviveUncaught(log: Logger, now: () => number = Date.now): Disposable {
  const report = createReport(log, now);
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    report("unhandled rejection", event.reason);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    report("uncaught error", event.error);
  };
  addEventListener("unhandledrejection", onRejection);
  addEventListener("error", onError);
  return {
    [Symbol.dispose]() {
      removeEventListener("unhandledrejection", onRejection);
      removeEventListener("error", onError);
    },
  };
}

function createReport(log: Logger, now: () => number) {
  let minute = NaN, lines = 0, suppressed = 0;
  return (message: string, thrown: unknown) => {
    const current = Math.floor(now() / MINUTE_MS);
    if (current !== minute) lines = 0;
    minute = current;
    if (++lines > MAX_LINES) return void suppressed++;
    log.error(message, { error: describe(thrown), ...(suppressed > 0 && { suppressed }) });
    suppressed = 0;
  };
}

/** What is known of anything that can be thrown. */
function describe(thrown: unknown): LogFields {
  try {
    const { code, message } = toErrorJson(thrown);
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    return { code, message: clip(message), ...(stack === undefined ? {} : { stack: clip(stack) }) };
  } catch {
    return { code: "internal", message: "a value that cannot be shown" };
  }
}

function clip(text: string): string {
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
}
