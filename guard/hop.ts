/** Which request is sent to each address on the way of redirects. @module */
import { OrchestratorError } from "../errors.ts";
import { version } from "../version.ts";
import type { Incoming, Outgoing } from "./exchange.ts";

/** What was asked for: the part of an `EgressRequest` that is read here. */
interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

/** Headers that are sent to one origin only. */
interface SecretHeaders {
  origin: string;
  headers: Record<string, string>;
}

/** One request on the way. */
export interface Hop extends Outgoing {
  /** False from the first address on that is not of the secrets' origin. */
  secrets: boolean;
}

/** Headers that belong to the connection, not to its users. */
const CONNECTION = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** Credentials of one origin. */
const CREDENTIALS = ["authorization", "cookie", "proxy-authorization"];
/** What describes a body that is not sent any more. */
const OF_BODY = ["content-type", "content-encoding", "content-language", "content-location"];
const REDIRECTS = [301, 302, 303, 307, 308];

/** The request as it was asked for. @throws `egress_denied`, `egress_failed` (malformed) */
export function firstHop(url: string, request: Asked): Hop {
  if (!URL.canParse(url)) throw malformed("its address is not a valid URL");
  const method = (request.method ?? "GET").toUpperCase();
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    const key = name.toLowerCase();
    if (!CONNECTION.has(key) && !key.startsWith("proxy-")) headers[key] = value;
  }
  return { url: new URL(url), method, headers, body: request.body, secrets: true };
}

/** Where a response leads on, as browsers do it; nothing when it is no redirect. */
export function nextHop(hop: Hop, { status, headers }: Incoming, left: number): Hop | undefined {
  const location = headers.get("location");
  if (!REDIRECTS.includes(status) || location === null) return undefined;
  if (left <= 0) throw malformed(`${hop.url.host} redirects too often`);
  if (!URL.canParse(location, hop.url)) {
    throw malformed(`${hop.url.host} redirects to an invalid URL`);
  }
  const url = new URL(location, hop.url);
  const away = url.origin !== hop.url.origin;
  const asGet = status === 303
    ? hop.method !== "HEAD"
    : hop.method === "POST" && (status === 301 || status === 302);
  return {
    url,
    method: asGet ? "GET" : hop.method,
    headers: without(hop.headers, [...(away ? CREDENTIALS : []), ...(asGet ? OF_BODY : [])]),
    body: asGet ? undefined : hop.body,
    secrets: hop.secrets && !away,
  };
}

/** The headers that are sent. */
export function headersOf(
  hop: Hop,
  secret: SecretHeaders | undefined,
  encodings: string,
): Record<string, string> {
  const headers: Record<string, string> = {
    "user-agent": `orchestrator/${version}`,
    accept: "*/*",
    ...hop.headers,
    "accept-encoding": encodings,
  };
  if (!secret || !hop.secrets || new URL(secret.origin).origin !== hop.url.origin) return headers;
  for (const [name, value] of Object.entries(secret.headers)) headers[name.toLowerCase()] = value;
  return headers;
}

function without(headers: Record<string, string>, names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

function malformed(why: string): OrchestratorError {
  return new OrchestratorError(
    "egress_failed",
    `Cannot send a request: ${why}. Check the address.`,
  );
}
