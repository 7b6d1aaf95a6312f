import type { Caller } from "../guard/mod.ts";
import { type Engine, isTerminal, type RunListener } from "../pipeline/kernel/mod.ts";

/** Where events go, at the pace at which they are taken. */
export interface Sink {
  /** Aborted when the consumer is gone. */
  readonly signal: AbortSignal;
  readonly listener: RunListener;
  /** Resolves when there is room for more, or when there never will be. */
  room(): Promise<void>;
}

/**
 * Sends a run's events after `after` until it ends. What is in the journal waits for the reader;
 * what happens from then on does not: a reader that cannot keep up with that is cut off.
 *
 * @throws `not_found`
 */
export async function replayAndFollow(
  engine: Engine,
  caller: Caller,
  id: string,
  after: number,
  { signal, listener, room }: Sink,
): Promise<void> {
  for (const event of await engine.journal(caller, id, after)) {
    await room();
    if (signal.aborted) return;
    listener(event, JSON.stringify(event));
    after = event.seq;
    // A run that was started again has ends in the middle of its journal: `follow` knows them.
    if (isTerminal(event) && (await engine.get(caller, id))?.last_seq === after) return;
  }
  await engine.follow(caller, id, { after, signal }, listener);
}
