/**
 * Runs that were interrupted by a crash and have got nowhere since: one of them may have caused it.
 *
 * Boundary: decides when such a run may have control of the process, and notes who has it where the
 * next process finds it. Runs that were not interrupted are none of its business and cost nothing.
 *
 * Invariants
 * 1. While the code of a suspect has control, it alone is noted. A run that was noted at two crashes
 *    in a row is not tried again: a single one may have been a kill from outside that happened to hit
 *    its turn. Others are not to blame.
 * 2. A step that waits, for a network or for time, has no control: suspects wait side by side.
 * 3. If crashes continue and no run was noted, fewer and fewer suspects are driven at once, in the
 *    end one alone, which is noted all the time.
 *
 * @module
 */
import type { ActiveRun } from "./active_run.ts";
import type { Clock } from "./clock.ts";
import { isTerminal } from "./events.ts";
import type { RunListener } from "./runs.ts";

/** Remembers beyond the end of a process which run had control of it. */
export interface FlightRecorder {
  /** Has to be quick: it is called twice for a step of a suspect. */
  note(run: string | undefined): void;
  /** The run that a worker noted last. */
  lastOf(worker: string): string | undefined;
}

/** Crashes without progress after which fewer suspects are driven at once. */
const CROWDED_AFTER = 6;
/** How many are, for the first such crash; then an eighth each time. */
const CROWD = 64;

/** Crashes without progress at which a run had control, after which it is not tried again. */
const SUSPICIONS = 2;

/** True for a run that has ended its process, as far as can be known. */
export function isToBlame({ suspicions }: { suspicions: number }): boolean {
  return suspicions >= SUSPICIONS;
}

/** Gives suspects their turns. */
export class Suspects {
  /** Runs that are about to have control. */
  private readonly turns: { run: ActiveRun; begin: () => void }[] = [];
  private isTurning = false;
  /** Runs that wait until fewer are driven. */
  private readonly line: { run: ActiveRun; drive: () => void }[] = [];
  /** Runs of {@linkcode crowdOf} that are driven. */
  private readonly driven = new Set<ActiveRun>();
  /** The only one of them, which is to blame for whatever happens. */
  private alone?: ActiveRun;

  constructor(private readonly flight: FlightRecorder, private readonly clock: Clock) {}

  get waiting(): number {
    return this.line.length;
  }

  /** Calls `drive` once the run may be driven, now or later. */
  admit(run: ActiveRun, drive: () => void): void {
    run.beforeControl = () => this.turn(run);
    const over = () => {
      run.feed.leave(watch);
      this.clear(run);
    };
    const watch: RunListener = Object.assign((event: { type: string }) => {
      if (isProgress(event)) over();
    }, { journal_only: true as const });
    run.feed.join(watch, over);
    this.line.push({ run, drive });
    this.next();
  }

  /** True when the run was waiting to be driven. */
  remove(run: ActiveRun): boolean {
    const at = this.line.findIndex((one) => one.run === run);
    if (at >= 0) this.line.splice(at, 1);
    return at >= 0;
  }

  /** Drives no more of them. */
  close(): void {
    this.line.length = 0;
  }

  /** Resolves when the run has control; it is noted until this turn of the event loop is over. */
  private turn(run: ActiveRun): Promise<void> {
    return new Promise((begin) => {
      this.turns.push({ run, begin });
      if (this.isTurning) return;
      this.isTurning = true;
      this.clock.afterTurn(() => this.nextTurn());
    });
  }

  private nextTurn(): void {
    const next = this.turns.shift();
    this.flight.note((next?.run ?? this.alone)?.name);
    this.isTurning = next !== undefined;
    if (!next) return;
    this.clock.afterTurn(() => this.nextTurn());
    next.begin();
  }

  private next(): void {
    for (let first = this.line[0]; first; first = this.line[0]) {
      const { run, drive } = first;
      const crowd = crowdOf(run);
      if (this.alone || this.driven.size >= crowd) return;
      this.line.shift();
      if (crowd < Infinity) this.driven.add(run);
      if (crowd === 1) this.flight.note((this.alone = run).name);
      drive();
    }
  }

  /** The run has got somewhere, or has left this process. */
  private clear(run: ActiveRun): void {
    run.beforeControl = undefined;
    this.remove(run);
    this.driven.delete(run);
    if (this.alone === run) this.flight.note(this.alone = undefined);
    this.next();
  }
}

/** With how many others a run may be driven, itself included. */
function crowdOf({ history: { crashes } }: ActiveRun): number {
  if (crashes < CROWDED_AFTER) return Infinity;
  return Math.max(1, Math.floor(CROWD / 8 ** (crashes - CROWDED_AFTER)));
}

/** As `history.ts` counts it. */
function isProgress(event: { type: string }): boolean {
  const { type } = event;
  return type === "step.completed" || type === "step.failed" || type === "run.waiting" ||
    isTerminal(event);
}
