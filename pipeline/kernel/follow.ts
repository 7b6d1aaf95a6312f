/**
 * Replays a run's journal to a listener, then follows it live, wherever the run goes: into memory,
 * out of it, to another process.
 *
 * @module
 */
import type { ActiveRun } from "./active_run.ts";
import type { Clock } from "./clock.ts";
import { isTerminal, type JournalEvent, type RunEvent } from "./events.ts";
import type { Reader } from "./reader.ts";
import type { RunListener } from "./runs.ts";

/** How often a run that this process does not hold is looked at. */
const POLL_MS = 1_000;

/** What following needs. */
export interface FollowDeps {
  /** The run, while this process holds it. */
  active: () => ActiveRun | undefined;
  /** Calls `fn` once this process holds the run. @returns what calls that off */
  onArrival: (fn: () => void) => () => void;
  reader: Reader;
  clock: Clock;
}

/** Which run to follow, and from where. */
export interface FollowRequest {
  tenant: string;
  id: string;
  after?: number;
  signal: AbortSignal;
}

/** See `Engine.follow`. */
export async function follow(
  request: FollowRequest,
  listener: RunListener,
  deps: FollowDeps,
): Promise<void> {
  const { tenant, id, signal } = request;
  const { reader } = deps;
  const cursor = new Cursor(request.after ?? 0, listener);
  while (!signal.aborted) {
    const nap = new AbortController();
    const leave = deps.onArrival(() => nap.abort());
    const run = deps.active();
    if (run) {
      leave();
      if (await followActive(run, cursor, request, reader)) return;
      continue;
    }
    try {
      const record = await reader.mustRun(tenant, id);
      const events = await reader.journal(tenant, id, cursor.seq);
      if (cursor.replay(events) || cursor.seq >= (record.last_seq ?? Infinity)) return;
      await deps.clock.sleep(POLL_MS, AbortSignal.any([signal, nap.signal])).catch(() => {});
    } finally {
      leave();
    }
  }
}

/**
 * Events that happen while the journal is read are held back, so that none is lost or doubled.
 *
 * @returns whether there is nothing more to come; `false` when the run has left this process
 */
async function followActive(
  { feed }: ActiveRun,
  cursor: Cursor,
  { tenant, id, signal }: FollowRequest,
  reader: Reader,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const missed: JournalEvent[] = [];
  let over = false;
  const hold: RunListener = (event) => void ("seq" in event && missed.push(event));
  feed.join(hold, () => over = true);
  try {
    if (cursor.replay(await reader.journal(tenant, id, cursor.seq))) return true;
  } finally {
    feed.leave(hold);
  }
  if (cursor.replay(missed) || signal.aborted) return true;
  if (over) return false;
  const live: RunListener = (event, json) => void (cursor.deliver(event, json) && resolve(true));
  const stop = () => resolve(true);
  feed.join(live, () => resolve(false));
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await promise;
  } finally {
    feed.leave(live);
    signal.removeEventListener("abort", stop);
  }
}

/** How far a listener has got. */
class Cursor {
  constructor(public seq: number, private readonly listener: RunListener) {}

  /** Delivers journaled events. True when the run had ended with the last of them. */
  replay(events: JournalEvent[]): boolean {
    let ended = false;
    for (const event of events) ended = this.deliver(event, JSON.stringify(event));
    return ended;
  }

  /** Delivers an event unless it was delivered before. True for one that ends the run. */
  deliver(event: RunEvent, json: string): boolean {
    if ("seq" in event) {
      if (event.seq <= this.seq) return false;
      this.seq = event.seq;
    }
    this.listener(event, json);
    return isTerminal(event);
  }
}
