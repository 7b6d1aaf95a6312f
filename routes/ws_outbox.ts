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
  return new SocketOutbox(socket);
}

class SocketOutbox implements Outbox {
  /** Text that waits for more of its step. */
  private held?: Delta;
  private timer?: ReturnType<typeof setTimeout>;

  constructor(private readonly socket: Sender) {}

  event(event: SocketEvent, json: string): void {
    if (event.type === "step.delta" && this.socket.bufferedAmount > 0) return this.hold(event);
    this.flush();
    this.send(json);
  }

  async room(): Promise<void> {
    while (this.isOpen && this.socket.bufferedAmount > MAX_BUFFERED_BYTES / 2) {
      await new Promise((resolve) => setTimeout(resolve, ROOM_MS));
    }
  }

  message(message: object): void {
    this.flush();
    this.send(JSON.stringify(message));
  }

  close(code: number, reason: string): void {
    this.flush();
    if (this.isOpen) this.socket.close(code, reason);
  }

  private get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  private send(json: string): void {
    if (!this.isOpen) return;
    if (this.socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.socket.close(1013, "too slow: reconnect and resume after the last seq");
    } else {
      this.socket.send(json);
    }
  }

  private hold(delta: Delta): void {
    const { held } = this;
    if (held?.step === delta.step && held.run_id === delta.run_id && held.id === delta.id) {
      held.text += delta.text;
      return;
    }
    this.flush();
    this.held = { ...delta };
    // Not a microtask: deltas arrive in many of those before the loop gets to write any out.
    this.timer = setTimeout(() => this.flush());
  }

  private flush(): void {
    if (this.held === undefined) return;
    clearTimeout(this.timer);
    const json = JSON.stringify(this.held);
    this.held = undefined;
    this.send(json);
  }
}
