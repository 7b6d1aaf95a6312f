/** A run that this process holds. @module */
import type { Key, Store } from "../../store/mod.ts";
import type { World } from "./clock.ts";
import { Execution } from "./execution.ts";
import { Feed } from "./feed.ts";
import type { History } from "./history.ts";
import { RunJournal } from "./run_journal.ts";
import type { RunRecord, RunResult } from "./runs.ts";

/** What others wait for; survives when the run has to be claimed again. */
export interface Audience {
  feed: Feed;
  result: PromiseWithResolvers<RunResult>;
}

/** A claimed run with its journal, its function's context and its audience. */
export class ActiveRun {
  readonly journal: RunJournal;
  readonly execution: Execution;
  /** True once its end is on disk. */
  ended = false;
  /** Keys of inbox messages that have been obeyed; deleted with the run's end. */
  readonly obeyed: Key[] = [];

  constructor(
    public record: RunRecord,
    readonly history: History,
    readonly audience: Audience,
    deps: { store: Store; world: World },
  ) {
    const { feed } = audience;
    const { store, world } = deps;
    const journalDeps = { store, clock: world.clock, feed };
    this.journal = new RunJournal(record.tenant, record.id, history.seq, journalDeps);
    this.execution = new Execution(record, history, { world, journal: this.journal, feed });
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

/** Nobody watches yet. */
export function newAudience(run: string, world: World): Audience {
  return { feed: new Feed(run, world.clock), result: Promise.withResolvers() };
}
