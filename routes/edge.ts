import type { MiddlewareHandler } from "hono";
import type { AppDeps, AppEnv } from "./deps.ts";

/** Ids from outside end up in logs and headers: nothing else than these characters may. */
const SANE_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

/** They keep an API's answers inert; a route's own header of that name wins. */
const DEFAULTS: [name: string, value: string][] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["cache-control", "no-store"],
];

/** Probes are not logged. */
const QUIET = new Set(["/health", "/livez", "/readyz"]);

/**
 * What goes around every request, in one layer because each costs every request a promise:
 *
 * - It takes a sane `X-Request-Id` or makes one, and always answers with it.
 * - Its answer gets the security headers that it does not have.
 * - The log gets a line when its headers are ready to go: for a stream that is its beginning. Neither
 *   query strings nor headers are logged: they may hold secrets.
 */
export function edge({ log, newId, now, identify }: AppDeps): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const began = now();
    const given = c.req.raw.headers.get("x-request-id");
    const request_id = given !== null && SANE_ID.test(given) ? given : newId("req");
    c.set("request_id", request_id);
    c.set("identify", identify);
    await next();
    const { status, headers } = c.res;
    // A WebSocket's 101 answer belongs to the runtime.
    if (status !== 101) complete(headers, request_id);
    const { method, path } = c.req;
    if (QUIET.has(path)) return;
    const ms = Math.round((now() - began) * 1000) / 1000;
    log.info("request", { method, path, status, ms, request_id });
  };
}

function complete(headers: Headers, request_id: string): void {
  for (const [name, value] of DEFAULTS) if (!headers.has(name)) headers.set(name, value);
  headers.set("x-request-id", request_id);
}
