/** Logs and usage. @module */
export { createStreamLogger, type LogFields, type Logger } from "./log.ts";
export { addUsage, NO_USAGE, type Usage } from "./usage.ts";
