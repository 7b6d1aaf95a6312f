import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./deps.ts";

/** Ids from outside end up in logs and headers: nothing else than these characters may. */
const SANE_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

/** Takes a sane `X-Request-Id` or makes one, and always answers with it. */
export function requestId(newId: (prefix: string) => string): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const given = c.req.raw.headers.get("x-request-id");
    const id = given !== null && SANE_ID.test(given) ? given : newId("req");
    c.set("request_id", id);
    await next();
    // A WebSocket's 101 answer belongs to the runtime.
    if (c.res.status !== 101) c.res.headers.set("x-request-id", id);
  };
}
