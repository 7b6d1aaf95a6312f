/**
 * The error taxonomy. Every failure that a caller may want to tell apart is an
 * {@linkcode OrchestratorError} with a stable `code`; code decides by `code` and `kind`, never by
 * message text. Only `routes/problem.ts` turns an error into an HTTP response.
 *
 * @module
 */

/** `terminal`: a retry cannot succeed. `retryable`: it may. `cancelled`: a stop was requested. */
export type ErrorKind = "terminal" | "retryable" | "cancelled";

/** Stable error codes: part of the public API, listed in `docs/errors.md`. */
export type ErrorCode =
  // requests
  | "invalid_request"
  | "validation_failed"
  | "not_found"
  | "method_not_allowed"
  | "upgrade_required"
  | "conflict"
  | "busy"
  | "precondition_failed"
  | "forbidden"
  | "idempotency_in_flight"
  | "idempotency_mismatch"
  | "forbidden_origin"
  | "misdirected_request"
  | "payload_too_large"
  | "unsupported_media_type"
  | "overloaded"
  | "shutting_down"
  // configuration and data
  | "config_invalid"
  | "pipeline_invalid"
  | "agent_invalid"
  | "prompt_invalid"
  | "data_dir_locked"
  | "store_newer_schema"
  | "store_unavailable"
  | "value_damaged"
  | "worker_fenced"
  // runs
  | "run_cancelled"
  | "run_poisoned"
  | "step_timeout"
  | "step_limit_exceeded"
  | "branch_stopped"
  | "budget_exceeded"
  | "approval_rejected"
  | "approval_expired"
  | "child_failed"
  | "call_failed"
  | "effect_unknown"
  | "expression_failed"
  | "expression_limit"
  | "no_choice_matched"
  | "plan_invalid"
  | "plan_failed"
  // models
  | "model_auth"
  | "model_not_found"
  | "model_not_configured"
  | "model_unpriced"
  | "model_bad_request"
  | "model_bad_output"
  | "model_refused"
  | "model_rate_limited"
  | "model_timeout"
  | "model_unavailable"
  | "tool_failed"
  | "tool_unconfigured"
  | "egress_denied"
  | "egress_failed"
  | "dataset_invalid"
  | "response_too_large"
  | "tool_unknown"
  | "tool_disabled"
  | "tool_limit"
  | "tool_denied"
  | "tool_timeout"
  | "tool_bad_arguments"
  | "tool_bad_output"
  | "tool_output_too_large"
  | "circuit_open"
  // documents
  | "document_unreadable"
  | "document_limit"
  | "vector_db_failed"
  // code that runs in the sandbox
  | "code_failed"
  | "code_timeout"
  | "code_memory"
  | "code_output_too_large"
  | "sandbox_unavailable"
  | "internal";

/** One thing that is wrong with an input, and where. */
export interface Issue {
  /** Where: a JSON pointer (`/messages/0/role`), `line 12` or a header name. */
  location: string;
  /** What is wrong and how to fix it. */
  message: string;
}

/** Optional parts of an {@linkcode OrchestratorError}. */
export interface ErrorOptions {
  kind?: ErrorKind;
  cause?: unknown;
  /** The other side asked not to be called again for this many milliseconds. */
  retry_after_ms?: number;
  /** Field-level problems. */
  issues?: Issue[];
  /** Facts for clients and the journal; must be plain JSON and must hold no secret. */
  details?: Record<string, unknown>;
}

/** The one error class of this project. Message form: "Cannot X: why. What to do about it." */
export class OrchestratorError extends Error {
  override readonly name = "OrchestratorError";
  readonly kind: ErrorKind;
  readonly retry_after_ms?: number;
  readonly issues?: Issue[];
  readonly details?: Record<string, unknown>;

  constructor(readonly code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = options.kind ?? "terminal";
    this.retry_after_ms = options.retry_after_ms;
    this.issues = options.issues;
    this.details = options.details;
  }
}

/** Text of somewhere else as a sentence: with a full stop, unless it ends in one already. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** The JSON form of an error, as journals and responses carry it. */
export interface ErrorJson {
  code: ErrorCode;
  kind: ErrorKind;
  message: string;
  retry_after_ms?: number;
  issues?: Issue[];
  details?: Record<string, unknown>;
}

/** Shapes any thrown value as {@linkcode ErrorJson}; unknown errors become `internal`. */
export function toErrorJson(error: unknown): ErrorJson {
  const known = toOrchestratorError(error);
  return {
    code: known.code,
    kind: known.kind,
    message: known.message,
    ...(known.retry_after_ms === undefined ? {} : { retry_after_ms: known.retry_after_ms }),
    ...(known.issues ? { issues: known.issues } : {}),
    ...(known.details ? { details: known.details } : {}),
  };
}

/** Returns `error` itself when it is known, or wraps it as a terminal `internal` error. */
export function toOrchestratorError(error: unknown): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new OrchestratorError("internal", message, { cause: error });
}

/** Rebuilds an error from its JSON form, for instance one read from a journal. */
export function fromErrorJson(json: ErrorJson): OrchestratorError {
  return new OrchestratorError(json.code, json.message, json);
}
