/** Who acts, and the one way out: which addresses may be reached, and how. @module */
export { actingFor, type Caller, type CallerRecord, type Grant, localCaller } from "./caller.ts";
export { createEgress, type Egress, type EgressResponse } from "./egress.ts";
export { durationMs, retryAfterMs } from "./retry_after.ts";
