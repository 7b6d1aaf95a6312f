/**
 * Services outside that pipelines may call by name. Where a service is comes from the operator's
 * configuration only: a pipeline document cannot name an address.
 *
 * @module
 */
import { OrchestratorError, sentence } from "../../errors.ts";
import { retryAfterMs } from "../../guard/mod.ts";
import type { Json, RunInfo, StepScope } from "../kernel/mod.ts";

/** The most that is read of a response, in bytes. */
export const MAX_RESPONSE_BYTES = 5 * 1024 * 1024;
/** The most of a failure's body that its error shows. */
const MAX_DETAIL_CHARS = 500;

/** A service at an address, or a part of this program in its place. */
export type Service =
  | {
    url: string;
    /** For one call, unless the node says otherwise. */
    timeout_ms: number;
  }
  | {
    /** Answers every user alike: `call` nodes share their cached outputs. */
    embedded(path: string, body: Json, scope: StepScope, run: RunInfo): Json | Promise<Json>;
    /** What code that it is sent runs in; see `notebook/environment.ts`. */
    environment?: { has_packages: boolean; description: string };
  };

/** The services there are, by name. */
export type Services = Record<string, Service>;

/** One call. */
export interface ServiceRequest {
  method: string;
  /** Begins with `/`; goes after the service's address. */
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** Sent as JSON; absent: no body. */
  body?: Json;
}

/** Sends requests; `globalThis.fetch` outside of tests. */
export type Fetch = (url: URL, init: RequestInit) => Promise<Response>;

/**
 * Calls a service once.
 *
 * @returns the response: JSON where it says that it is, else text; `null` when it is empty
 * @throws `call_failed`, retryable when the connection broke and for 408, 425, 429 and 5xx; what
 *   aborted the scope's signal
 */
export async function callService(
  name: string,
  service: Service,
  request: ServiceRequest,
  scope: StepScope,
  run: RunInfo,
  fetch: Fetch = globalThis.fetch,
): Promise<Json> {
  if ("embedded" in service) {
    return await service.embedded(request.path, request.body ?? null, scope, run);
  }
  const url = address(name, service.url, request);
  try {
    const response = await fetch(url, init(request, scope));
    const text = await readText(name, response);
    if (!response.ok) throw refused(name, response, text);
    return parse(name, response, text);
  } catch (error) {
    scope.signal.throwIfAborted();
    if (error instanceof OrchestratorError) throw error;
    throw failed(name, `the connection broke (${reason(error)})`, "retryable", { cause: error });
  }
}

/** The full address. @throws `call_failed` when the path leads out of the service's address */
function address(name: string, base: string, { path, query = {} }: ServiceRequest): URL {
  const root = new URL(`${base.replace(/\/+$/, "")}/`);
  if (/^\/[^?#]*$/.test(path)) {
    const url = new URL(`${root.href.slice(0, -1)}${path}`);
    if (url.origin === root.origin && url.pathname.startsWith(root.pathname)) {
      for (const [key, value] of Object.entries(query)) url.searchParams.append(key, value);
      return url;
    }
  }
  const why = `the path ${JSON.stringify(path)} is outside the service's address`;
  throw failed(name, `${why}. Start it with /, without .., ? and #, and put parameters into query`);
}

function init({ method, headers, body }: ServiceRequest, scope: StepScope): RequestInit {
  const { signal, idempotency_key } = scope;
  return {
    method,
    signal,
    // An address that the operator did not configure is not followed.
    redirect: "manual",
    headers: {
      accept: "application/json, text/plain;q=0.9, */*;q=0.1",
      ...headers,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      "idempotency-key": idempotency_key,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
}

async function readText(name: string, response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_RESPONSE_BYTES) {
      throw failed(name, `its response is larger than ${MAX_RESPONSE_BYTES} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parse(name: string, { headers }: Response, text: string): Json {
  if (text === "") return null;
  if (!/^application\/(?:[\w.+-]+\+)?json\b/i.test(headers.get("content-type") ?? "")) return text;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failed(name, "the type of its response is JSON, but the body is not", "terminal", {
      cause,
    });
  }
}

const RETRYABLE = new Set([408, 425, 429]);

function refused(name: string, { status, headers }: Response, text: string): OrchestratorError {
  const kind = status >= 500 || RETRYABLE.has(status) ? "retryable" : "terminal";
  const retry_after_ms = retryAfterMs(headers);
  const why = status < 400
    ? `it redirects (${status}); configure the address that it redirects to`
    : `it answered ${status}`;
  return failed(name, why, kind, {
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
    details: { service: name, status, ...(text ? { body: text.slice(0, MAX_DETAIL_CHARS) } : {}) },
  });
}

/** The code of a failed connection says more than its message, which may hold addresses. */
function reason(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return String(code ?? name ?? "unknown error");
}

/** A failed call of a service. */
export function failed(
  service: string,
  why: string,
  kind: "terminal" | "retryable" = "terminal",
  options: ConstructorParameters<typeof OrchestratorError>[2] = {},
): OrchestratorError {
  return new OrchestratorError(
    "call_failed",
    `Cannot call the service ${service}: ${sentence(why)}`,
    { kind, details: { service }, ...options },
  );
}
