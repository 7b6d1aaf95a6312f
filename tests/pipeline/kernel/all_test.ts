/** Branches of a run that is stopped: whatever they began they can put right, also on a replay. */
import assert from "node:assert/strict";
import { OrchestratorError } from "../../../errors.ts";
import type { Json, RunContext, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { allEnded, checkInvariants, runsOf } from "../../_sim/invariants.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

/** Books, then does `deal`; undoes the booking where that fails or is stopped. */
async function saga(ctx: RunContext, name: string, deal: () => Promise<unknown>): Promise<Json> {
  await ctx.step(`${name}/book`, () => 1);
  try {
    await deal();
    return name;
  } catch (error) {
    await ctx.cleanup((clean) => clean.step(`${name}/undo`, () => 1));
    throw error;
  }
}

/** Two at a time: the first waits, the second is through, the third waits, the others are not begun. */
const trip: RunFunction = async (ctx) =>
  await ctx.group("trip", async (inner) => {
    const wait = (branch: RunContext, name: string) => branch.wait(name, { signal: name });
    const branches = [
      (branch: RunContext) => wait(branch, "a"),
      (branch: RunContext) => saga(branch, "b", () => Promise.resolve()),
      ...["c", "d", "e"].map((name) => (branch: RunContext) =>
        saga(branch, name, () => wait(branch, name))
      ),
    ];
    return (await inner.all<unknown>(branches, { concurrency: 2 })).length;
  });

for (const crash of [false, true]) {
  const after = crash ? " after a crash" : "";
  Deno.test(`a cancelled run undoes what each branch began, and nothing of the others${after}`, async () => {
    const { world, node, cluster } = await oneNode(trip);
    const { run } = await settle(world, node().engine.start(T, request()));
    await world.run(2_000, () => runsOf(cluster.db)[0]!.status === "waiting");
    await settle(world, node().engine.cancel(T, run.id));
    if (crash) cluster.crash(node(), 10);
    assert(await world.run(20_000, () => allEnded(cluster.db)));
    const steps = [...new Set(cluster.calls.map(({ step }) => step))].sort();
    assert.deepEqual(steps, ["b/book", "c/book", "c/undo"]);
    assert.equal(runsOf(cluster.db)[0]!.status, "cancelled");
    checkInvariants(cluster.db, [run.id], cluster.calls);
  });
}

for (const [where, timeout_ms] of [["in memory", 700], ["out of it", 5_000]] as const) {
  Deno.test(`a time limit around branches undoes what they began, ${where}`, async () => {
    const { world, node, cluster } = await oneNode(async (ctx) => {
      const limited = (inner: RunContext) => trip(inner, null);
      return await ctx.group("limited", limited, { timeout_ms });
    });
    const { run, result } = await settle(world, node().engine.start(T, request()));
    const end = await settle(world, result);
    assert.equal(end.status === "failed" && end.error.code, "step_timeout");
    const undone = cluster.calls.flatMap(({ step }) => step.endsWith("undo") ? [step] : []);
    assert.deepEqual(undone, ["c/undo"]);
    checkInvariants(cluster.db, [run.id], cluster.calls);
  });
}

Deno.test("a failure that is one too many stops the branches that wait, and begins no other", async () => {
  for (const tolerate of [0, 1, 2]) {
    const { world, node, cluster } = await oneNode(async (ctx) =>
      await ctx.group("fan", async (inner) => {
        const branch = (name: string) => (branch: RunContext) =>
          saga(
            branch,
            name,
            () =>
              name === "wait"
                ? branch.wait(name, { timeout_ms: 30_000 })
                : branch.step(`${name}/fail`, () => {
                  throw new OrchestratorError("call_failed", `Cannot do ${name}.`);
                }),
          );
        const names = ["wait", "first", "second", "third"];
        const ends = await inner.all(names.map(branch), { concurrency: 2, tolerate });
        return ends.map((one) => one.status === "rejected" ? one.reason.message : one.value);
      })
    );
    const { run, result } = await settle(world, node().engine.start(T, request()));
    const end = await settle(world, result);
    const failures = ["first", "second", "third"].slice(0, tolerate + 1);
    assert.equal(
      end.status === "failed" && end.error.message,
      `Cannot do ${failures.at(-1)}.`,
      "the one that was too many",
    );
    const undone = cluster.calls.flatMap(({ step }) => step.endsWith("undo") ? [step] : []);
    assert.deepEqual(undone, [...failures, "wait"].map((name) => `${name}/undo`));
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});
