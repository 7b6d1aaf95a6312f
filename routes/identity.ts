import type { Context } from "hono";
import { type Caller, localCaller } from "../guard/mod.ts";
import type { AppEnv } from "./deps.ts";
import { badHeader } from "./headers.ts";

/**
 * Until there is authentication: the local caller, under the name that the `X-User` header gives.
 *
 * @throws `invalid_request` unless that is 1 to 128 characters of printable ASCII
 */
export function identifyLocal({ headers }: Request): Caller {
  const name = headers.get("x-user");
  if (name === null) return localCaller();
  if (/^[\x20-\x7e]{1,128}$/.test(name)) return localCaller(name);
  throw badHeader("X-User", "must be 1 to 128 printable ASCII characters");
}

/** Who sent the request: the one place where routes learn it. */
export function callerOf(c: Context<AppEnv>): Caller {
  return c.env.identify(c.req.raw);
}
