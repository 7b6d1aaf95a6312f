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
  if (branches.length === 0) return [];
  const results: PromiseSettledResult<T>[] = [];
  // Stopped already: a replay, in which branches get as far as they did before.
  const isReplay = inner.reason !== undefined;
  let next = 0, failures = 0, finished = 0, fatal: unknown;
  const goesOn = () => isReplay ? fatal === undefined : inner.reason === undefined;
  const failed = (reason: unknown) => {
    const isStopped = reason === inner.reason || toOrchestratorError(reason).kind === "cancelled";
    if (!isStopped && ++failures <= tolerate) return;
    fatal ??= reason;
    inner.stop(branchStopped());
  };
  const work = async () => {
    while (next < branches.length && goesOn()) {
      const at = next++;
      try {
        results[at] = { status: "fulfilled", value: await branches[at]!() };
      } catch (reason) {
        results[at] = { status: "rejected", reason };
        failed(reason);
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
