/**
 * External requests to a run (cancel, pause, signal): read from its inbox, journaled and applied.
 *
 * A message is deleted by the commit that journals it, so it is applied exactly once.
 *
 * @module
 */
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";
import { type Key, keys, type Store, type Versioned } from "../../store/mod.ts";
import type { ActiveRun } from "./active_run.ts";
import type { Reader } from "./reader.ts";
import type { Runner } from "./runner.ts";
import { isTooLarge } from "./events.ts";
import type { InboxMessage } from "./transitions.ts";

/** What reading inboxes needs. */
export interface InboxDeps {
  store: Store;
  reader: Reader;
  runner: Runner;
}

/** Messages that are dropped in one commit. */
const BATCH = 500;

/** Reads messages and applies them. */
export class Inbox {
  constructor(private readonly deps: InboxDeps) {}

  /** Applies the messages of a run that this process holds. */
  async apply(run: ActiveRun): Promise<void> {
    const { tenant, id } = run.record;
    for (const message of await this.deps.reader.inbox(tenant, id)) {
      const name = message.key.at(-1) as string;
      if (run.applied.has(name) || run.isOver) continue;
      run.applied.add(name);
      run.journal.cut();
      this.tryApply(run, message);
      run.journal.change({ checks: [], mutations: [{ key: message.key, delete: true }] });
    }
    if (run.applied.size > 0) run.journal.flush().catch(() => {});
  }

  /** True when something in the inbox concerns a run with this status now. */
  async wakes(tenant: string, id: string, status: string): Promise<boolean> {
    const messages = await this.deps.reader.inbox(tenant, id);
    return messages.some(({ value: { type } }) => {
      if (status === "waiting") return true;
      return type === "cancel" || status === "paused" && type === "unpause";
    });
  }

  /** Whether a run will be paused by what is in its inbox; nothing where that says neither. */
  async pauses(tenant: string, id: string): Promise<boolean | undefined> {
    const messages = await this.deps.reader.inbox(tenant, id);
    const types = messages.map(({ value: { type } }) => type);
    const last = types.findLast((type) => type === "pause" || type === "unpause");
    return last && last === "pause";
  }

  /**
   * Calls `notify` for every run that has messages and drops those of runs that have ended. Messages
   * may come from other processes, or from this one before it was killed.
   */
  async round(notify: (tenant: string, id: string) => Promise<void>): Promise<void> {
    for await (const { tenant, id } of this.addressees()) {
      if (await this.deps.reader.isThere(tenant, id)) await notify(tenant, id);
      else await this.drop(tenant, id);
    }
  }

  /** The runs that have messages; of those of one run only the first is read. */
  private async *addressees(): AsyncGenerator<{ tenant: string; id: string }> {
    const prefix = keys.inboxes();
    let start: Key | undefined;
    while (true) {
      const selector = start ? { prefix, start } : { prefix };
      const [first] = await Array.fromAsync(this.deps.store.keys(selector, { limit: 1 }));
      if (!first) return;
      const [, tenant, id] = first.key as [string, string, string];
      yield { tenant, id };
      start = [...keys.inbox(tenant, id), 0]; // ids are strings, and numbers come after these
    }
  }

  private async drop(tenant: string, id: string): Promise<void> {
    const { store } = this.deps;
    const prefix = keys.inbox(tenant, id);
    while (true) {
      const found = await Array.fromAsync(store.keys({ prefix }, { limit: BATCH }));
      if (found.length === 0) return;
      const mutations = found.map(({ key }) => ({ key, delete: true as const }));
      await store.commit({ checks: [], mutations });
    }
  }

  /** A message that no journal can take ends its run: an earlier version may have accepted it. */
  private tryApply(run: ActiveRun, message: Versioned<InboxMessage>): void {
    try {
      this.applyOne(run, message);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      this.deps.runner.stop(run, toOrchestratorError(error));
    }
  }

  private applyOne(run: ActiveRun, { value }: Versioned<InboxMessage>): void {
    switch (value.type) {
      case "cancel":
        if (run.history.cancelling) return;
        run.append({ type: "run.cancelling", reason: value.reason });
        return this.deps.runner.stop(run, cancelled(value.reason));
      case "signal": {
        const { name, payload } = value;
        const { seq } = run.append({ type: "signal.received", name, payload });
        return run.deliver({ seq, name, payload });
      }
      case "pause":
        return void run.append({ type: "run.paused", reason: value.reason });
      case "unpause":
        return run.unpause();
      case "event":
        run.append(value.event);
        return run.surface(value.event);
    }
  }
}

/** Why a run that was asked to stop stops. */
export function cancelled(reason?: string): OrchestratorError {
  return new OrchestratorError(
    "run_cancelled",
    `The run was cancelled${reason ? `: ${reason}` : ""}.`,
    { kind: "cancelled", details: reason === undefined ? {} : { reason } },
  );
}
