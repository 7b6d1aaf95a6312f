/** Durable execution: runs, steps, journal, claims. Knows no agent and no HTTP. @module */
export { createEngine, type EngineOptions } from "./engine.ts";
export type { KernelLog, Programs } from "./runner.ts";
export type { Clock, World } from "./clock.ts";
export { realWorld, systemClock } from "./clock.ts";
export type {
  Effect,
  RetryPolicy,
  RunContext,
  RunFunction,
  RunInfo,
  StepOptions,
  StepScope,
} from "./context.ts";
export {
  type EventBody,
  isTerminal,
  type JournalEvent,
  type Json,
  type LiveEvent,
  type RunEvent,
} from "./events.ts";
export type {
  Engine,
  EngineStats,
  RunListener,
  RunPage,
  RunRecord,
  RunResult,
  RunStatus,
  StartedRun,
  StartRequest,
} from "./runs.ts";
