/** Replays a run's journal to a listener, then follows it live. @module */
import type { ActiveRun } from "./active_run.ts";
import type { Clock } from "./clock.ts";
import { isTerminal, type JournalEvent, type RunEvent } from "./events.ts";
import type { Reader } from "./reader.ts";
import type { RunListener } from "./runs.ts";

/** How often a run that another process advances is looked at. */
const POLL_MS = 250;

/** What following needs. */
export interface FollowDeps {
  /** The run, while this process holds it. */
  active: () => ActiveRun | undefined;
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
  const cursor = new Cursor(request.after ?? 0, listener);
  while (!signal.aborted) {
    const run = deps.active();
    if (run) return await followActive(run, cursor, request, deps.reader);
    const record = await deps.reader.mustRun(tenant, id);
    const events = await deps.reader.journal(tenant, id, cursor.seq);
    if (cursor.replay(events) || cursor.seq >= (record.last_seq ?? Infinity)) return;
    await deps.clock.sleep(POLL_MS, signal).catch(() => {});
  }
}

/** Events that happen while the journal is read are held back, so that none is lost or doubled. */
async function followActive(
  run: ActiveRun,
  cursor: Cursor,
  { tenant, id, signal }: FollowRequest,
  reader: Reader,
): Promise<void> {
  const { feed } = run.audience;
  const missed: JournalEvent[] = [];
  const hold: RunListener = (event) => void ("seq" in event && missed.push(event));
  feed.join(hold);
  try {
    if (cursor.replay(await reader.journal(tenant, id, cursor.seq))) return;
  } finally {
    feed.leave(hold);
  }
  if (cursor.replay(missed) || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const live: RunListener = (event, json) => void (cursor.deliver(event, json) && resolve());
  feed.join(live);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  feed.leave(live);
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
