import type { Context } from "hono";
import type { AppEnv } from "./deps.ts";

/** The tenant on whose behalf a request is made: the one place where routes learn it. */
export function tenantOf(_c: Context<AppEnv>): string {
  return "default";
}
