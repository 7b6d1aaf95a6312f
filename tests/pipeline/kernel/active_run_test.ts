import assert from "node:assert/strict";
import type { EmitOptions, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { journalOf } from "../../_sim/invariants.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

/** Steps of the events that a run got from one two levels below it. */
async function surfaced(options?: EmitOptions): Promise<unknown[]> {
  const nest: RunFunction = async (ctx) => {
    if (ctx.run.ancestors?.length === 2) {
      ctx.emit({ type: "budget.raised", step: "deep", budget: {} }, options);
      return null;
    }
    await ctx.child("sub", { pipeline: "q", version: "v", input: null });
    return null;
  };
  const { world, node, cluster } = await oneNode(nest);
  const { run, result } = await settle(world, node().engine.start(T, request()));
  await settle(world, result);
  return journalOf(cluster.db, run.id).flatMap((event) =>
    event.type === "budget.raised" ? [[event.step, "run" in event]] : []
  );
}

Deno.test("an event is seen in the runs around its own where it asks for that, whatever its type", async () => {
  assert.deepEqual(await surfaced({ surface: true }), [["sub", true]]);
  assert.deepEqual(await surfaced(), []);
});
