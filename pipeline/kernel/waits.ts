/**
 * Branches of one run that wait, and when the run can leave memory.
 *
 * Boundary: knows branches, steps and times. What a suspension writes is the run's business.
 *
 * Invariants
 * 1. A run leaves memory only while every branch is parked and no step runs, and never for less than
 *    {@linkcode KEEP_MS}.
 * 2. After the end no wait continues: its timers are cancelled, its promises never settle.
 *
 * @module
 */
import { type Clock, timestamp } from "./clock.ts";
import type { WaitingFor } from "./events.ts";
import type { Stop } from "./stop.ts";

/** What a branch waits for. */
export interface Awaited {
  step: string;
  signal?: string;
  /** In milliseconds since the epoch. */
  until?: number;
  /** The end of a pause. */
  gated?: boolean;
}

interface Parked extends Awaited {
  resolve: () => void;
}

/** What a run that leaves memory waits for, and when it resumes by itself. */
export interface Leave {
  waiting_for: WaitingFor[];
  due?: number;
}

/** Waits up to this long are sat out in memory. */
const KEEP_MS = 1_000;

/** Whoever decides what follows from a wait. */
export interface WaitsListener {
  /** Every branch waits: the run can leave memory. */
  leave(what: Leave): void;
  /** The run stays in memory, where other branches work or the time is short. */
  stay(): void;
}

/** What branches of one run wait for. */
export class Waits {
  /** Branches that do not wait for branches of their own. */
  branches = 1;
  /** Steps that run now. */
  running = 0;
  private readonly parked = new Set<Parked>();
  /** When groups have to end, whether the run is in memory or not. */
  private deadlines?: Map<string, number>;
  /** What calls off each timer. */
  private naps?: Set<AbortController>;
  private isLooking = false;
  private isOver = false;

  /** @param on called once the turn of the event loop is over in which a branch began to wait */
  constructor(private readonly clock: Clock, private readonly on: WaitsListener) {}

  /** Waits in memory until something wakes it. @throws why it was stopped */
  park(stop: Stop, what: Awaited): Promise<void> {
    if (stop.reason) return Promise.reject(stop.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const over = new AbortController();
    const parked: Parked = { ...what, resolve };
    const stopped = () => reject(stop.reason);
    stop.on(stopped);
    if (what.until !== undefined) {
      this.nap(what.until - this.clock.now(), over).then(resolve, () => {});
    }
    this.parked.add(parked);
    this.look();
    return promise.finally(() => {
      this.parked.delete(parked);
      stop.off(stopped);
      over.abort();
    });
  }

  /** Settles the waits for this. */
  wake(isFor: (what: Awaited) => boolean): void {
    for (const parked of [...this.parked]) if (isFor(parked)) parked.resolve();
  }

  /** Sleeps. Rejects when `over` aborts, and at the end. */
  nap(ms: number, over: AbortController): Promise<void> {
    const naps = this.naps ??= new Set();
    naps.add(over);
    return this.clock.sleep(Math.max(0, ms), over.signal).finally(() => naps.delete(over));
  }

  /** A group has to end by then. */
  setDeadline(key: string, at: number | undefined): void {
    const deadlines = this.deadlines ??= new Map();
    if (at === undefined) deadlines.delete(key);
    else deadlines.set(key, at);
  }

  /** Looks, once this turn is over, whether every branch waits (invariant 1). */
  look(): void {
    if (this.isLooking) return;
    this.isLooking = true;
    this.clock.afterTurn(() => {
      this.isLooking = false;
      if (this.isOver) return;
      const leave = this.leaving();
      if (leave) this.on.leave(leave);
      else this.on.stay();
    });
  }

  /** Nothing while the run stays in memory. */
  private leaving(): Leave | undefined {
    if (this.parked.size < this.branches || this.running > 0) return undefined;
    const times = [
      ...[...this.parked].map(({ until }) => until),
      ...this.deadlines?.values() ?? [],
    ];
    const due = Math.min(...times.map((time) => time ?? Infinity));
    if (due - this.clock.now() < KEEP_MS) return undefined;
    const waiting_for = [...this.parked].map(waitingFor);
    return { waiting_for, ...(due === Infinity ? {} : { due }) };
  }

  /** No wait settles any more. */
  end(): void {
    this.isOver = true;
    for (const nap of this.naps ?? []) nap.abort();
  }
}

function waitingFor({ step, signal, until }: Awaited): WaitingFor {
  return {
    step,
    ...(signal === undefined ? {} : { signal }),
    ...(until === undefined ? {} : { until: timestamp(until) }),
  };
}
