/**
 * A simulated world: virtual time, seeded chance and processes that can be killed or frozen.
 * Everything that happens does so in timers of one queue, so a seed gives the same history always.
 */
import { setImmediate } from "node:timers";
import type { Clock, World } from "../../pipeline/kernel/mod.ts";

interface Timer {
  at: number;
  order: number;
  process: SimProcess | undefined;
  fn: () => void;
}

/** Mulberry32: a small seeded generator. */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A process: what it waits for is lost when it is killed and late while it is frozen. */
export class SimProcess {
  dead = false;
  frozenUntil = 0;
  constructor(readonly name: string) {}
}

/** Owns time and chance. */
export class SimWorld {
  now = 1_700_000_000_000;
  readonly random: () => number;
  private timers: Timer[] = [];
  private order = 0;
  private ids = 0;

  constructor(readonly seed: number) {
    this.random = seeded(seed);
  }

  /** An integer in [from, to). */
  int(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from));
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.random() < p;
  }

  /** Calls `fn` after `ms` of virtual time; never when `process` is dead by then. */
  at(ms: number, process: SimProcess | undefined, fn: () => void): Timer {
    const timer = { at: this.now + Math.max(0, ms), order: this.order++, process, fn };
    this.timers.push(timer);
    return timer;
  }

  /** The kernel's view of the world from inside `process`. */
  of(process: SimProcess): World {
    const clock: Clock = {
      now: () => this.now,
      afterTurn: (fn) => void this.at(0, process, fn),
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason);
          const timer = this.at(ms, process, resolve);
          signal?.addEventListener("abort", () => {
            this.timers = this.timers.filter((t) => t !== timer);
            reject(signal.reason);
          }, { once: true });
        }),
    };
    const newId = () => (++this.ids).toString().padStart(8, "0");
    return { clock, random: this.random, newId };
  }

  /** Runs until `done` says so or virtual `ms` have passed. @returns whether it was done */
  async run(ms: number, done: () => boolean | Promise<boolean>): Promise<boolean> {
    const end = this.now + ms;
    while (true) {
      await settled();
      if (await done()) return true;
      const next = this.take(end);
      if (!next) return false;
      this.now = Math.max(this.now, next.at);
      const { process } = next;
      if (process?.dead) continue;
      if (process && process.frozenUntil > this.now) {
        this.timers.push({ ...next, at: process.frozenUntil });
      } else next.fn();
    }
  }

  private take(end: number): Timer | undefined {
    let best = 0;
    for (let i = 1; i < this.timers.length; i++) {
      const a = this.timers[i]!, b = this.timers[best]!;
      if (a.at < b.at || (a.at === b.at && a.order < b.order)) best = i;
    }
    const due = (this.timers[best]?.at ?? Infinity) <= end;
    return due ? this.timers.splice(best, 1)[0] : undefined;
  }
}

/** Lets every promise reaction that is ready run. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
