/** What can be stopped by itself: a branch of a run, an attempt at a step. @module */
import type { OrchestratorError } from "../../errors.ts";

/** Stops once, for one reason. An `AbortSignal` is made when one is asked for: most never are. */
export class Stop {
  /** Why it was stopped. */
  reason?: OrchestratorError;
  private controller?: AbortController;
  private listeners?: Set<() => void>;

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.reason) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  stop(reason: OrchestratorError): void {
    if (this.reason) return;
    this.reason = reason;
    this.controller?.abort(reason);
    for (const fn of this.listeners ?? []) fn();
  }

  /** @throws why it was stopped */
  check(): void {
    if (this.reason) throw this.reason;
  }

  /** Calls `fn` when it is stopped. */
  on(fn: () => void): void {
    (this.listeners ??= new Set()).add(fn);
  }

  off(fn: () => void): void {
    this.listeners?.delete(fn);
  }

  /** One inside this one: what stops this one stops it, too. @returns it, with what ends that */
  fork(): { inner: Stop; leave: () => void } {
    const inner = new Stop();
    if (this.reason) inner.stop(this.reason);
    const stop = () => inner.stop(this.reason!);
    this.on(stop);
    return { inner, leave: () => this.off(stop) };
  }

  /** Settles as `result` does, or rejects when this is stopped first. */
  race<T>(result: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = () => reject(this.reason);
      this.on(stop);
      result.then(
        (value) => (this.off(stop), resolve(value)),
        (error) => (this.off(stop), reject(error)),
      );
    });
  }
}
