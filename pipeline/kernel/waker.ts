/**
 * Wakes suspended runs: when their time has come, when they receive a
 * message, when it is their turn.
 *
 * Boundary: claims waiting runs and hands them to the runner. It decides nothing about their content.
 *
 * Invariants
 * 1. A message that is on disk reaches its run, whatever its state: the sender notifies, a run
 *    that was just suspended is checked again, and a sweep reads all inboxes.
 * 2. A run is woken by one claim: the commit is refused if another worker was faster.
 * 3. Runs are woken no faster than they can be driven, so that a crowd that is due does not fill the
 *    memory.
 *
 * @module
 */
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";
import { isDamaged, type Key, keys, type Store, type Versioned } from "../../store/mod.ts";
import { ActiveRun, type ActiveRunDeps, runName } from "./active_run.ts";
import { Alarm } from "./alarm.ts";
import type { World } from "./clock.ts";
import type { ResumeReason } from "./events.ts";
import { emptyHistory, type History, readHistory } from "./history.ts";
import { cancelled, type Inbox } from "./inbox.ts";
import type { Reader } from "./reader.ts";
import type { KernelLog, Runner } from "./runner.ts";
import type { RunRecord } from "./runs.ts";
import { isToBlame } from "./suspects.ts";
import type { Slots } from "./slots.ts";
import { claimRun, type LiveRun, type WaitingRun, wakeRun } from "./transitions.ts";

/** What waking needs. */
export interface WakerOptions {
  store: Store;
  world: World;
  reader: Reader;
  runner: Runner;
  inbox: Inbox;
  slots: Slots;
  log: KernelLog;
  /** What every run needs. */
  runDeps: ActiveRunDeps;
  /** Runs driven at once. */
  concurrency: number;
}

/** Timers that are looked at in one round. */
const ROUND = 200;
/** Pause while the runner is full, in milliseconds. */
const CROWDED_MS = 20;

/** Wakes runs. */
export class Waker {
  readonly alarm: Alarm;
  /** Runs that are being looked at, and whether they were rung for meanwhile. */
  private readonly notifying = new Map<string, boolean>();

  constructor(private readonly options: WakerOptions) {
    this.alarm = new Alarm(options.world.clock);
  }

  /** Looks after a run for which there is a message, or which was just made. Never throws. */
  async notify(tenant: string, id: string): Promise<void> {
    const name = runName(tenant, id);
    if (this.notifying.has(name)) return void this.notifying.set(name, true);
    this.notifying.set(name, false);
    try {
      await this.look(tenant, id);
    } catch (error) {
      // The store itself has reported what is damaged.
      if (!isDamaged(error)) {
        this.options.log.warn("waking a run failed, will be retried", { run_id: id, error });
      }
    }
    const again = this.notifying.get(name);
    this.notifying.delete(name);
    if (again) await this.notify(tenant, id);
  }

  /** A run was suspended: what arrived for it in the last moment is not missed. */
  aside({ tenant, id }: RunRecord, due?: number): void {
    if (due !== undefined) this.alarm.set(due);
    void this.notify(tenant, id);
  }

  /** Wakes runs whose time has come until `signal` aborts. */
  async keepTime(signal: AbortSignal): Promise<void> {
    this.alarm.set(this.options.world.clock.now());
    while (!signal.aborted) {
      await this.alarm.ring(signal);
      if (signal.aborted) return;
      await this.timers(signal).catch((error) => {
        this.options.log.warn("reading timers failed, will be retried", { error });
        this.alarm.set(this.options.world.clock.now() + 1_000);
      });
    }
  }

  /** Wakes what is due and sets the alarm for what comes next. */
  async timers(signal?: AbortSignal): Promise<void> {
    const { store, world, runner, concurrency } = this.options;
    const prefix = keys.timers();
    let start: Key | undefined;
    do {
      const due: { tenant: string; id: string }[] = [];
      const now = world.clock.now();
      const selector = start ? { prefix, start } : { prefix };
      for await (const { key } of store.keys(selector, { limit: ROUND })) {
        const [, at, tenant, id] = key as [string, number, string, string];
        if (at > now) {
          this.alarm.set(at);
          break;
        }
        due.push({ tenant, id });
        start = [...key, 0]; // the next one: those that cannot be woken stay
      }
      for (const { tenant, id } of due) {
        if (runner.queuedCount > concurrency) await world.clock.sleep(CROWDED_MS, signal);
        await this.notify(tenant, id);
      }
      if (due.length < ROUND) return;
    } while (!signal?.aborted);
  }

  /** Claims a run from a worker that is dead or has released it. */
  async adopt(live: Versioned<LiveRun>, crashed: boolean, suspect = false): Promise<void> {
    const { store, log } = this.options;
    const { run: record } = live.value;
    const run = await this.load(record);
    run.journal.change(claimRun(live, store.worker));
    const reason = crashed ? "crashed" : "released";
    if (record.status !== "queued") {
      const { worker } = store;
      const more = suspect ? { suspect } as const : {};
      run.append({ type: "run.resumed", reason, worker, ...more });
      log.info("run resumed", { run_id: record.id, reason, steps: run.history.steps.size });
    }
    await this.start(run);
  }

  private async look(tenant: string, id: string): Promise<void> {
    const { runner, reader, inbox, slots, world } = this.options;
    const active = runner.active.get(runName(tenant, id));
    if (active) return await inbox.apply(active);
    const { live, waiting } = await reader.holder(tenant, id);
    if (live && this.isFree(live)) return await this.adopt(live, false);
    if (!waiting) return;
    const { run, due } = waiting.value;
    if (run.slot && run.slot.index === undefined) {
      const index = await slots.given(run);
      if (index !== undefined) return await this.wake(waiting, "signal", index);
    }
    if (due !== undefined && due <= world.clock.now()) return await this.wake(waiting, "timer");
    if (await inbox.wakes(tenant, id, run.status)) await this.wake(waiting, "signal");
  }

  /** No worker advances it: it was released, or this process lost it to a commit that was refused. */
  private isFree({ value: { worker, run } }: Versioned<LiveRun>): boolean {
    const { store, runner } = this.options;
    if (worker !== store.worker) return worker === "";
    return runner.orphans.get(runName(run.tenant, run.id))?.refused ?? false;
  }

  private async wake(
    waiting: Versioned<WaitingRun>,
    reason: ResumeReason,
    index?: number,
  ): Promise<void> {
    const { store, runner, slots } = this.options;
    const { waiting_for: _for, status, ...rest } = waiting.value.run;
    const fresh = status === "queued";
    const next = fresh && !runner.hasSlot ? "queued" as const : "running" as const;
    const run = await this.load({ ...rest, status: next });
    if (index !== undefined) run.record.slot = { ...run.record.slot!, index };
    run.journal.change(wakeRun(waiting, run.record, store.worker));
    if (index !== undefined) {
      run.journal.change({ checks: [], mutations: [slots.accept(run.record, run.record.slot!)] });
    }
    if (!fresh) run.append({ type: "run.resumed", reason, worker: store.worker });
    await this.start(run);
  }

  private async load(record: RunRecord): Promise<ActiveRun> {
    return new ActiveRun(record, await this.history(record), this.options.runDeps);
  }

  /** A run whose journal cannot be read ends: what it has done is unknown. */
  private async history({ tenant, id }: RunRecord): Promise<History> {
    const { reader } = this.options;
    try {
      return readHistory(await reader.journal(tenant, id));
    } catch (thrown) {
      if (!isDamaged(thrown)) throw thrown;
      const damaged = toOrchestratorError(thrown);
      return { ...emptyHistory(null), seq: await reader.lastCommit(tenant, id), damaged };
    }
  }

  /** From here on messages reach the run in memory. */
  private async start(run: ActiveRun): Promise<void> {
    const { runner, inbox } = this.options;
    const { history } = run;
    // A sweep and a notify may have found the same run: the first one to get here has it.
    if (runner.stopped || runner.active.has(run.name)) return;
    runner.hold(run);
    if (history.cancelling) run.stop(cancelled(history.cancelling.reason));
    if (history.damaged) run.stop(history.damaged);
    if (isToBlame(history)) run.stop(poisoned(run.record.id));
    await inbox.apply(run).catch((error) => run.journal.close(error));
    runner.take(run);
  }
}

function poisoned(id: string): OrchestratorError {
  return new OrchestratorError(
    "run_poisoned",
    `Run ${id} was set aside: it crashed the process repeatedly. Fix the cause, then redrive the run.`,
  );
}
