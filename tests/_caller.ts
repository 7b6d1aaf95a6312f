/** Callers for tests. Only authentication makes others than the local one, and tests. */
import { Caller, type Grant, localCaller } from "../guard/caller.ts";

/** The caller of a service without authentication. */
export const LOCAL: Caller = localCaller();

/** Someone of a tenant, with these grants and no others. */
export function callerOf(tenant: string, actor = "ann", ...grants: Grant[]): Caller {
  return new Caller(tenant, actor, grants);
}
