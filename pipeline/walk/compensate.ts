/**
 * Puts right what a run did before it failed or was cancelled: for every visit that began, the last
 * one first, the nodes of its `on_fail` or `on_cancel`.
 *
 * Step keys are `undo/NODE`, after the key of the graph around it, `undo/NODE#2` when it runs again.
 * They do not depend on the order in which branches went on at the same time.
 *
 * @module
 */
import { OrchestratorError, toErrorJson } from "../../errors.ts";
import type { RunContext } from "../kernel/mod.ts";
import { failureOf } from "../nodes/mod.ts";
import type { Begun, Walk } from "../language/mod.ts";
import type { CompiledGraph } from "./walk.ts";

/** What could not be put right. */
interface Failed {
  node: string;
  code: string;
  message: string;
}

/**
 * Runs the compensation of a run that ended with `error`.
 *
 * @returns the error, with what could not be put right in `details.compensation_errors`
 */
export async function compensate(
  ctx: RunContext,
  graphs: ReadonlyMap<string, CompiledGraph>,
  { begun, budget }: Walk,
  error: OrchestratorError,
): Promise<OrchestratorError> {
  const list = error.code === "run_cancelled" ? "on_cancel" : "on_fail";
  const due = begun.toReversed().flatMap((visit) => {
    const names = graphs.get(visit.graph)!.places.get(visit.node)!.undo?.[list] ?? [];
    return names.map((name) => ({ visit, name }));
  });
  if (due.length === 0) return error;
  const failed = await ctx.cleanup(async (inner) => {
    const failed: Failed[] = [];
    const visits = new Map<string, number>();
    for (const { visit, name } of due) {
      const key = `undo/${visit.prefix}${name}`;
      const count = (visits.get(key) ?? 0) + 1;
      visits.set(key, count);
      const walk = { budget: { ...budget, left: budget.max_steps }, begun: [] };
      const why = await undo(inner, graphs, visit, {
        name,
        key: count === 1 ? key : `${key}#${count}`,
        error,
        walk,
      });
      if (why) failed.push(why);
    }
    return failed;
  });
  return failed.length === 0 ? error : withDetails(error, failed);
}

/** Runs one node. It sees what came before the end, not what other compensation gave. */
async function undo(
  ctx: RunContext,
  graphs: ReadonlyMap<string, CompiledGraph>,
  { graph, scope }: Begun,
  { name, key, error, walk }: { name: string; key: string; error: OrchestratorError; walk: Walk },
): Promise<Failed | undefined> {
  const { code, message } = error;
  const place = graphs.get(graph)!.places.get(name)!;
  try {
    await place.run(ctx, key, { ...scope, error: { code, message } }, walk);
  } catch (thrown) {
    const why = failureOf(ctx, thrown);
    if (!why) throw thrown;
    return { node: key.slice("undo/".length), code: why.code, message: why.message };
  }
}

function withDetails(error: OrchestratorError, failed: Failed[]): OrchestratorError {
  const details = { ...error.details, compensation_errors: failed };
  return new OrchestratorError(error.code, error.message, {
    ...toErrorJson(error),
    details,
    cause: error.cause,
  });
}
