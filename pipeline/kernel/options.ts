import type { KeepsEvent } from "./restart.ts";
import type { BudgetGate } from "./spending.ts";
import type { RunnerOptions } from "./runner.ts";
import type { FlightRecorder } from "./suspects.ts";

/** What an engine needs. */
export interface EngineOptions extends Omit<RunnerOptions, "slots" | "flight"> {
  /** Without it runs that end their process are found by crashing more often. */
  flight?: FlightRecorder;
  /** Runs of one tenant that may wait for a slot; more are refused. */
  queue_limit: number;
  /** Runs of all tenants together that may wait for a slot; without it: `queue_limit`. */
  queue_total?: number;
  idempotency_ttl_ms: number;
  /** A worker that showed no life for this long is dead. */
  lease_ms: number;
  /** Pause between two sweeps. */
  sweep_ms: number;
  /** Called once when another worker has taken over from this one. */
  onFenced?: () => void;
  /** Which events of its function a run keeps that is restarted from a step on. Default: none. */
  keepsEvent?: KeepsEvent;
  /** Asks for more when a run has spent its budget. Without it such a run fails. */
  gate?: BudgetGate;
}
