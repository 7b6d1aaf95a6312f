/** What `parallel` and `map` share: running branches of which some may fail. @module */
import { type ErrorJson, toErrorJson } from "../../errors.ts";
import type { AllOptions, Json, RunContext } from "../kernel/mod.ts";

/** One branch. */
export type Branch = (ctx: RunContext) => Promise<Json>;

/**
 * Runs branches at the same time.
 *
 * @param tolerated branches that may fail; their output is {@linkcode failure}
 * @returns the outputs in the order of `branches`
 */
export async function runBranches(
  ctx: RunContext,
  branches: Branch[],
  tolerated: number | "all" = 0,
  options: Pick<AllOptions, "concurrency"> = {},
): Promise<Json[]> {
  const tolerate = tolerated === "all" ? branches.length : tolerated;
  const results = await ctx.all(branches, { tolerate, ...options });
  return results.map((result) => {
    if (result.status === "fulfilled") return result.value;
    const error = toErrorJson(result.reason);
    // Not a failure of the branch: a stop was requested, or nothing can be recorded.
    if (error.kind === "cancelled" || error.code === "store_unavailable") throw result.reason;
    return failure(error);
  });
}

/** What stands in the place of an output: no more of an error than templates need. */
export function failure({ code, message }: Pick<ErrorJson, "code" | "message">): Json {
  return { error: { code, message } };
}
