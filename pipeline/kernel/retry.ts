/** When a failed step is tried again. @module */
import type { OrchestratorError } from "../../errors.ts";
import type { RetryPolicy } from "./context.ts";

/** What a step without its own policy gets. */
export const DEFAULT_RETRY: RetryPolicy = Object.freeze({
  max_attempts: 3,
  interval_ms: 500,
  backoff_rate: 2,
  max_delay_ms: 60_000,
  jitter: "full",
});

/** The policies of a step, in the order in which they are matched. */
export type Retry = Partial<RetryPolicy> | Partial<RetryPolicy>[];

/**
 * The policy for an error: the first that names its code or `all`; one that names none is for errors
 * of kind `retryable`.
 */
export function retryPolicy(retry: Retry | undefined, error: OrchestratorError) {
  if (error.kind === "cancelled") return undefined;
  const policies = retry === undefined ? [DEFAULT_RETRY] : Array.isArray(retry) ? retry : [retry];
  const policy = policies.find(({ errors }) =>
    errors ? errors.includes(error.code) || errors.includes("all") : error.kind === "retryable"
  );
  return policy && { ...DEFAULT_RETRY, ...policy };
}

/**
 * The delay before the next attempt, in milliseconds, or `undefined` if there is no next attempt.
 *
 * Exponential backoff; "full" jitter draws from [0, pause) as in Marc Brooker, "Exponential Backoff
 * And Jitter" (AWS Architecture Blog, 2015). A `retry_after_ms` of the error is a lower bound. A
 * longer one than the policy's longest pause is not waited for: the error tells the client the time.
 *
 * @param attempt the attempt that failed, 1 for the first
 */
export function retryDelay(
  retry: Retry | undefined,
  attempt: number,
  error: OrchestratorError,
  random: () => number,
): number | undefined {
  const policy = retryPolicy(retry, error);
  if (!policy || attempt >= policy.max_attempts) return undefined;
  const asked = error.retry_after_ms ?? 0;
  if (!(asked <= policy.max_delay_ms)) return undefined;
  const pause = policy.interval_ms * policy.backoff_rate ** (attempt - 1);
  const capped = Math.min(pause, policy.max_delay_ms);
  const jittered = policy.jitter === "full" ? capped * random() : capped;
  return Math.round(Math.max(jittered, asked));
}
