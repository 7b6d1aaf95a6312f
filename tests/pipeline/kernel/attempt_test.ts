/** Attempts that are over but do not know it: what they still do changes nothing. */
import assert from "node:assert/strict";
import type { RunEvent, StepScope } from "../../../pipeline/kernel/mod.ts";
import { checkInvariants, journalOf } from "../../_sim/invariants.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

/** A step whose first attempt ignores its time limit and ends as `late` does, after the second began. */
async function outlived(late: (scope: StepScope) => number) {
  const shown: string[] = [];
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.step("a", async (scope) => {
      const pause = (ms: number) => new Promise<void>((done) => world.at(ms, undefined, done));
      scope.delta(`${scope.attempt} `);
      if (scope.attempt > 1) {
        await pause(400);
        return 2;
      }
      await pause(700);
      return late(scope);
    }, { timeout_ms: 500, retry: { interval_ms: 0, max_attempts: 2 } })
  );
  const show = (event: RunEvent) => {
    if (event.type === "step.delta") shown.push(event.text);
    if (event.type === "step.snapshot") shown.push(`= ${event.text}`);
    if (event.type === "step.failed" || event.type === "step.completed") shown.push(event.type);
  };
  const { run, result } = await settle(world, node().engine.start(T, request(), show));
  const end = await settle(world, result);
  checkInvariants(cluster.db, [run.id], cluster.calls);
  const types = journalOf(cluster.db, run.id).map(({ type }) => type);
  return { output: end.status === "completed" && end.output, shown, types };
}

const TYPES = [
  "run.started",
  "step.started",
  "step.failed",
  "step.started",
  "step.completed",
  "run.completed",
];

Deno.test("the result or failure of an attempt whose time is over is not recorded", async () => {
  for (
    const late of [() => 1, () => {
      throw new Error("late");
    }]
  ) {
    const { output, types } = await outlived(late);
    assert.equal(output, 2);
    assert.deepEqual(types, TYPES);
  }
});

Deno.test("text of an attempt whose time is over is not mixed into that of the next", async () => {
  const { shown } = await outlived(({ delta, reset }) => {
    reset();
    delta("late");
    return 1;
  });
  assert.deepEqual(shown, ["1 ", "step.failed", "2 ", "step.completed"]);
});
