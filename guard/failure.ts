/** Deadlines and failures of exchanges. @module */
import { OrchestratorError } from "../errors.ts";

/** Failures that a retry does not fix. */
const TERMINAL =
  /^(ENOTFOUND|UND_ERR_INVALID_ARG|HPE_.*|ERR_TLS_.*|CERT_.*|.*_CERT.*|UNABLE_TO_.*)$/;

/** Runs `work` with a signal that also ends after `timeout_ms`. */
export async function withDeadline<T>(
  signal: AbortSignal,
  timeout_ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new DOMException(`no answer within ${timeout_ms} ms`, "TimeoutError")),
    timeout_ms,
  );
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** Shapes anything that an exchange throws. @param url shown without its query */
export function egressFailure(url: string, error: unknown): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  const { name, message, code } = (error ?? {}) as {
    name?: string;
    message?: string;
    code?: unknown;
  };
  const host = URL.canParse(url) ? new URL(url).host : "the address";
  const reason = typeof code === "string" ? code : name ?? "unknown error";
  const why = name === "TimeoutError" ? message : `the connection broke (${reason})`;
  const terminal = TERMINAL.test(reason);
  return new OrchestratorError(
    "egress_failed",
    `Cannot get an answer from ${host}: ${why}. ${terminal ? "Check the address." : "Try again."}`,
    { kind: terminal ? "terminal" : "retryable", cause: error, details: { host, reason } },
  );
}
