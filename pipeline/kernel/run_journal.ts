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
 * 4. What is appended and changed between two cuts reaches the disk together.
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
import type { EventBody, JournalEvent } from "./events.ts";
import type { Feed } from "./feed.ts";
import { isTooLarge, MAX_EVENT_CHARS, mustFit } from "./limits.ts";
import { type InboxMessage, message } from "./transitions.ts";

/** A part beyond either of these is cut off at the next cut: a commit of the store takes no more. */
const PART_MUTATIONS = 300;
const PART_BYTES = 300_000;
const DONE = Promise.resolve();

/** What a journal needs. */
export interface JournalDeps {
  store: Store;
  clock: Clock;
  feed: Feed;
}

/** What goes into one commit. */
interface Part {
  events: { event: JournalEvent; json: string }[];
  mutations: Mutation[];
  checks: Check[];
  /** Of the mutations. */
  bytes: number;
}

const emptyPart = (): Part => ({ events: [], mutations: [], checks: [], bytes: 0 });

/** Appends to one run's journal. */
export class RunJournal {
  /** Parts that are complete, and the one that is being filled. */
  private full: Part[] = [];
  private part = emptyPart();
  private scheduled?: Promise<void>;
  private underWay?: Promise<void>;
  private failure?: unknown;
  private readonly first = Promise.withResolvers<string>();
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
    this.first.promise.catch(() => {});
  }

  /** Adds an event to the next commit. @throws `payload_too_large`, or why the journal is closed */
  append(body: EventBody): JournalEvent {
    if (this.failure) throw this.failure;
    const at = timestamp(this.deps.clock.now());
    const event: JournalEvent = { ...body, run_id: this.run, seq: this.seq + 1, at };
    const json = JSON.stringify(event);
    mustFit("an event", json);
    this.seq++;
    this.part.events.push({ event, json });
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
    this.part = emptyPart();
  }

  /** Adds a message for another run to the next commit. */
  send(tenant: string, run: string, id: string, value: InboxMessage): void {
    this.change({ checks: [], mutations: message(tenant, run, id, value) });
  }

  /** Sequence number of the last event that was appended. */
  get last(): number {
    return this.seq;
  }

  /** Settles as the first commit does; its versionstamp. */
  get begun(): Promise<string> {
    return this.first.promise;
  }

  /** True while a commit is due or under way. */
  get isFlushing(): boolean {
    return this.scheduled !== undefined || this.underWay !== undefined;
  }

  /** Resolves when everything appended so far is on disk. */
  flush(): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    if (this.scheduled) return this.scheduled;
    const { events, mutations, checks } = this.part;
    if (this.full.length + events.length + mutations.length + checks.length === 0) {
      return this.underWay ?? DONE;
    }
    const next = (this.underWay ?? DONE).then(() => this.commit());
    next.catch(() => {});
    return this.scheduled = next;
  }

  /** Takes nothing more; `reason` is what appending throws from now on. */
  close(reason: unknown): void {
    this.failure ??= reason;
    this.first.reject(reason);
  }

  /**
   * Gives up what is not on disk, so that the run can end in spite of it.
   *
   * @returns whether anything of the run is on disk
   * @throws why the journal is closed, unless that is because a commit was too large
   */
  async giveUp(): Promise<boolean> {
    this.full = [];
    this.part = emptyPart();
    await (this.scheduled ?? this.underWay)?.catch(unlessTooLarge);
    if (this.failure) unlessTooLarge(this.failure);
    this.failure = this.scheduled = this.underWay = undefined;
    this.seq = this.written;
    return this.written > 0;
  }

  private async commit(): Promise<void> {
    const { full, part, scheduled } = this;
    this.full = [];
    this.part = emptyPart();
    this.underWay = scheduled;
    this.scheduled = undefined;
    try {
      for (const one of [...full, part]) await this.write(one);
    } catch (error) {
      this.failure ??= error;
      this.first.reject(error);
      throw error;
    }
    if (this.underWay === scheduled) this.underWay = undefined;
  }

  private async write({ events, mutations, checks }: Part): Promise<void> {
    if (this.failure) throw this.failure;
    const all = this.encode(events);
    for (const mutation of mutations) all.push(mutation);
    const stamp = await this.deps.store.commit({ checks, mutations: all });
    if (stamp === null) throw refused(this.run);
    this.first.resolve(stamp);
    this.written = events.at(-1)?.event.seq ?? this.written;
    for (const { event, json } of events) this.deps.feed.publish(event, json);
  }

  /** Events that are committed together share a key, unless they are very large. */
  private encode(events: { event: JournalEvent; json: string }[]): Mutation[] {
    const out: Mutation[] = [];
    for (let at = 0; at < events.length;) {
      const first = events[at]!.event.seq;
      let text = "[" + events[at++]!.json;
      while (at < events.length && text.length + events[at]!.json.length < MAX_EVENT_CHARS) {
        text += "," + events[at++]!.json;
      }
      const key = keys.events(this.tenant, this.run, first);
      for (const mutation of setText(key, text + "]")) out.push(mutation);
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
    `Cannot advance run ${run}: somebody else did so meanwhile.`,
    { kind: "cancelled" },
  );
}
