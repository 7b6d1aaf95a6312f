import type { Caller } from "../guard/mod.ts";
import {
  type Engine,
  isTerminal,
  type JournalEvent,
  type RunEvent,
  type RunListener,
} from "../pipeline/kernel/mod.ts";
import { replayAndFollow, type Sink } from "./replay.ts";
import { watchWaiting } from "./waiting.ts";

/** For turns without an audience. */
const NOWHERE: Sink = {
  signal: new AbortController().signal,
  listener: () => {},
  room: () => Promise.resolve(),
};

/** Passes events on, each once, and keeps those that the answer is made of. */
export interface Transcript {
  readonly events: JournalEvent[];
  readonly listener: RunListener;
  /** A replayed run ended before there was a listener: its events come from the journal. */
  catchUp(engine: Engine, caller: Caller, id: string): Promise<void>;
}

/** What a transcript does besides. */
export interface TranscriptOptions {
  /** Gets every event, too. */
  sink?: Sink;
  /** Called when the run starts to wait for a person; see {@linkcode watchWaiting}. */
  onWaiting?: () => void;
}

/**
 * Starts a transcript; give its listener to the engine.
 *
 * @param keeps which events it keeps
 */
export function createTranscript(
  keeps: (event: JournalEvent) => boolean,
  { sink = NOWHERE, onWaiting }: TranscriptOptions = {},
): Transcript {
  const events: JournalEvent[] = [];
  const watch = onWaiting && watchWaiting(onWaiting);
  let last_seq = 0;
  let ended = false;
  const listen = (event: RunEvent, json: string) => {
    if ("seq" in event) {
      if (event.seq <= last_seq) return;
      last_seq = event.seq;
      ended = isTerminal(event);
      watch?.(event);
      if (keeps(event)) events.push(event);
    }
    sink.listener(event, json);
  };
  const listener: RunListener = sink === NOWHERE
    ? Object.assign(listen, { journal_only: true as const })
    : listen;
  return {
    events,
    listener,
    async catchUp(engine, caller, id) {
      if (!ended) await replayAndFollow(engine, caller, id, last_seq, { ...sink, listener });
    },
  };
}
