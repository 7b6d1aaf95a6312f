/**
 * Finds runs that nobody advances and takes them over.
 *
 * A claim whose worker holds no lease is free. A worker whose lease is overdue is buried first: its
 * lease is deleted, which refuses every later commit of it.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import { keys, type Store, type Versioned } from "../../store/mod.ts";
import { ActiveRun, newAudience, runName } from "./active_run.ts";
import type { World } from "./clock.ts";
import { readHistory } from "./history.ts";
import type { Reader } from "./reader.ts";
import type { KernelLog, Runner } from "./runner.ts";
import { claimRun, type LiveRun } from "./transitions.ts";

/** What recovery needs. */
export interface RecoveryOptions {
  store: Store;
  world: World;
  reader: Reader;
  runner: Runner;
  log: KernelLog;
  /** A worker that showed no life for this long is dead. */
  lease_ms: number;
}

/** Crashes without progress after which a run is not tried again. */
const POISONED_AFTER = 5;
/** Every so many sweeps all claims are looked at, whatever the leases say. */
const FULL_SWEEP = 30;

/** Takes over what dead workers left. */
export class Recovery {
  private seen = new Set<string>();
  private sweeps = 0;

  constructor(private readonly options: RecoveryOptions) {}

  /** One round. @returns how many runs were taken over */
  async sweep(): Promise<number> {
    const { store, lease_ms } = this.options;
    await store.heartbeat(lease_ms / 3);
    const gone = await this.bury();
    const adopted = await this.adoptOrphans();
    if (!gone && this.sweeps++ % FULL_SWEEP !== 0) return adopted;
    return adopted + await this.adoptFree();
  }

  /** Buries dead workers. True when a worker that was there is not there any more. */
  private async bury(): Promise<boolean> {
    const { store, lease_ms } = this.options;
    const alive = new Set<string>();
    for (const { worker, age_ms, entry } of await store.workers()) {
      const dead = worker !== store.worker && age_ms > lease_ms;
      if (!dead || !await store.bury(entry)) alive.add(worker);
      if (dead) this.seen.add(worker);
    }
    const gone = [...this.seen].some((worker) => !alive.has(worker));
    this.seen = alive;
    return gone;
  }

  /** Takes over every run whose claim is free. */
  private async adoptFree(): Promise<number> {
    const { store, runner } = this.options;
    const others: Versioned<LiveRun>[] = [];
    for await (const live of store.list<LiveRun>({ prefix: keys.lives() })) {
      const { tenant, id } = live.value.run;
      if (!runner.active.has(runName(tenant, id))) others.push(live);
    }
    // Leases after claims: who holds a claim had its lease before, and no lease ever comes back.
    const leases = new Set((await store.workers()).map(({ worker }) => worker));
    const free = others.filter((live) => !leases.has(live.value.worker));
    for (const live of free) await this.adopt(live);
    return free.length;
  }

  /** Runs that this process had to let go, for instance because the store did not answer. */
  private async adoptOrphans(): Promise<number> {
    const { runner, reader, store } = this.options;
    let adopted = 0;
    // A commit of ours that is still on its way is refused once another one has rewritten the lease.
    if (runner.orphans.size > 0) await store.commit({ checks: [], mutations: [] });
    for (const [name, run] of [...runner.orphans]) {
      const { tenant, id } = run.record;
      const live = await reader.live(tenant, id);
      if (live?.value.worker === store.worker) {
        await this.adopt(live, run);
        adopted++;
      } else runner.orphans.delete(name);
    }
    return adopted;
  }

  private async adopt(live: Versioned<LiveRun>, orphan?: ActiveRun): Promise<void> {
    const { store, world, reader, runner, log } = this.options;
    const { run: record, released } = live.value;
    const { tenant, id } = record;
    if (runner.active.has(runName(tenant, id))) return;
    const history = readHistory(await reader.journal(tenant, id));
    const crashed = !orphan && !released && record.status !== "queued";
    const audience = orphan?.audience ?? newAudience(id, world);
    const run = new ActiveRun(record, history, audience, { store, world });
    run.journal.change(claimRun(live, store.worker));
    const reason = crashed ? "crashed" : "released";
    run.journal.append({ type: "run.resumed", reason, worker: store.worker });
    if (crashed) history.crashes++;
    log.info("run resumed", { run_id: id, reason, steps: history.steps.size });
    if (history.crashes > POISONED_AFTER) run.execution.stop(poisoned(id, history.crashes));
    await this.obeyInbox(run);
    runner.take(run);
  }

  /** What was asked of the run while nobody held it. */
  async obeyInbox(run: ActiveRun): Promise<void> {
    const { tenant, id } = run.record;
    for (const { key, value } of await this.options.reader.inbox(tenant, id)) {
      run.obeyed.push(key);
      this.options.runner.stop(run, cancelled(value.reason));
    }
  }

  /** Rings for messages that other processes left, and drops those of runs that have ended. */
  async readInboxes(): Promise<void> {
    const { store, runner, reader } = this.options;
    for await (const { key } of store.kv.list({ prefix: keys.inboxes() }, { limit: 1000 })) {
      const [, tenant, id] = key as [string, string, string];
      const run = runner.active.get(runName(tenant, id));
      if (run) await this.obeyInbox(run);
      else if (!await reader.live(tenant, id)) {
        await store.commit({ checks: [], mutations: [{ key, delete: true }] });
      }
    }
  }
}

function cancelled(reason?: string): OrchestratorError {
  return new OrchestratorError(
    "run_cancelled",
    `The run was cancelled${reason ? `: ${reason}` : ""}.`,
    {
      kind: "cancelled",
      details: reason === undefined ? {} : { reason },
    },
  );
}

function poisoned(id: string, crashes: number): OrchestratorError {
  return new OrchestratorError(
    "run_poisoned",
    `Cannot go on with run ${id}: the process died ${crashes} times while it ran. Mend its cause, then redrive it.`,
  );
}
