/** Those who wait for a run, also while it is not in this process's memory. @module */
import { toErrorJson, toOrchestratorError } from "../../errors.ts";
import type { ActiveRun } from "./active_run.ts";
import type { RunInfo, RunResult } from "./context.ts";
import type { KernelLog } from "./runner.ts";
import type { Engine, RunListener, StartedRun } from "./runs.ts";
import { shuttingDown } from "./shutting_down.ts";

/** What watching needs. */
export interface WatchingDeps {
  log: KernelLog;
  follow: Engine["follow"];
  result: Engine["result"];
  /** Aborted when the engine closes. */
  closing: AbortSignal;
}

/** Keeps listeners and results going while a run leaves and comes back. */
export class Watching {
  constructor(private readonly deps: WatchingDeps) {}

  /** Tells `listener` of everything, also after the run has left this process for a while. */
  tell({ info, feed, journal }: ActiveRun, listener: RunListener): void {
    const { follow, log, closing: signal } = this.deps;
    const { caller, id } = info;
    const lost = (error: unknown) => {
      if (toOrchestratorError(error).code === "not_found") return; // it was never made
      log.warn("following a run failed", { run_id: id, error });
    };
    feed.join(listener, () => {
      follow(caller, id, { after: journal.last, signal }, listener).catch(lost);
    });
  }

  /** A run as its starter sees it. */
  started(run: ActiveRun): StartedRun {
    const settle = () => this.settle(run);
    return {
      run: run.record,
      replayed: false,
      get result() {
        if (!run.awaited && run.gone) void settle();
        run.awaited = true;
        return run.result.promise;
      },
    };
  }

  /** A run has left this process: whoever awaits its result gets it all the same. */
  gone(run: ActiveRun): void {
    if (run.awaited) void this.settle(run);
  }

  private async settle({ info, result }: ActiveRun): Promise<void> {
    result.resolve(await this.outcome(info));
  }

  private async outcome({ caller, id }: RunInfo): Promise<RunResult> {
    const { follow, result, closing: signal } = this.deps;
    try {
      await follow(caller, id, { signal }, () => {});
      const end = await result(caller, id);
      return end ?? { status: "failed", error: toErrorJson(shuttingDown(id)) };
    } catch (error) {
      return { status: "failed", error: toErrorJson(error) };
    }
  }
}
