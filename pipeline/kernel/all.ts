/** Branches that run at the same time. @module */
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";
import type { AllOptions } from "./context.ts";
import type { Stop } from "./stop.ts";
import type { Waits } from "./waits.ts";

/**
 * See `RunContext.all`.
 *
 * @param begin gives the branches, which `inner` stops
 */
export async function runAll<T>(
  waits: Waits,
  outer: Stop,
  begin: (inner: Stop) => (() => Promise<T>)[],
  { concurrency = 1, tolerate = 0 }: AllOptions,
): Promise<PromiseSettledResult<T>[]> {
  const { inner, leave } = outer.fork();
  const branches = begin(inner);
  const results: PromiseSettledResult<T>[] = [];
  let next = 0, failures = 0, finished = 0, fatal: unknown;
  const isTolerated = (reason: unknown) => {
    const isStopped = reason === inner.reason || toOrchestratorError(reason).kind === "cancelled";
    return !isStopped && ++failures <= tolerate;
  };
  // Begins a branch for each that ended by itself, whether all are stopped by then or not: so a
  // replay begins those that were begun before, and they can put right what they did.
  const work = async () => {
    while (next < branches.length) {
      const at = next++;
      try {
        results[at] = { status: "fulfilled", value: await branches[at]!() };
      } catch (reason) {
        results[at] = { status: "rejected", reason };
        if (isTolerated(reason)) continue;
        fatal ??= reason;
        return inner.stop(branchStopped());
      }
    }
  };
  // The branch that waits for the others cannot continue itself.
  const count = Math.max(1, Math.min(concurrency, branches.length));
  waits.branches += count - 1;
  await Promise.all(Array.from({ length: count }, async () => {
    await work();
    if (++finished === count) return;
    waits.branches--;
    waits.look();
  }));
  leave();
  outer.check();
  if (fatal !== undefined) throw fatal;
  return results;
}

function branchStopped(): OrchestratorError {
  return new OrchestratorError(
    "branch_stopped",
    "This branch was stopped because another one failed.",
    { kind: "cancelled" },
  );
}
