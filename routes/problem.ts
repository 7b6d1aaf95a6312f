/**
 * The only place where an error becomes a response: RFC 9457 `application/problem+json`.
 *
 * @module
 */
import type { Context } from "hono";
import { type ErrorCode, type Issue, OrchestratorError } from "../errors.ts";
import type { AppEnv } from "./deps.ts";
import type { Log } from "../service/mod.ts";

/** An error as clients get it. */
export interface Problem {
  /** `urn:orchestrator:error:` and the code. */
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  request_id: string;
  /** What is wrong where; empty when there is no more to say than `detail`. */
  errors: Issue[];
  details?: Record<string, unknown>;
  /** Seconds after which to try again; the `Retry-After` header says the same. */
  retry_after?: number;
  run_id?: string;
  conversation_id?: string;
}

/** Codes that are not listed are the server's fault: 500. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  invalid_request: 400,
  forbidden_origin: 403,
  not_found: 404,
  method_not_allowed: 405,
  forbidden: 403,
  egress_denied: 403,
  conflict: 409,
  busy: 409,
  idempotency_in_flight: 409,
  run_cancelled: 409,
  precondition_failed: 412,
  payload_too_large: 413,
  unsupported_media_type: 415,
  misdirected_request: 421,
  validation_failed: 422,
  idempotency_mismatch: 422,
  pipeline_invalid: 422,
  agent_invalid: 422,
  prompt_invalid: 422,
  expression_failed: 422,
  expression_limit: 422,
  document_unreadable: 422,
  document_limit: 422,
  code_failed: 422,
  code_timeout: 422,
  code_memory: 422,
  code_output_too_large: 422,
  upgrade_required: 426,
  tool_unknown: 404,
  tool_denied: 403,
  tool_disabled: 409,
  tool_limit: 422,
  tool_bad_arguments: 422,
  dataset_invalid: 422,
  tool_bad_output: 502,
  tool_output_too_large: 502,
  tool_failed: 502,
  tool_unconfigured: 503,
  tool_timeout: 504,
  circuit_open: 503,
  overloaded: 429,
  sandbox_unavailable: 501,
  call_failed: 502,
  egress_failed: 502,
  response_too_large: 502,
  vector_db_failed: 502,
  model_auth: 502,
  model_not_found: 502,
  model_not_configured: 503,
  model_unpriced: 422,
  model_bad_request: 502,
  model_bad_output: 502,
  model_refused: 502,
  model_rate_limited: 502,
  model_unavailable: 502,
  shutting_down: 503,
  store_unavailable: 503,
  worker_fenced: 503,
  model_timeout: 504,
  step_timeout: 504,
};

/** The HTTP status that goes with a code. */
export function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? 500;
}

/** Shapes a known error as a {@linkcode Problem}; `ids` names the run it is about. */
export function problemOf(
  error: OrchestratorError,
  request_id: string,
  ids: { run_id?: string; conversation_id?: string } = {},
): Problem {
  const status = statusOf(error.code);
  const title = error.code.replaceAll("_", " ");
  const retry_after = retryAfterSeconds(error, status);
  const run_id = error.code === "idempotency_in_flight" ? error.details?.run_id : undefined;
  return {
    type: `urn:orchestrator:error:${error.code}`,
    title: title[0]!.toUpperCase() + title.slice(1),
    status,
    detail: error.message,
    code: error.code,
    request_id,
    errors: error.issues ?? [],
    ...(error.details ? { details: error.details } : {}),
    ...(retry_after === undefined ? {} : { retry_after }),
    ...(typeof run_id === "string" ? { run_id } : {}),
    ...ids,
  };
}

/** Who asked for what, for the log. */
interface Place {
  request_id: string;
  method: string;
  path: string;
}

/** Logs what is the server's fault and hides from the client what it cannot use. */
export function problemOfThrown(error: unknown, place: Place, log: Log): Problem {
  if (error instanceof OrchestratorError && error.code !== "internal") {
    // A stop is no fault: where it was noticed is of no use.
    if (error.code === "shutting_down") {
      log.info("request ended: the server is stopping", { ...place });
    } else if (statusOf(error.code) >= 500) log.warn("request failed", { ...place, error });
    return problemOf(error, place.request_id);
  }
  log.error("request failed unexpectedly", { ...place, error });
  const hidden = new OrchestratorError(
    "internal",
    "Something went wrong inside the server. Its log has the cause under this request ID.",
  );
  return problemOf(hidden, place.request_id);
}

/** The response that carries a problem. */
export function problemResponse(problem: Problem): Response {
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (problem.retry_after !== undefined) headers.set("retry-after", String(problem.retry_after));
  // The one that the request is repeated for.
  if (problem.code === "idempotency_in_flight" && problem.run_id !== undefined) {
    headers.set("location", `/v1/runs/${problem.run_id}`);
  }
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

/** Hono's `onError`. */
export function onError(log: Log): (error: unknown, c: Context<AppEnv>) => Response {
  return (error, c) => {
    const { method, path } = c.req;
    const place = { request_id: c.env.request_id, method, path };
    return problemResponse(problemOfThrown(error, place, log));
  };
}

const UNCONFIGURED: ErrorCode[] = ["tool_unconfigured", "model_not_configured"];

function retryAfterSeconds(error: OrchestratorError, status: number): number | undefined {
  if (error.retry_after_ms !== undefined) {
    return Math.max(1, Math.ceil(error.retry_after_ms / 1000));
  }
  // A setting that is missing is not there a second later.
  if (UNCONFIGURED.includes(error.code)) return undefined;
  return status === 429 || status === 503 ? 1 : undefined;
}
