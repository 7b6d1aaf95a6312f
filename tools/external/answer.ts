/** The answer in what agents send back over plain HTTP. @module */
import { OrchestratorError, sentence } from "../../errors.ts";
import { type EgressResponse, retryAfterMs } from "../../guard/mod.ts";
import type { Json } from "../../json/mod.ts";

/** Where agents put their answers, in the order in which they are looked for. */
const FIELDS = ["answer", "response", "output", "result", "message"];

/**
 * What a body says: JSON where it is JSON, else text.
 *
 * @throws `tool_bad_output` when it says that it is JSON and is not
 */
export function readBody(name: string, { headers, body }: EgressResponse): Json {
  const text = new TextDecoder().decode(body);
  const isJson = /[/+]json\b/i.test(headers.get("content-type") ?? "");
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    if (!isJson) return text;
    throw new OrchestratorError(
      "tool_bad_output",
      `Cannot use the answer of ${name}: its type is JSON, but its body is not. Fix the service.`,
      { cause },
    );
  }
}

/** The answer in a body; the whole of it when it has none of the known shapes. */
export function answerIn(body: Json): Json {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  for (const field of FIELDS) {
    const value = body[field];
    if (value === undefined || value === null) continue;
    if (field !== "message" || typeof value !== "object" || Array.isArray(value)) return value;
    if (value.content !== undefined) return value.content;
  }
  return body;
}

/** @throws `tool_failed` for a status that is no success, retryable for 408, 429 and 5xx */
export function mustSucceed(name: string, { status, headers, body }: EgressResponse): void {
  if (status >= 200 && status < 300) return;
  const retryable = status === 408 || status === 429 || status >= 500;
  const said = new TextDecoder().decode(body.subarray(0, 500)).trim();
  const advice = status === 401 || status === 403
    ? "Check its token."
    : retryable
    ? "Try again later."
    : "Check its address and the request.";
  throw new OrchestratorError(
    "tool_failed",
    `Cannot get an answer of ${name}: ${
      sentence(`it answered ${status}${said && `: ${said}`}`)
    } ${advice}`,
    {
      kind: retryable ? "retryable" : "terminal",
      retry_after_ms: retryAfterMs(headers),
      details: { status },
    },
  );
}
