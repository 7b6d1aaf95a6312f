/**
 * Time, ids and chance as the kernel gets them, so that a simulation can own all three.
 *
 * @module
 */
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { monotonicFactory } from "ulid";

/** Time. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fn` once everything that is ready in this turn of the event loop has run. */
  afterTurn(fn: () => void): void;
}

/** What differs between a real process and a simulated one. */
export interface World {
  clock: Clock;
  /** A number in [0, 1). */
  random: () => number;
  /** A new id that sorts after the ones before it. */
  newId: () => string;
}

/** Timers fire at once past this delay. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

let lastMs = NaN;
let lastText = "";

/** RFC 3339 UTC. Events of one millisecond are many, and `toISOString` is slow: it is kept. */
export function timestamp(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms;
    lastText = new Date(ms).toISOString();
  }
  return lastText;
}

/**
 * The real world.
 *
 * @param after ids are made as if it were this time at least, in milliseconds since the epoch, also
 *   while the clock is behind it
 */
export function realWorld(after = 0): World {
  const ulid = monotonicFactory(secureRandom());
  const { now } = systemClock;
  const newId = () => ulid(Math.max(now(), after)).toLowerCase();
  return { clock: systemClock, random: Math.random, newId };
}

/** Bytes that are drawn at once: an id takes 16. */
const DRAW = 1024;

/**
 * Chance from the system's secure source, in steps of 1/256 from 0 up to 1. Drawn in advance: asking
 * for a byte costs as much as for a thousand.
 */
export function secureRandom(): () => number {
  const bytes = new Uint8Array(DRAW);
  let used = DRAW;
  return () => {
    if (used === DRAW) {
      crypto.getRandomValues(bytes);
      used = 0;
    }
    return bytes[used++]! / 256;
  };
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  afterTurn: (fn) => void setImmediate(fn),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        clearTimeout(timer);
        reject(signal!.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, Math.min(ms, LONGEST_TIMER_MS));
      signal?.addEventListener("abort", stop, { once: true });
    });
  },
};
