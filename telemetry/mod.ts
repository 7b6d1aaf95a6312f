/** Logs and usage. @module */
export {
  createStreamLogger,
  type LogConfig,
  type LogFields,
  type Logger,
  type LogLevel,
} from "./log.ts";
export { addUsage, NO_USAGE, type Usage } from "./usage.ts";
