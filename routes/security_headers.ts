import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./deps.ts";

const DEFAULTS: [name: string, value: string][] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["cache-control", "no-store"],
];

/** Sets the headers that keep an API's answers inert; a route's own header of that name wins. */
export function securityHeaders(): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    if (c.res.status === 101) return;
    const { headers } = c.res;
    for (const [name, value] of DEFAULTS) if (!headers.has(name)) headers.set(name, value);
  };
}
