/**
 * What goes out on one WebSocket.
 *
 * 1. Messages leave in the order in which they were given.
 * 2. While the socket is behind, deltas of one step are joined: the reader loses no text and gets
 *    fewer messages.
 * 3. A socket that is behind by more than {@linkcode MAX_BUFFERED_BYTES} is closed; its client can
 *    come back and resume.
 *
 * @module
 */
import type { LiveEvent, RunEvent } from "../pipeline/kernel/mod.ts";

/** Bytes that may wait for one reader. */
const MAX_BUFFERED_BYTES = 1_000_000;

/** The part of a `WebSocket` that is needed to send. */
export interface Sender {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code: number, reason: string): void;
}

/** How often to look whether a socket that is behind has caught up: there is no event for it. */
const ROOM_MS = 10;

/** The sending side of a socket. */
export interface Outbox {
  /** Sends a run's event; `json` is its text. */
  event(event: SocketEvent, json: string): void;
  /** Resolves when less than half of what may wait does, or when the socket is not open. */
  room(): Promise<void>;
  /** Sends any other message. */
  message(message: object): void;
  /** Closes the socket after what was sent. */
  close(code: number, reason: string): void;
}

/** An event as a socket sends it: with the client's name for the request, when it has one. */
export type SocketEvent = RunEvent & { id?: string };

type Delta = Extract<LiveEvent, { type: "step.delta" }> & { id?: string };

/** Sends to `socket`. */
export function createOutbox(socket: Sender): Outbox {
  let held: Delta | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const send = (json: string) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      socket.close(1013, "too slow: reconnect and resume after the last seq");
    } else {
      socket.send(json);
    }
  };
  const flush = () => {
    if (held === undefined) return;
    clearTimeout(timer);
    const json = JSON.stringify(held);
    held = undefined;
    send(json);
  };
  const hold = (delta: Delta) => {
    if (
      held?.step === delta.step && held.run_id === delta.run_id && held.id === delta.id
    ) {
      held.text += delta.text;
      return;
    }
    flush();
    held = { ...delta };
    // Not a microtask: deltas arrive in many of those before the loop gets to write any out.
    timer = setTimeout(flush);
  };

  return {
    event(event, json) {
      if (event.type === "step.delta" && socket.bufferedAmount > 0) return hold(event);
      flush();
      send(json);
    },
    async room() {
      while (
        socket.readyState === WebSocket.OPEN && socket.bufferedAmount > MAX_BUFFERED_BYTES / 2
      ) {
        await new Promise((resolve) => setTimeout(resolve, ROOM_MS));
      }
    },
    message(message) {
      flush();
      send(JSON.stringify(message));
    },
    close(code, reason) {
      flush();
      if (socket.readyState === WebSocket.OPEN) socket.close(code, reason);
    },
  };
}
