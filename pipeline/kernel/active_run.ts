/** A run that this process holds. @module */
import type { Store } from "../../store/mod.ts";
import { Branch } from "./branch.ts";
import type { World } from "./clock.ts";
import { Execution } from "./execution.ts";
import { Feed } from "./feed.ts";
import type { History } from "./history.ts";
import { RunJournal } from "./run_journal.ts";
import type { RunResult } from "./context.ts";
import type { RunRecord } from "./runs.ts";
import type { BudgetGate } from "./spending.ts";

/** What every run needs of its process. */
export interface ActiveRunDeps {
  store: Store;
  world: World;
  gate?: BudgetGate;
  ring: (tenant: string, run: string) => void;
}

/** A claimed run with its journal, its function's context and those who watch it. */
export class ActiveRun {
  readonly journal: RunJournal;
  readonly execution: Execution;
  readonly feed: Feed;
  readonly result = Promise.withResolvers<RunResult>();
  /** True once its end is on disk. */
  ended = false;
  /** True once it has left this process without having ended. */
  gone = false;
  /** False: it begins after its first commit only. */
  early = true;
  /** Version of its place, if this process gave it to the run. */
  placed?: string;
  /** A commit of it was refused: what it goes by has changed, so it has to be read again. */
  refused = false;
  /** Somebody waits for its result. */
  awaited = false;
  /** Ids of the inbox messages that have been obeyed. */
  readonly obeyed = new Set<string>();

  constructor(public record: RunRecord, readonly history: History, deps: ActiveRunDeps) {
    const { store, world, gate, ring } = deps;
    this.feed = new Feed(record.id, world.clock);
    const { feed } = this;
    const journalDeps = { store, clock: world.clock, feed };
    this.journal = new RunJournal(record.tenant, record.id, history.seq, journalDeps);
    this.execution = new Execution(record, history, {
      world,
      journal: this.journal,
      feed,
      gate,
      ring,
      branch: (execution) => new Branch(execution),
    });
  }

  /** Identifies a run in this process. */
  get name(): string {
    return runName(this.record.tenant, this.record.id);
  }
}

/** Identifies a run across tenants. */
export function runName(tenant: string, id: string): string {
  return `${tenant}/${id}`;
}
