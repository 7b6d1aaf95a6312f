/** A `fetch` for SDKs of others' services: it goes out through the guard. @module */
import type { Egress } from "../guard/mod.ts";

/** Where a service is and how it is talked to. */
export interface ServiceAddress {
  /** Configured by the operator: its origin may be a private one. */
  url: string;
  /** Sent to the origin of `url` and to no other. Called for each request. */
  secret_headers: () => Record<string, string>;
  /** Of each answer. */
  max_bytes: number;
  /** Until an answer's headers. */
  timeout_ms: number;
}

/** The part of `fetch` that SDKs use: text bodies, no redirects. */
export type GuardedFetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** Makes a `fetch`. @throws as `Egress.fetch` */
export function guardedFetch(egress: Egress, address: ServiceAddress): GuardedFetch {
  const { origin } = new URL(address.url);
  return (url, init = {}) =>
    egress.fetch(String(url), {
      method: init.method ?? "GET",
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(typeof init.body === "string" ? { body: init.body } : {}),
      signal: init.signal ?? new AbortController().signal,
      timeout_ms: address.timeout_ms,
      max_bytes: address.max_bytes,
      secret_headers: { origin, headers: address.secret_headers() },
      operator_origin: origin,
    });
}
