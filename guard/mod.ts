/** The one way out: which addresses may be reached, and how. @module */
export type { Caller } from "./caller.ts";
export { createEgress, type Egress, type EgressResponse } from "./egress.ts";
export { durationMs, retryAfterMs } from "./retry_after.ts";
