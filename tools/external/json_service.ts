/** Services of others that take and give JSON over HTTP. @module */
import type { Secret } from "../../config/secret.ts";
import type { Egress } from "../../guard/mod.ts";
import type { Json } from "../../json/mod.ts";
import { mustSucceed, readBody } from "./answer.ts";

/** Where a service is. */
export interface JsonService {
  /** For errors. */
  name: string;
  url: string;
  auth_token?: Secret;
  timeout_ms: number;
}

/** The most that a service may answer, in bytes. */
export const MAX_ANSWER_BYTES = 5 * 1024 * 1024;

/** The header that goes to the service's own origin only. */
export function bearer(auth_token: Secret | undefined): Record<string, string> {
  return auth_token ? { authorization: `Bearer ${auth_token.reveal()}` } : {};
}

/**
 * Sends JSON and gives back what is answered.
 *
 * @throws `tool_failed`, `tool_bad_output`, `egress_*`, `response_too_large`
 */
export async function post(
  egress: Egress,
  { name, url, auth_token, timeout_ms }: JsonService,
  body: Json,
  { signal, idempotency_key }: { signal: AbortSignal; idempotency_key: string },
): Promise<Json> {
  const { origin } = new URL(url);
  const response = await egress.request(url, {
    method: "POST",
    headers: {
      accept: "application/json, text/plain;q=0.9",
      "content-type": "application/json",
      "idempotency-key": idempotency_key,
    },
    body: JSON.stringify(body),
    signal,
    timeout_ms,
    max_bytes: MAX_ANSWER_BYTES,
    secret_headers: { origin, headers: bearer(auth_token) },
    operator_origin: origin,
  });
  mustSucceed(name, response);
  return readBody(name, response);
}
