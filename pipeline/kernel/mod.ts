/** Durable execution: runs, steps, journal, claims. Knows no agent and no HTTP. @module */
export { childId, isChildSignal } from "./child.ts";
export { type Clock, realWorld, systemClock, type World } from "./clock.ts";
export type {
  AllOptions,
  ChildRequest,
  Effect,
  EmitOptions,
  GroupOptions,
  RetryPolicy,
  RunContext,
  RunFunction,
  RunInfo,
  RunResult,
  StepOptions,
  StepScope,
  WaitOptions,
  WaitOutcome,
} from "./context.ts";
export { createEngine } from "./engine.ts";
export {
  type Budget,
  type EventBody,
  isTerminal,
  type JournalEvent,
  type Json,
  type LiveEvent,
  type RunEvent,
  type WaitingFor,
} from "./events.ts";
export type { EngineOptions } from "./options.ts";
export type { FlightRecorder } from "./suspects.ts";
export {
  createRetention,
  type Leftovers,
  type Retention,
  type RetentionOptions,
} from "./retention.ts";
export { retryDelay } from "./retry.ts";
export type { KernelLog, RunObserver } from "./runner.ts";
export type {
  Concurrency,
  Engine,
  EngineStats,
  Programs,
  RestartRequest,
  RunBudget,
  RunListener,
  RunPage,
  RunRecord,
  RunStatus,
  StartedRun,
  StartRequest,
} from "./runs.ts";
export type { BudgetGate, Exceeded } from "./spending.ts";
