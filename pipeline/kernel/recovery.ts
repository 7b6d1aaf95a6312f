/**
 * Finds runs that no worker advances and takes them over.
 *
 * A claim whose worker holds no lease is free. A worker whose lease has expired is reaped first: its
 * lease is deleted, which refuses every later commit of it.
 *
 * @module
 */
import { isDamaged, keys, type Store, type Versioned } from "../../store/mod.ts";
import { runName } from "./active_run.ts";
import type { Reader } from "./reader.ts";
import type { Runner } from "./runner.ts";
import type { FlightRecorder } from "./suspects.ts";
import type { LiveRun } from "./transitions.ts";
import type { Waker } from "./waker.ts";

/** What recovery needs. */
export interface RecoveryOptions {
  store: Store;
  reader: Reader;
  runner: Runner;
  waker: Waker;
  flight: FlightRecorder;
  /** A worker that showed no life for this long is dead. */
  lease_ms: number;
}

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
    const gone = await this.reap();
    const adopted = await this.adoptOrphans();
    if (!gone && this.sweeps++ % FULL_SWEEP !== 0) return adopted;
    return adopted + await this.adoptFree();
  }

  /** Buries dead workers. True when a worker that was there is not there any more. */
  private async reap(): Promise<boolean> {
    const { store, lease_ms } = this.options;
    const alive = new Set<string>();
    for (const { worker, age_ms, entry } of await store.workers()) {
      const dead = worker !== store.worker && age_ms > lease_ms;
      if (!dead || !await store.reap(entry)) alive.add(worker);
      if (dead) this.seen.add(worker);
    }
    const gone = [...this.seen].some((worker) => !alive.has(worker));
    this.seen = alive;
    return gone;
  }

  /** Takes over every run whose claim is free. */
  private async adoptFree(): Promise<number> {
    const { store, runner, waker, flight } = this.options;
    const others: Versioned<LiveRun>[] = [];
    for await (const live of store.list<LiveRun>({ prefix: keys.lives() })) {
      const { tenant, id } = live.value.run;
      if (!runner.active.has(runName(tenant, id))) others.push(live);
    }
    // Leases after claims: who holds a claim had its lease before, and no lease ever comes back.
    const leases = new Set((await store.workers()).map(({ worker }) => worker));
    const free = others.filter((live) => !leases.has(live.value.worker));
    const isNoted = ({ value: { run, worker } }: Versioned<LiveRun>) =>
      flight.lastOf(worker) === runName(run.tenant, run.id);
    // Those that were noted come first: it is on disk before any other run has control.
    const noted = free.filter(isNoted);
    for (const live of [...noted, ...free.filter((one) => !isNoted(one))]) {
      const { run, worker, released } = live.value;
      if (runner.active.has(runName(run.tenant, run.id))) continue;
      const crashed = worker !== "" && !released && run.status !== "queued";
      await waker.adopt(live, crashed, crashed && isNoted(live));
    }
    return free.length;
  }

  /** Runs that this process had to release, for example because the store did not answer. */
  private async adoptOrphans(): Promise<number> {
    const { runner, reader, store, waker } = this.options;
    let adopted = 0;
    runner.hurried.clear();
    // A commit of ours that is still on its way is refused once another one has rewritten the lease.
    if (runner.orphans.size > 0) await store.commit({ checks: [], mutations: [] });
    for (const [name, run] of [...runner.orphans]) {
      const { tenant, id } = run.record;
      const live = await reader.live(tenant, id).catch(absentIfDamaged);
      if (live?.value.worker !== store.worker || runner.active.has(name)) {
        runner.orphans.delete(name);
        continue;
      }
      await waker.adopt(live, false); // it stays an orphan until it is held again
      adopted++;
    }
    return adopted;
  }
}

/** A run whose header cannot be read must not keep the others waiting. */
function absentIfDamaged(error: unknown): null {
  if (isDamaged(error)) return null;
  throw error;
}
