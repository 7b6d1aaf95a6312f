import type { MiddlewareHandler } from "hono";
import type { AppEnv, Log } from "./deps.ts";

const QUIET = new Set(["/health", "/livez", "/readyz"]);

/**
 * One line per request, when its headers are ready to go: for a stream that is its beginning.
 * Probes are not logged, and neither are query strings or headers: they may hold secrets.
 */
export function accessLog(log: Log, now: () => number): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const began = now();
    await next();
    if (QUIET.has(c.req.path)) return;
    log.info("request", {
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      ms: Math.round((now() - began) * 1000) / 1000,
      request_id: c.get("request_id"),
    });
  };
}
