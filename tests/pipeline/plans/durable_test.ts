/** Plans on the real kernel: straight through, and with a crash at every commit. */
import assert from "node:assert/strict";
import { OrchestratorError } from "../../../errors.ts";
import type { JournalEvent, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { planState } from "../../../pipeline/plans/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { request, T } from "../kernel/_harness.ts";
import { act, planDefinition, planDeps, planOf } from "./_plans.ts";
import { createProgram } from "../../../pipeline/walk/interpreter.ts";

/** Two steps at a time, both of which have to try twice, then one that fails; then a better plan. */
const PLANS = [
  planOf(
    { ...act("left", { give: "l", flaky: true }), max_attempts: 2 },
    { ...act("right", { give: "r", flaky: true }), max_attempts: 2 },
    act("both", { give: "${ steps.left.output & steps.right.output }" }),
    act("bad", { fail: true }, "left"),
    act("after_bad", {}, "bad"),
  ),
  planOf(
    act("better", { give: "${ steps.both.output & '!' }" }),
    act("end", { give: "${ steps.better.output & goal }" }),
  ),
];

async function program(): Promise<RunFunction> {
  const deps = planDeps(PLANS, (args, step) => {
    if (args.fail) throw new OrchestratorError("call_failed", "It is broken.");
    if (args.flaky && !step.includes("~2")) {
      throw new OrchestratorError("model_refused", "Not now.", {
        kind: "retryable",
        retry_after_ms: 5_000,
      });
    }
    return args.give!;
  });
  return createProgram(await planDefinition(), { ...deps, model_retry: { max_attempts: 1 } });
}

/** Runs a plan to its end; `crash` says at which commit the process is killed, and when. */
async function play(
  run: RunFunction,
  crash?: { moment: "before" | "after"; n: number },
): Promise<{ events: JournalEvent[]; crashed: boolean; calls: string[] }> {
  const world = new SimWorld(1);
  const cluster = new Cluster(world, () => run);
  const node = cluster.boot();
  await world.run(2000, () => node.open);
  let count = 0, crashed = false;
  node.kv.onCommit = (when) => {
    if (when !== crash?.moment || ++count !== crash.n || node.process.dead) return;
    crashed = true;
    cluster.crash(node, 10);
  };
  node.engine.start(T, request({ goal: "x" })).catch(() => {});
  await world.run(1000, () => runsOf(cluster.db).length > 0);
  const [record] = runsOf(cluster.db);
  // The process died before the run was on disk: nothing was acknowledged.
  if (!record) return { events: [], crashed, calls: [] };
  const ended = () => runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined);
  await world.run(120_000, ended);
  assert(ended(), "the run has not ended");
  checkInvariants(cluster.db, [record.id], cluster.calls);
  const calls = cluster.calls.map(({ step, attempt }) => `${step} ${attempt}`);
  return { events: journalOf(cluster.db, record.id), crashed, calls };
}

function check(events: JournalEvent[]): void {
  const last = events.at(-1)!;
  assert.deepEqual(last.type === "run.completed" && last.output, {
    goal: "x",
    summary: "As planned.",
    rounds: 2,
    steps: { left: "l", right: "r", both: "lr", better: "lr!", end: "lr!x" },
    output: "lr!x",
  });
  const state = planState(events, "a");
  assert.deepEqual(
    state.steps.map(({ id, status, round, attempts }) => [id, status, round, attempts]),
    [
      ["left", "completed", 1, 2],
      ["right", "completed", 1, 2],
      ["both", "completed", 1, 1],
      ["better", "completed", 2, 1],
      ["end", "completed", 2, 1],
    ],
  );
  assert.deepEqual(state.earlier.map(({ round, failed }) => [round, failed.map(({ id }) => id)]), [
    [1, ["bad"]],
  ]);
}

Deno.test("a plan whose steps all wait leaves memory, and is planned anew once", async () => {
  const { events, calls } = await play(await program());
  check(events);
  const waits = events.filter((event) => event.type === "run.waiting");
  assert(
    waits.some((event) => event.for.length === 2),
    "it did not leave memory while both steps paused",
  );
  assert.deepEqual(new Set(calls).size, calls.length, "a step ran twice");
});

for (const moment of ["before", "after"] as const) {
  Deno.test(`a crash ${moment} any commit changes nothing of what a plan does`, async () => {
    const run = await program();
    let n = 1;
    for (;; n++) {
      const { events, crashed } = await play(run, { moment, n });
      if (events.length > 0) check(events);
      if (!crashed) break;
    }
    assert(n > 15, `only ${n} commits were tried`);
  });
}
