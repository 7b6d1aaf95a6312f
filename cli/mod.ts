/** Commands of the executable that need no running service. @module */
export { addCheck, type CheckDeps, type CheckLine } from "./check.ts";
export type { CommandIo } from "./io.ts";
export { addNewAgent } from "./new_agent.ts";
