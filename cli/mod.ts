/** The commands of the executable. @module */
export { addCheck, type CheckDeps, type CheckLine } from "./check.ts";
export type { CommandIo } from "./io.ts";
export { addNewAgent } from "./new_agent.ts";
export { addRun, type RunDeps } from "./run.ts";
export { addServe, serve, type ServeDeps } from "./serve.ts";
