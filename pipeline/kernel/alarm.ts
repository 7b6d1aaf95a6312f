/**
 * When the next waiting run is due. Holds one number however many runs wait: the rest is in the
 * store, ordered by time.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/** Wakes its owner at the earliest time that was set. */
export class Alarm {
  private next = Infinity;
  private nap = new AbortController();

  constructor(private readonly clock: Clock) {}

  /** There is something to do at `at`, in milliseconds since the epoch. */
  set(at: number): void {
    if (at >= this.next) return;
    this.next = at;
    this.nap.abort();
  }

  /** Resolves when the earliest time has come, or when `signal` aborts. */
  async ring(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.clock.now() < this.next) {
      this.nap = new AbortController();
      const until = AbortSignal.any([signal, this.nap.signal]);
      const ms = Math.min(this.next - this.clock.now(), LONGEST_NAP_MS);
      await this.clock.sleep(ms, until).catch(() => {});
    }
    this.next = Infinity;
  }
}

/** A clock that is set forward must not leave us asleep for long. */
const LONGEST_NAP_MS = 60_000;
