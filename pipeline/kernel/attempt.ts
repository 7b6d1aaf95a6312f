/** One attempt at a step, ended by its own end, a stop or a time limit. @module */
import { OrchestratorError } from "../../errors.ts";
import type { ActiveRun } from "./active_run.ts";
import type { StepScope } from "./context.ts";
import type { Stop } from "./stop.ts";

/** A step's function. */
export type StepFunction<T> = (scope: StepScope) => T | Promise<T>;

/** Which attempt. */
export interface AttemptOptions {
  key: string;
  /** 1 for the first. */
  attempt: number;
  timeout_ms?: number;
}

/**
 * Runs `fn` until it settles, `stop` stops or the time is over; in the last two cases its signal
 * aborts, and it is not waited for.
 *
 * @throws what `fn` throws; why it was stopped; `step_timeout` (retryable)
 */
export function attempt<T>(
  run: ActiveRun,
  stop: Stop,
  fn: StepFunction<T>,
  options: AttemptOptions,
): T | Promise<T> {
  if (options.timeout_ms !== undefined) return limited(run, stop, fn, options);
  const result = fn(new Scope(run, stop, options.key, options.attempt));
  return result instanceof Promise ? stop.race(result) : result;
}

async function limited<T>(
  run: ActiveRun,
  stop: Stop,
  fn: StepFunction<T>,
  { timeout_ms, ...options }: AttemptOptions,
): Promise<T> {
  const { inner, leave } = stop.fork();
  const over = new AbortController();
  run.world.clock.sleep(timeout_ms!, over.signal).then(
    () => inner.stop(timedOut(options.key, timeout_ms!)),
    () => {},
  );
  try {
    return await attempt(run, inner, fn, options);
  } finally {
    leave();
    over.abort(SETTLED);
  }
}

/** Ends a sleep that no step waits for. Without a reason the platform makes an error with a stack. */
const SETTLED = "settled";

/** What a step's function gets. Its parts are made when they are asked for. */
class Scope implements StepScope {
  constructor(
    private readonly run: ActiveRun,
    private readonly stop: Stop,
    readonly key: string,
    readonly attempt: number,
  ) {}

  get idempotency_key(): string {
    return `${this.run.info.id}/${this.key}`;
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  get delta(): (text: string) => void {
    return (text) => {
      if (!this.isStopped) this.run.feed.delta(this.key, text);
    };
  }

  get reset(): () => void {
    return () => {
      if (!this.isStopped) this.run.feed.reset(this.key);
    };
  }

  /** What it still streams then would be mixed into the text of the next attempt. */
  private get isStopped(): boolean {
    return this.stop.reason !== undefined;
  }
}

/** The error of a step that took too long. */
export function timedOut(step: string, ms: number): OrchestratorError {
  return new OrchestratorError(
    "step_timeout",
    `Step ${step} took longer than ${ms / 1000} s. Raise timeout_seconds, or do less in it.`,
    { kind: "retryable" },
  );
}
