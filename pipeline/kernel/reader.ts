/** Reads runs from the store. Knows nothing of what this process executes. @module */
import { OrchestratorError } from "../../errors.ts";
import { type Key, keys, type Store, type Versioned } from "../../store/mod.ts";
import type { JournalEvent } from "./events.ts";
import type { RunPage, RunRecord, RunResult, RunStatus } from "./runs.ts";
import type { Claim, InboxMessage } from "./transitions.ts";

/** Longest page of a list. */
const MAX_PAGE = 200;

/** Reads runs. */
export class Reader {
  constructor(private readonly store: Store) {}

  /** The header of a run. */
  async run(tenant: string, id: string): Promise<Versioned<RunRecord> | null> {
    return await this.store.get<RunRecord>(keys.run(tenant, id));
  }

  /** The header of a run. @throws `not_found` */
  async mustRun(tenant: string, id: string): Promise<Versioned<RunRecord>> {
    return await this.run(tenant, id) ?? notFound(id);
  }

  /** Who advances it; `null` once it has ended. */
  claim(tenant: string, id: string): Promise<Versioned<Claim> | null> {
    return this.store.get<Claim>(keys.claim(tenant, id));
  }

  /** The events after `after`. */
  async journal(tenant: string, id: string, after = 0): Promise<JournalEvent[]> {
    const prefix = keys.journal(tenant, id);
    const events: JournalEvent[] = [];
    const start = after > 0 ? await this.entryWith(prefix, after + 1) : undefined;
    const selector = start ? { prefix, start } : { prefix };
    for await (const { value } of this.store.list<JournalEvent[]>(selector)) {
      for (const event of value) if (event.seq > after) events.push(event);
    }
    return events;
  }

  /** The last event of a run. */
  async lastEvent(tenant: string, id: string): Promise<JournalEvent | undefined> {
    const selector = { prefix: keys.journal(tenant, id) };
    const options = { limit: 1, reverse: true };
    for await (const { value } of this.store.list<JournalEvent[]>(selector, options)) {
      return value.at(-1);
    }
  }

  /** How the run ended; `null` while it has not. */
  async result(tenant: string, id: string): Promise<RunResult | null> {
    const { value: run } = await this.mustRun(tenant, id);
    if (run.last_seq === undefined) return null;
    const last = await this.lastEvent(tenant, id);
    switch (last?.type) {
      case "run.completed":
        return { status: "completed", output: last.output, usage: last.usage! };
      case "run.failed":
        return { status: "failed", error: last.error };
      case "run.cancelled":
        return { status: "cancelled", reason: last.reason };
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
    const limit = Math.min(Math.max(options.limit ?? 50, 1), MAX_PAGE);
    const { status, cursor } = options;
    const prefix = indexOf(tenant, status);
    const selector = cursor ? { prefix, end: [...prefix, cursor] } : { prefix };
    const live = status === "queued" || status === "running" || status === "waiting";
    const runs: RunRecord[] = [];
    let last: string | undefined;
    for await (const page of this.pages(tenant, selector, limit + 1)) {
      for (const run of page) {
        if (runs.length === limit) return { runs, next_cursor: last };
        if (live && run.status !== status) continue;
        runs.push(run);
        last = run.id;
      }
    }
    return { runs };
  }

  private async *pages(
    tenant: string,
    selector: { prefix: Key; end?: Key },
    size: number,
  ): AsyncIterable<RunRecord[]> {
    let ids: string[] = [];
    for await (const { key } of this.store.kv.list(selector, { reverse: true })) {
      ids.push(key.at(-1) as string);
      if (ids.length < size) continue;
      yield await this.records(tenant, ids);
      ids = [];
    }
    if (ids.length > 0) yield await this.records(tenant, ids);
  }

  private async records(tenant: string, ids: string[]): Promise<RunRecord[]> {
    const found = await this.store.getMany<RunRecord>(ids.map((id) => keys.run(tenant, id)));
    return found.flatMap((run) => run ? [run.value] : []);
  }

  /** The key of the commit that holds event `seq`: the last one that begins at or before it. */
  private async entryWith(prefix: Key, seq: number): Promise<Key | undefined> {
    const selector = { prefix, end: [...prefix, seq + 1] };
    const entries = this.store.kv.list(selector, { limit: 1, reverse: true });
    for await (const { key } of entries) return key;
  }
}

/** All runs by their headers; ended ones by their index; live ones by their claims. */
function indexOf(tenant: string, status?: RunStatus): Key {
  if (!status) return keys.runs(tenant);
  const live = status === "queued" || status === "running" || status === "waiting";
  return live ? keys.claimsOf(tenant) : keys.endedWith(tenant, status);
}

function notFound(id: string): never {
  throw new OrchestratorError(
    "not_found",
    `Cannot find run ${id}: there is none with this id. List runs with GET /v1/runs.`,
  );
}
