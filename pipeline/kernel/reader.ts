/** Reads runs from the store. Knows nothing of what this process executes. @module */
import { OrchestratorError } from "../../errors.ts";
import {
  type Key,
  keys,
  type ReadOptions,
  refuseDamaged,
  type Selector,
  type Store,
  type Versioned,
} from "../../store/mod.ts";
import type { JournalEvent } from "./events.ts";
import type { RunResult } from "./context.ts";
import type { RunPage, RunRecord, RunStatus } from "./runs.ts";
import type { InboxMessage, LiveRun, WaitingRun } from "./transitions.ts";

/** Longest page of a list. */
const MAX_PAGE = 200;

/** Reads runs. */
export class Reader {
  constructor(private readonly store: Store) {}

  /** The header of a run, wherever it is. @throws `value_damaged`, as `Store.getMany` */
  async run(
    tenant: string,
    id: string,
    options?: Pick<ReadOptions, "onDamaged">,
  ): Promise<RunRecord | null> {
    const places = [keys.run(tenant, id), keys.live(tenant, id), keys.waiting(tenant, id)];
    const found = await this.store.getMany<RunRecord | LiveRun | WaitingRun>(places, options);
    const value = found.find((entry) => entry !== null)?.value;
    return value === undefined ? null : "run" in value ? value.run : value;
  }

  /** The header of a run. @throws `not_found` */
  async mustRun(tenant: string, id: string): Promise<RunRecord> {
    return await this.run(tenant, id) ?? notFound(id);
  }

  /** A run that has not ended, with the claim on it. */
  live(tenant: string, id: string): Promise<Versioned<LiveRun> | null> {
    return this.store.get<LiveRun>(keys.live(tenant, id));
  }

  /** A run that has not ended, be it live or suspended. */
  async holder(
    tenant: string,
    id: string,
  ): Promise<{ live?: Versioned<LiveRun>; waiting?: Versioned<WaitingRun> }> {
    const [live, waiting] = await this.store.getMany<LiveRun | WaitingRun>([
      keys.live(tenant, id),
      keys.waiting(tenant, id),
    ]);
    if (live) return { live: live as Versioned<LiveRun> };
    return waiting ? { waiting } : {};
  }

  /** True for a run that has not ended, also for one whose header is damaged. */
  async isThere(tenant: string, id: string): Promise<boolean> {
    const places = [keys.live(tenant, id), keys.waiting(tenant, id)];
    return (await this.store.kv.getMany(places)).some((entry) => entry !== null);
  }

  /** A run that has ended. */
  ended(tenant: string, id: string): Promise<Versioned<RunRecord> | null> {
    return this.store.get<RunRecord>(keys.run(tenant, id));
  }

  /** The events after `after`. */
  async journal(tenant: string, id: string, after = 0): Promise<JournalEvent[]> {
    const prefix = keys.journal(tenant, id);
    const events: JournalEvent[] = [];
    const start = after > 0 ? await this.entryWith(prefix, after + 1) : undefined;
    const selector = start ? { prefix, start } : { prefix };
    const options = { onDamaged: refuseDamaged };
    for await (const { value } of this.store.list<JournalEvent[]>(selector, options)) {
      for (const event of value) if (event.seq > after) events.push(event);
    }
    return events;
  }

  /** The event a run began with. @throws `not_found` */
  async firstEvent(tenant: string, id: string): Promise<JournalEvent> {
    const commit = await this.store.get<JournalEvent[]>(keys.events(tenant, id, 1));
    return commit?.value[0] ?? notFound(id);
  }

  /** Events, newest first; commits are read one by one, so whoever stops early reads little. */
  async *latestEvents(tenant: string, id: string): AsyncIterable<JournalEvent> {
    const prefix = keys.journal(tenant, id);
    let before: Key | undefined;
    do {
      const selector: Selector = before ? { prefix, end: before } : { prefix };
      before = undefined;
      const options = { limit: 1, reverse: true, onDamaged: refuseDamaged };
      const commit = this.store.list<JournalEvent[]>(selector, options);
      for await (const { key, value } of commit) {
        before = key;
        yield* value.reverse();
      }
    } while (before);
  }

  /** Where the last commit of a journal begins: a sequence number; 0 without one. */
  async lastCommit(tenant: string, id: string): Promise<number> {
    const entries = this.store.keys({ prefix: keys.journal(tenant, id) }, {
      limit: 1,
      reverse: true,
    });
    for await (const { key } of entries) return key.at(-1) as number;
    return 0;
  }

  /** How the run ended; `null` while it has not. */
  async result(tenant: string, id: string): Promise<RunResult | null> {
    const run = await this.mustRun(tenant, id);
    if (run.last_seq === undefined) return null;
    const last = await first(this.latestEvents(tenant, id));
    switch (last?.type) {
      case "run.completed":
        return { status: "completed", output: last.output, usage: last.usage! };
      case "run.failed":
        return { status: "failed", error: last.error, usage: last.usage };
      case "run.cancelled":
        return { status: "cancelled", reason: last.reason, error: last.error, usage: last.usage };
      default:
        return null;
    }
  }

  /** What is in a run's inbox, oldest first. */
  async inbox(tenant: string, id: string): Promise<Versioned<InboxMessage>[]> {
    const messages = [];
    for await (const message of this.store.list<InboxMessage>({ prefix: keys.inbox(tenant, id) })) {
      messages.push(message);
    }
    return messages;
  }

  /** One page, newest first. */
  async list(
    tenant: string,
    options: { status?: RunStatus; limit?: number; cursor?: string } = {},
  ): Promise<RunPage> {
    const { status, cursor } = options;
    const limit = Math.min(Math.max(options.limit ?? 50, 1), MAX_PAGE);
    const found = new Map<string, RunRecord>();
    // One after the other: a run may change its state in the meantime, and then it is read in both.
    for (const prefix of sources(tenant, status)) {
      const headers = await this.headers(tenant, prefix, { status, cursor, limit: limit + 1 });
      for (const run of headers) found.set(run.id, run);
    }
    const runs = [...found.values()].sort((a, b) => a.id < b.id ? 1 : -1);
    if (runs.length <= limit) return { runs };
    return { runs: runs.slice(0, limit), next_cursor: runs[limit - 1]!.id };
  }

  /** Headers below a prefix, newest first; a key without its header is an index entry. */
  private async headers(
    tenant: string,
    prefix: Key,
    { status, cursor, limit }: { status?: RunStatus; cursor?: string; limit: number },
  ): Promise<RunRecord[]> {
    const selector = cursor ? { prefix, end: [...prefix, cursor] } : { prefix };
    const found: RunRecord[] = [];
    const entries = this.store.list<RunRecord | LiveRun | WaitingRun | { at: string }>(selector, {
      reverse: true,
    });
    for await (const { key, value } of entries) {
      const run = "run" in value ? value.run : "id" in value ? value : undefined;
      const header = run ?? await this.run(tenant, key.at(-1) as string, { onDamaged() {} });
      if (header && (!status || header.status === status)) found.push(header);
      if (found.length === limit) break;
    }
    return found;
  }

  /** The key of the commit that holds event `seq`: the last one that begins at or before it. */
  private async entryWith(prefix: Key, seq: number): Promise<Key | undefined> {
    const selector = { prefix, end: [...prefix, seq + 1] };
    const entries = this.store.keys(selector, { limit: 1, reverse: true });
    for await (const { key } of entries) return key;
  }
}

/**
 * Where the headers of runs with this status are, in the order in which runs change their state.
 * One that is suspended while it is looked for is found in its new state.
 */
function sources(tenant: string, status?: RunStatus): Key[] {
  const [live, waiting] = [keys.livesOf(tenant), keys.waitingOf(tenant)];
  switch (status) {
    case undefined:
      return [waiting, live, keys.runs(tenant), waiting];
    case "completed":
      return [keys.runs(tenant)];
    case "failed":
    case "cancelled":
      return [keys.endedWith(tenant, status)];
    case "waiting":
    case "paused":
      return [waiting];
    case "queued":
      return [waiting, live];
    case "running":
      return [live];
  }
}

async function first<T>(all: AsyncIterable<T>): Promise<T | undefined> {
  for await (const one of all) return one;
}

function notFound(id: string): never {
  throw new OrchestratorError(
    "not_found",
    `Run ${id} not found.`,
  );
}
