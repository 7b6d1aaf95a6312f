import type { Context } from "hono";
import type { Caller } from "../guard/mod.ts";
import type { AppEnv } from "./deps.ts";
import { badHeader } from "./headers.ts";

/** The tenant on whose behalf a request is made: the one place where routes learn it. */
export function tenantOf(_c: Context<AppEnv>): string {
  return "default";
}

/**
 * Who acts: what the `X-User` header says, or `local`.
 *
 * @throws `invalid_request` unless it is 1 to 128 characters of printable ASCII
 */
export function actorOf(c: Context<AppEnv>): string {
  const name = c.req.raw.headers.get("x-user");
  if (name === null) return "local";
  if (/^[\x20-\x7e]{1,128}$/.test(name)) return name;
  throw badHeader("X-User", "must be 1 to 128 printable ASCII characters");
}

/** Both of the above. */
export function callerOf(c: Context<AppEnv>): Caller {
  return { tenant: tenantOf(c), actor: actorOf(c) };
}
