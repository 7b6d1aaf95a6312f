/**
 * Turns what goes wrong between here and a provider into typed errors. Classified by status and by
 * the provider's error codes, never by message text. No key ever gets into a message.
 *
 * @module
 */
import { type ErrorCode, OrchestratorError } from "../errors.ts";
import { durationMs, retryAfterMs } from "../guard/mod.ts";
import { readSocketError } from "./connection.ts";
import type { Fetch } from "./transport.ts";

/** The most of an error response's body that is read, in bytes. */
const MAX_ERROR_BYTES = 64 * 1024;
const MAX_DETAIL_CHARS = 300;

/** A response whose status says that the request failed. */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";

  constructor(readonly status: number, readonly headers: Headers, readonly body: string) {
    // The SDKs guess from words in messages: keep to the number.
    super(`HTTP ${status}`);
  }
}

/** An error event inside a stream that began well, or a stream that is broken (`why`). */
export class StreamFailure extends Error {
  override readonly name = "StreamFailure";

  constructor(readonly event: unknown, readonly why?: string) {
    super(why ?? "error event");
  }
}

/** Which call failed. `secrets` are cut out of whatever the provider says. */
export interface FailedCall {
  provider: string;
  model: string;
  secrets: string[];
}

/** Wraps a `fetch` so that it throws {@linkcode HttpFailure} instead of returning a failure. */
export function checked(fetchLike: Fetch): Fetch {
  return async (input, init) => {
    const response = await fetchLike(input, init);
    if (response.ok) return response;
    throw new HttpFailure(response.status, response.headers, await readSome(response));
  };
}

async function readSome(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  let text = "";
  try {
    while (reader && text.length < MAX_ERROR_BYTES) {
      const { value, done } = await reader.read();
      if (done) return text;
      text += decoder.decode(value, { stream: true });
    }
    await reader?.cancel();
  } catch { /* the status alone is enough to tell what failed */ }
  return text.slice(0, MAX_ERROR_BYTES);
}

/**
 * Runs one call of a provider. An abort throws the signal's reason; any other failure throws an
 * `OrchestratorError` with a `model_*` code.
 */
export async function attempt<T>(
  call: FailedCall,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  try {
    const result = await run();
    // An SDK's stream may just end when it is aborted.
    signal.throwIfAborted();
    return result;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw toModelError(call, error);
  }
}

/** Shapes anything a provider's adapter throws as an `OrchestratorError` with a `model_*` code. */
export function toModelError(call: FailedCall, error: unknown): OrchestratorError {
  for (const cause of causes(error)) {
    if (cause instanceof OrchestratorError) return cause;
    if (cause instanceof HttpFailure) {
      return fromProvider(call, parseBody(cause.body), cause.status, cause.headers);
    }
    if (cause instanceof StreamFailure) {
      return cause.why
        ? failed(call, { code: "model_unavailable", retryable: true }, cause.why)
        : fromProvider(call, toFault(cause.event));
    }
    // @google/genai puts error chunks of a stream into an error with the status and the body.
    if (cause instanceof Error && "status" in cause && typeof cause.status === "number") {
      return fromProvider(call, parseBody(cause.message), cause.status);
    }
  }
  return fromConnection(call, error);
}

function fromConnection(call: FailedCall, error: unknown): OrchestratorError {
  const chain = causes(error);
  const codes = chain.map((cause) => (cause as { code?: unknown }).code)
    .filter((code) => typeof code === "string");
  const names = chain.map((cause) => (cause as Error).name);
  const timedOut =
    codes.some((code) => code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT") ||
    names.some((name) => name === "TimeoutError");
  const unmade = chain.map(readSocketError).find(Boolean);
  if (unmade) {
    return failed(call, { code: "model_unavailable", retryable: true }, unmade.why, {
      cause: error,
      advice: unmade.advice,
    });
  }
  const why = codes.at(-1) ?? names.at(-1) ?? "unknown error";
  const verdict: Verdict = timedOut
    ? { code: "model_timeout", retryable: true }
    : { code: "model_unavailable", retryable: true };
  return failed(call, verdict, `the connection ${timedOut ? "timed out" : "broke"} (${why})`, {
    cause: error,
  });
}

/** The body of a response that refuses the request itself; `undefined` for any other failure. */
export function refusalOf(error: unknown): string | undefined {
  const failure = causes(error).find((cause) => cause instanceof HttpFailure);
  return failure && REFUSALS.has(failure.status) ? failure.body : undefined;
}

/** 422: what servers made with FastAPI answer. */
const REFUSALS = new Set([400, 422]);

function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let at = error; at instanceof Error && chain.length < 6; at = at.cause) chain.push(at);
  return chain;
}

/** What a provider says about a failure, in whatever form. */
interface Fault {
  message: string;
  /** `code`, `type`, `status` and reasons, as far as they are words. */
  tags: string[];
  /** `code` where it is a status number. */
  status?: number;
  retry_after_ms?: number;
}

function parseBody(body: string): Fault {
  try {
    return toFault(JSON.parse(body));
  } catch {
    return { message: body, tags: [] };
  }
}

// deno-lint-ignore no-explicit-any -- providers' error bodies have no common type
function toFault(body: any): Fault {
  const [outer] = [body].flat();
  const error = outer?.error ?? outer?.data ?? outer;
  if (typeof error === "string") return { message: error, tags: [] };
  const details = Array.isArray(error?.details) ? error.details : [];
  const tags = [error?.code, error?.type, error?.status, ...details.map((d: Tagged) => d?.reason)];
  const delay = durationMs(details.find((d: Tagged) => d?.retryDelay)?.retryDelay);
  return {
    message: typeof error?.message === "string" ? error.message : "",
    tags: tags.filter((tag) => typeof tag === "string"),
    ...(typeof error?.code === "number" ? { status: error.code } : {}),
    ...(delay === undefined ? {} : { retry_after_ms: delay }),
  };
}

interface Tagged {
  reason?: string;
  retryDelay?: string;
}

/** Statuses of error codes that come without one, inside a stream. */
const STATUS_OF_TAG: Record<string, number> = {
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  model_not_found: 404,
  invalid_request_error: 400,
  request_too_large: 413,
  context_length_exceeded: 400,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  timeout_error: 504,
  overloaded_error: 529,
};

interface Verdict {
  code: ErrorCode;
  retryable: boolean;
}

const VERDICT_OF_TAG: Record<string, Verdict> = {
  insufficient_quota: { code: "model_rate_limited", retryable: false },
  billing_error: { code: "model_rate_limited", retryable: false },
  billing_hard_limit_reached: { code: "model_rate_limited", retryable: false },
  content_filter: { code: "model_refused", retryable: false },
  content_policy_violation: { code: "model_refused", retryable: false },
  invalid_api_key: { code: "model_auth", retryable: false },
  API_KEY_INVALID: { code: "model_auth", retryable: false },
};

const VERDICT_OF_STATUS: Record<number, Verdict> = {
  401: { code: "model_auth", retryable: false },
  402: { code: "model_rate_limited", retryable: false },
  403: { code: "model_auth", retryable: false },
  404: { code: "model_not_found", retryable: false },
  408: { code: "model_timeout", retryable: true },
  409: { code: "model_unavailable", retryable: true },
  429: { code: "model_rate_limited", retryable: true },
};

function judge(status: number, tags: string[]): Verdict {
  const tagged = tags.map((tag) => VERDICT_OF_TAG[tag]).find(Boolean);
  if (tagged) return tagged;
  const known = VERDICT_OF_STATUS[status];
  if (known) return known;
  return status >= 500
    ? { code: "model_unavailable", retryable: true }
    : { code: "model_bad_request", retryable: false };
}

function fromProvider(
  call: FailedCall,
  fault: Fault,
  http?: number,
  headers?: Headers,
): OrchestratorError {
  const tagged = fault.tags.map((tag) => STATUS_OF_TAG[tag]).find(Boolean);
  const status = http ?? fault.status ?? tagged ?? 500;
  const verdict = judge(status, fault.tags);
  const said = verdict.code === "model_auth" ? "" : clean(fault.message, call.secrets);
  const why = said ? `${said} (${status})` : `the provider answered ${status}`;
  const wait = verdict.retryable
    ? (headers && retryAfterMs(headers)) ?? fault.retry_after_ms
    : undefined;
  return failed(call, verdict, why, { retry_after_ms: wait });
}

const ADVICE: Partial<Record<ErrorCode, string>> = {
  model_auth: "Check the API key and its permissions.",
  model_not_found: "Check the model's name.",
  model_bad_request: "Change the request or the model.",
  model_refused: "Change the request.",
  model_rate_limited: "Try again later.",
  model_timeout: "Try again.",
  model_unavailable: "Try again.",
};

function failed(
  call: FailedCall,
  { code, retryable }: Verdict,
  why: string,
  { advice, ...options }: { retry_after_ms?: number; cause?: unknown; advice?: string } = {},
): OrchestratorError {
  const next = advice ?? adviceFor(code, retryable, options.retry_after_ms);
  return new OrchestratorError(
    code,
    `Cannot get an answer from ${call.provider}/${call.model}: ${why}. ${next}`,
    {
      ...options,
      kind: retryable ? "retryable" : "terminal",
      details: { provider: call.provider, model: call.model },
    },
  );
}

function adviceFor(code: ErrorCode, retryable: boolean, wait?: number): string | undefined {
  if (wait) return `Try again in ${Math.ceil(wait / 1000)} s.`;
  const spent = code === "model_rate_limited" && !retryable;
  return spent ? "Check the account's plan and billing." : ADVICE[code];
}

function clean(message: string, secrets: string[]): string {
  let text = message;
  for (const secret of secrets) if (secret) text = text.replaceAll(secret, "[key]");
  return text.replace(/\s+/g, " ").trim().slice(0, MAX_DETAIL_CHARS).replace(/\.$/, "");
}
