import assert from "node:assert/strict";
import { OrchestratorError } from "../../../errors.ts";
import type { RunContext, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { Stop } from "../../../pipeline/kernel/stop.ts";
import { type Leave, Waits } from "../../../pipeline/kernel/waits.ts";
import { setJson } from "../../../store/mod.ts";
import { checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimProcess, SimWorld } from "../../_sim/world.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

/** Waits in virtual time, with what they decided: that the run stays, or what it leaves with. */
function fixture() {
  const world = new SimWorld(1);
  const decided: ("stay" | Leave)[] = [];
  const waits = new Waits(world.of(new SimProcess("w")).clock, {
    leave: (what) => void decided.push(what),
    stay: () => void decided.push("stay"),
  });
  const over: string[] = [];
  const began = world.now;
  return {
    world,
    waits,
    decided,
    over,
    began,
    /** Parks a branch; how that ended goes to `over`. */
    park(step: string, more: { until?: number; signal?: string; gated?: boolean } = {}) {
      const stop = new Stop();
      waits.park(stop, { step, ...more }).then(
        () => over.push(`${step} goes on`),
        (error) => over.push(`${step} ${error.code}`),
      );
      return stop;
    },
    pass: (ms: number) => {
      world.at(ms, undefined, () => {});
      return world.run(ms, () => false);
    },
  };
}

Deno.test("a run leaves memory with what its branches wait for, and when the first of it is due", async () => {
  const { waits, park, pass, decided, began } = fixture();
  waits.branches = 3;
  park("signal", { signal: "go" });
  park("time", { until: began + 60_000 });
  park("both", { signal: "stop", until: began + 5_000 });
  await pass(0);
  assert.deepEqual(decided, [{
    waiting_for: [
      { step: "signal", signal: "go" },
      { step: "time", until: new Date(began + 60_000).toISOString() },
      { step: "both", signal: "stop", until: new Date(began + 5_000).toISOString() },
    ],
    due: began + 5_000,
  }]);
});

const STAYS: Record<string, (made: ReturnType<typeof fixture>) => void> = {
  "a branch works": ({ waits }) => void (waits.branches = 2),
  "a step runs": ({ waits }) => void (waits.running = 1),
  "a wait is over within a second": ({ park, began }) => void park("soon", { until: began + 999 }),
  "a group has to end within a second": ({ waits, began }) => waits.setDeadline("g", began + 999),
};

for (const [why, prepare] of Object.entries(STAYS)) {
  Deno.test(`a run stays in memory while ${why}`, async () => {
    const made = fixture();
    made.park("gate", { signal: "go" });
    prepare(made);
    await made.pass(0);
    assert.deepEqual(made.decided, ["stay"]);
  });
}

Deno.test("a deadline that was called off is none, and a later one is when the run is due", async () => {
  const { waits, park, pass, decided, began } = fixture();
  waits.setDeadline("first", began + 10);
  waits.setDeadline("first", undefined);
  waits.setDeadline("second", began + 8_000);
  park("gate", { signal: "go" });
  await pass(0);
  assert.deepEqual(decided, [{
    waiting_for: [{ step: "gate", signal: "go" }],
    due: began + 8_000,
  }]);
});

Deno.test("a branch goes on when its time has come, when it is woken, or when it is stopped", async () => {
  const { waits, park, pass, over, began } = fixture();
  waits.branches = 9;
  park("time", { until: began + 300 });
  park("past", { until: began - 1 });
  park("signal", { signal: "go" });
  park("other", { signal: "other" });
  const stop = park("stopped", { until: began + 100 });
  stop.stop(new OrchestratorError("branch_stopped", "Stopped.", { kind: "cancelled" }));
  await pass(0);
  assert.deepEqual(over, ["stopped branch_stopped", "past goes on"]);
  waits.wake(({ signal }) => signal === "go");
  await pass(200);
  assert.deepEqual(over.slice(2), ["signal goes on"]);
  await pass(200);
  assert.deepEqual(over.slice(3), ["time goes on"]);
});

Deno.test("a branch that was stopped before does not wait at all", async () => {
  const { waits, decided, pass } = fixture();
  const stop = new Stop();
  stop.stop(new OrchestratorError("run_cancelled", "Cancelled.", { kind: "cancelled" }));
  await assert.rejects(waits.park(stop, { step: "gate" }), { code: "run_cancelled" });
  await pass(0);
  assert.deepEqual(decided, []);
});

Deno.test("after the end no wait goes on, and nothing is decided", async () => {
  const { waits, park, pass, over, decided, began } = fixture();
  waits.branches = 2;
  park("soon", { until: began + 300 });
  waits.end();
  await pass(60_000);
  assert.deepEqual([over, decided], [[], []]);
});

/** A branch that uses a tool and asks for something, beside `other`. */
const asking = (other: (branch: RunContext) => Promise<unknown>): RunFunction => (ctx) =>
  ctx.group("both", async (inner) => {
    const enter = () => ({ checks: [], mutations: [setJson(["question", "t"], "may I?")] });
    const ends = await inner.all<unknown>([other, async (branch) => {
      await branch.step("tool", () => 1);
      return await branch.wait("ask", { signal: "go", enter });
    }]);
    return ends.length;
  });

Deno.test("what a branch did and asks for is on disk while another one works or waits for a moment", async () => {
  const others: Record<string, (world: SimWorld) => (branch: RunContext) => Promise<unknown>> = {
    "a long step": (world) => (branch) =>
      branch.step(
        "long",
        () => new Promise<number>((done) => world.at(60_000, undefined, () => done(1))),
      ),
    "short waits": () => async (branch) => {
      for (let n = 0; n < 100; n++) await branch.wait(`short${n}`, { timeout_ms: 600 });
    },
  };
  for (const [what, other] of Object.entries(others)) {
    const { world, node, cluster } = await oneNode((ctx) => asking(other(world))(ctx, null));
    const { run, result } = await settle(world, node().engine.start(T, request()));
    await world.run(100, () => false);
    const asked = journalOf(cluster.db, run.id).map((event) => "step" in event && event.step);
    assert(asked.includes("ask"), what);
    assert(cluster.db.get(["question", "t"]), what);
    assert.equal(runsOf(cluster.db)[0]!.status, "running");
    await settle(world, node().engine.signal(T, run.id, "go", 1));
    assert.equal((await settle(world, result, 120_000)).status, "completed");
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});
