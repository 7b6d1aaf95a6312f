/**
 * The journal of one run, as its one writer sees it.
 *
 * Boundary: turns appended events and mutations into commits and publishes the events once they are
 * on disk. Knows nothing of steps.
 *
 * Invariants
 * 1. Events get consecutive sequence numbers when they are appended and reach the disk in that order.
 * 2. One commit of a run is under way at a time; what is appended meanwhile goes into the next one.
 * 3. Nothing is published before it is on disk.
 * 4. What is appended and changed in one turn between two cuts reaches the disk together.
 * 5. After a commit that failed the journal takes nothing more: the run must be claimed again, from
 *    what the store holds. Only a commit that was too large is known not to be there, so what it
 *    held can be given up.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import {
  type Check,
  type Commit,
  keys,
  type Mutation,
  setText,
  type Store,
} from "../../store/mod.ts";
import { type Clock, timestamp } from "./clock.ts";
import {
  type EventBody,
  isTooLarge,
  type JournalEvent,
  MAX_EVENT_BYTES,
  mustFit,
} from "./events.ts";
import type { Feed } from "./feed.ts";
import { type InboxMessage, message } from "./transitions.ts";

/** A part beyond either of these is cut off at the next cut: a commit of the store takes no more. */
const PART_MUTATIONS = 300;
const PART_BYTES = 300_000;
const DONE: Promise<unknown> = Promise.resolve();

/** What a journal needs. */
export interface JournalDeps {
  store: Store;
  clock: Clock;
  feed: Feed;
}

/** What goes into one commit. */
class Part {
  readonly events: JournalEvent[] = [];
  /** The events as JSON. */
  readonly texts: string[] = [];
  readonly checks: Check[] = [];
  readonly mutations: Mutation[] = [];
  /** Of the mutations. */
  bytes = 0;
  /** Present once it is asked for; settles as the commit does. */
  outcome?: PromiseWithResolvers<string>;

  get isEmpty(): boolean {
    return this.texts.length + this.mutations.length + this.checks.length === 0;
  }

  /** The version of the commit, once it is on disk. */
  settled(): Promise<string> {
    return (this.outcome ??= Promise.withResolvers()).promise;
  }
}

/** Appends to one run's journal. */
export class RunJournal {
  /** Parts that are complete, and the one that is being filled. */
  private full: Part[] = [];
  private part = new Part();
  private underWay?: Part;
  /** The part that is being filled is to be written, too. */
  private isDue = false;
  private failure?: unknown;
  private readonly first = this.part;
  /** Sequence number of the last event that is on disk. */
  private written: number;

  /** @param seq sequence number of the last event that is on disk */
  constructor(
    private readonly tenant: string,
    private readonly run: string,
    private seq: number,
    private readonly deps: JournalDeps,
  ) {
    this.written = seq;
  }

  /** Adds an event to the next commit. @throws `payload_too_large`, or why the journal is closed */
  append(body: EventBody): JournalEvent {
    if (this.failure) throw this.failure;
    const at = timestamp(this.deps.clock.now());
    const event: JournalEvent = { ...body, run_id: this.run, seq: this.seq + 1, at };
    const json = JSON.stringify(event);
    mustFit("an event", json);
    this.seq++;
    this.part.events.push(event);
    this.part.texts.push(json);
    return event;
  }

  /** Adds a change of the run's state to the next commit. */
  change({ checks, mutations }: Commit): void {
    const { part } = this;
    for (const check of checks) part.checks.push(check);
    for (const mutation of mutations) {
      part.mutations.push(mutation);
      if ("set" in mutation) part.bytes += mutation.set.length;
    }
  }

  /** What comes next may be on disk later than what came before. */
  cut(): void {
    const { mutations, bytes } = this.part;
    if (mutations.length < PART_MUTATIONS && bytes < PART_BYTES) return;
    this.full.push(this.part);
    this.part = new Part();
  }

  /** Adds a message for another run to the next commit. */
  send(tenant: string, run: string, id: string, value: InboxMessage): void {
    this.change({ checks: [], mutations: [message(tenant, run, id, value)] });
  }

  /** Sequence number of the last event that is on disk: those after it may never be. */
  get last(): number {
    return this.written;
  }

  /** Settles as the first commit does; its versionstamp. Not to be asked for later. */
  get begun(): Promise<string> {
    return this.first.settled();
  }

  /** True while a commit is due or under way. */
  get isFlushing(): boolean {
    return this.isDue || this.underWay !== undefined;
  }

  /** Resolves when everything appended so far is on disk. */
  flush(): Promise<unknown> {
    if (this.failure) return Promise.reject(this.failure);
    if (this.part.isEmpty && this.full.length === 0) return this.underWay?.settled() ?? DONE;
    if (!this.isFlushing) queueMicrotask(() => this.writeNext());
    this.isDue = true;
    return this.part.settled();
  }

  /** Takes nothing more; `reason` is what appending throws from now on. */
  close(reason: unknown): void {
    this.failure ??= reason;
    this.drop(this.failure);
  }

  /**
   * Gives up what is not on disk, so that the run can end in spite of it.
   *
   * @returns whether anything of the run is on disk
   * @throws why the journal is closed, unless that is because a commit was too large
   */
  async giveUp(reason: unknown): Promise<boolean> {
    this.drop(reason);
    await this.underWay?.settled().catch(unlessTooLarge);
    if (this.failure) unlessTooLarge(this.failure);
    this.failure = undefined;
    this.seq = this.written;
    return this.written > 0;
  }

  private drop(reason: unknown): void {
    for (const part of [...this.full, this.part]) part.outcome?.reject(reason);
    this.full = [];
    this.part = new Part();
    this.isDue = false;
  }

  private writeNext(): void {
    if (this.underWay || !this.isDue) return;
    let part = this.full.shift();
    if (!part) {
      part = this.part;
      this.part = new Part();
      this.isDue = false;
    }
    this.write(part);
  }

  private write(part: Part): void {
    this.underWay = part;
    const { checks } = part;
    const mutations = this.encode(part);
    for (const mutation of part.mutations) mutations.push(mutation);
    this.deps.store.commit({ checks, mutations }).then(
      (stamp) => stamp === null ? this.fail(part, refused(this.run)) : this.wrote(part, stamp),
      (error) => this.fail(part, error),
    );
  }

  private wrote({ events, texts, outcome }: Part, stamp: string): void {
    this.underWay = undefined;
    if (events.length > 0) this.written = events.at(-1)!.seq;
    for (const [n, event] of events.entries()) this.deps.feed.publish(event, texts[n]!);
    outcome?.resolve(stamp);
    this.writeNext();
  }

  /** Invariant 5. */
  private fail(part: Part, error: unknown): void {
    this.underWay = undefined;
    this.failure ??= error;
    part.outcome?.reject(error);
    this.drop(error);
  }

  /** Events that are committed together share a key, unless they are very large. */
  private encode({ events, texts }: Part): Mutation[] {
    const out: Mutation[] = [];
    for (let at = 0; at < texts.length;) {
      const key = keys.events(this.tenant, this.run, events[at]!.seq);
      let text = "[" + texts[at++]!;
      while (at < texts.length && text.length + texts[at]!.length < MAX_EVENT_BYTES) {
        text += "," + texts[at++]!;
      }
      out.push(setText(key, text + "]"));
    }
    return out;
  }
}

function unlessTooLarge(error: unknown): void {
  if (!isTooLarge(error)) throw error;
}

function refused(run: string): OrchestratorError {
  return new OrchestratorError(
    "conflict",
    `Cannot advance run ${run}: another worker has advanced it in the meantime.`,
    { kind: "cancelled" },
  );
}
