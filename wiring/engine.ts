/** The engine of a configuration. @module */
import type { Config } from "../config.ts";
import { createBudgetGate, keepsEvent } from "../pipeline/calls/mod.ts";
import { createEngine, type Engine, type FlightRecorder } from "../pipeline/kernel/mod.ts";
import { createRunLog } from "../service/mod.ts";
import type { Base } from "./ports.ts";
import { LEASE_MS } from "./store.ts";

/** Pause between two looks at the store for what no message announced. */
const SWEEP_MS = 2_000;

/** Makes the engine. It does nothing before it is opened. */
export function configuredEngine(
  { runs }: Config,
  { store, world, log, flight, onFenced }: Base & {
    flight?: FlightRecorder;
    onFenced?: () => void;
  },
): Engine {
  const { clock: { now }, newId } = world;
  return createEngine({
    store,
    flight,
    world,
    log,
    observer: createRunLog(log),
    keepsEvent,
    gate: createBudgetGate({ store, now, newId }),
    concurrency: runs.concurrency,
    queue_limit: runs.queue_limit,
    queue_total: runs.queue_total,
    idempotency_ttl_ms: runs.idempotency_ttl_ms,
    lease_ms: LEASE_MS,
    sweep_ms: SWEEP_MS,
    onFenced,
  });
}
