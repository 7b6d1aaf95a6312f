/**
 * A circuit breaker for one service that others run: after a few failures in a row calls fail at
 * once for a while, then a single one finds out whether the service is back.
 *
 * @module
 */
import { BrokenCircuitError, circuitBreaker, ConsecutiveBreaker, handleWhen } from "cockatiel";
import { OrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";

/** How a service of others is doing, as far as calls of it have shown. */
export interface ServiceHealth {
  /** `mcp:github`, `agent:partner`, `datasource`. */
  name: string;
  /** `ok`: the last call got through. `failing`: it failed. `open`: calls are
   * not tried now. `unknown`: none was made. */
  status: "ok" | "failing" | "open" | "unknown";
  /** Why the last failed call failed. */
  last_error?: string;
  /** Of the last call that got through. */
  latency_ms?: number;
}

/** What a breaker needs. */
export interface BreakerOptions {
  /** For errors and health. */
  name: string;
  /** Failures in a row that open it; default 5. */
  failures?: number;
  /** How long it stays open, in milliseconds; default 30,000. */
  open_ms?: number;
}

/** Guards the calls of one service. */
export interface Breaker {
  /** True while calls are refused. */
  readonly isOpen: boolean;
  /**
   * Makes a call. Failures that count are retryable ones: what is terminal was answered.
   *
   * @throws `circuit_open` (retryable, with the time to wait), and what `call` throws
   */
  run<T>(call: () => Promise<T>): Promise<T>;
  health(): ServiceHealth;
}

/** Breakers of one service, one for each tenant: what fails for one must not stop another. */
export interface Breakers {
  of(caller: Caller): Breaker;
}

/** How many tenants are tracked; beyond that, the least recent callers start afresh. */
const MAX_TENANTS = 1_000;

/** Makes breakers. */
export function createBreakers(options: BreakerOptions): Breakers {
  const breakers = new Map<string, Breaker>();
  return {
    of({ tenant }) {
      const breaker = breakers.get(tenant) ?? createBreaker(options);
      breakers.delete(tenant);
      breakers.set(tenant, breaker);
      if (breakers.size > MAX_TENANTS) breakers.delete(breakers.keys().next().value!);
      return breaker;
    },
  };
}

/** Makes a breaker. It uses `Date.now`, as its library does. */
export function createBreaker({ name, failures = 5, open_ms = 30_000 }: BreakerOptions): Breaker {
  const policy = circuitBreaker(handleWhen(isFailure), {
    halfOpenAfter: open_ms,
    breaker: new ConsecutiveBreaker(failures),
  });
  let opened_at = -Infinity;
  policy.onBreak(() => opened_at = Date.now());
  const health: ServiceHealth = { name, status: "unknown" };
  const rest = () => Math.max(0, opened_at + open_ms - Date.now());
  const timed = async <T>(call: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    try {
      const answer = await call();
      health.latency_ms = Math.round(performance.now() - began);
      health.status = "ok";
      return answer;
    } catch (error) {
      if (isFailure(error)) {
        health.status = "failing";
        health.last_error = messageOf(error);
      }
      throw error;
    }
  };
  return {
    get isOpen() {
      return rest() > 0;
    },
    async run(call) {
      try {
        return await policy.execute(() => timed(call));
      } catch (error) {
        if (error instanceof BrokenCircuitError) throw open(health, rest());
        throw error;
      }
    },
    health: () => ({ ...health, ...(rest() > 0 ? { status: "open" as const } : {}) }),
  };
}

/** A caller that stopped says nothing about the service; neither does an answer that refuses. */
function isFailure(error: unknown): boolean {
  if (error instanceof OrchestratorError) return error.kind === "retryable";
  return !(error instanceof DOMException && error.name === "AbortError");
}

function open({ name, last_error }: ServiceHealth, retry_after_ms: number): OrchestratorError {
  return new OrchestratorError(
    "circuit_open",
    `Cannot call ${name}: its recent calls failed, so calls are suspended for ${
      Math.ceil(retry_after_ms / 1000)
    } s. Retry then, or fix the service. The last failure: ${last_error}`,
    { kind: "retryable", retry_after_ms },
  );
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500);
}
