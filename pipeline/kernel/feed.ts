/**
 * Who watches a run, and the text that its steps are streaming.
 *
 * Deltas that arrive in one turn of the event loop reach listeners as one event. A listener that
 * joins in the middle of a step gets the text so far as a `step.snapshot`.
 *
 * @module
 */
import { type Clock, timestamp } from "./clock.ts";
import type { LiveBody, RunEvent } from "./events.ts";
import type { RunListener } from "./runs.ts";

/** Live events of one run. */
export class Feed {
  private readonly listeners = new Map<RunListener, (() => void) | undefined>();
  /** Text so far of each step that streams now, in pieces. */
  private readonly texts = new Map<string, string[]>();
  /** How many pieces of a step have been published. */
  private readonly published = new Map<string, number>();
  private scheduled = false;

  constructor(private readonly run: string, private readonly clock: Clock) {}

  /**
   * Starts to deliver; snapshots of what streams now come first.
   *
   * @param onOver called when the run leaves this process without having ended
   */
  join(listener: RunListener, onOver?: () => void): void {
    this.publishDeltas();
    for (const [step, pieces] of listener.journal_only ? [] : this.texts) {
      const event = this.live({ type: "step.snapshot", step, text: pieces.join("") });
      listener(event, JSON.stringify(event));
    }
    this.listeners.set(listener, onOver);
  }

  /** Stops to deliver. */
  leave(listener: RunListener): void {
    this.listeners.delete(listener);
  }

  /** The run has left this process: whoever listens has to look for it elsewhere. */
  close(): void {
    const all = [...this.listeners.values()];
    this.listeners.clear();
    for (const onOver of all) onOver?.();
  }

  /** Delivers an event that is on disk. */
  publish(event: RunEvent, json: string): void {
    for (const listener of this.listeners.keys()) listener(event, json);
  }

  /** Adds a piece of a step's text. */
  delta(step: string, text: string): void {
    const pieces = this.texts.get(step);
    if (pieces) pieces.push(text);
    else this.texts.set(step, [text]);
    // Whoever joins later gets the text so far as one piece.
    if (this.scheduled || !this.isWatched) return;
    this.scheduled = true;
    this.clock.afterTurn(() => this.publishDeltas());
  }

  /** Voids a step's text: what comes next replaces it. */
  reset(step: string): void {
    if (!this.texts.delete(step)) return;
    this.published.delete(step);
    this.send({ type: "step.snapshot", step, text: "" });
  }

  /** Ends a step's text: what was not published yet is, before the step's own last event. */
  settle(step: string): void {
    if (!this.texts.has(step)) return;
    this.publishDeltas();
    this.texts.delete(step);
    this.published.delete(step);
  }

  private publishDeltas(): void {
    this.scheduled = false;
    for (const [step, pieces] of this.texts) {
      const from = this.published.get(step) ?? 0;
      if (from === pieces.length) continue;
      this.published.set(step, pieces.length);
      if (!this.isWatched) continue;
      const text = pieces.length - from === 1 ? pieces[from]! : pieces.slice(from).join("");
      this.send({ type: "step.delta", step, text });
    }
  }

  /** True while a listener wants to see text as it streams. */
  private get isWatched(): boolean {
    for (const { journal_only } of this.listeners.keys()) if (!journal_only) return true;
    return false;
  }

  private send(body: LiveBody): void {
    if (!this.isWatched) return;
    const event = this.live(body);
    const json = JSON.stringify(event);
    for (const listener of this.listeners.keys()) if (!listener.journal_only) listener(event, json);
  }

  private live(body: LiveBody): RunEvent {
    return { ...body, run_id: this.run, at: timestamp(this.clock.now()) };
  }
}
