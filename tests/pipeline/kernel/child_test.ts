/** Runs within runs: made once, ended with the run around them, and told of once. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Json, RunFunction, RunRecord, RunResult } from "../../../pipeline/kernel/mod.ts";
import { childId, isChildSignal } from "../../../pipeline/kernel/mod.ts";
import { childRecord, childSignal } from "../../../pipeline/kernel/child.ts";
import { callerOf } from "../../_caller.ts";
import { allEnded, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { flaky, hang, oneNode, request, settle, T } from "./_harness.ts";

Deno.test("the id of a child follows from its run and step, and differs for any two of them", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      assert.equal(childId("run_1", one), childId("run_1", one));
      assert.match(childId("run_1", one), /^run_1\.[0-9a-f]{10}$/);
      assert.equal(childId("run_1", one) === childId("run_1", other), one === other);
      assert.notEqual(childId("run_1", one), childId("run_2", one));
      assert(isChildSignal(childSignal(childId("run_1", one))));
    }),
  );
  assert(!isChildSignal("approval/one"));
});

Deno.test("a child has what its run has but its slot, its attempts and its restart", () => {
  const parent: RunRecord = {
    id: "run_1",
    tenant: "acme",
    started_by: "ann",
    grants: ["tools:unasked"],
    pipeline: "outer",
    version: "1",
    status: "running",
    created_at: "2026-01-01T00:00:00Z",
    conversation_id: "c",
    priority: 3,
    attempts: 2,
    slot: { key: "k", limit: 1, index: 0 },
    restart: { run: "run_0", from: "a" },
    ancestors: ["run_00"],
    tainted: true,
  };
  const record = childRecord(parent, "sub", { pipeline: "inner", version: "2", input: 1 }, {
    tokens: 9,
  });
  assert.deepEqual(record, {
    id: childId("run_1", "sub"),
    tenant: "acme",
    started_by: "ann",
    grants: ["tools:unasked"],
    pipeline: "inner",
    version: "2",
    status: "queued",
    parent: { run: "run_1", step: "sub" },
    ancestors: ["run_00", "run_1"],
    priority: 3,
    conversation_id: "c",
    budget: { tokens: 9 },
  });
  const tainted = { pipeline: "inner", version: "2", input: 1, tainted: true };
  assert.equal(childRecord(parent, "sub", tainted, undefined).tainted, true);
});

/** The run around does `outer` with the result of the run within, which does `inner`. */
const family =
  (inner: RunFunction, outer: (end: RunResult) => Json = ({ status }) => status): RunFunction =>
  async (ctx, input) => {
    if (ctx.run.parent) return await inner(ctx, input);
    return outer(await ctx.child("sub", { pipeline: "p", version: "v", input: "in" }));
  };

const ENDS: Record<string, [inner: RunFunction, result: object]> = {
  completed: [
    (_ctx, input) => Promise.resolve([input]),
    { status: "completed", output: ["in"] },
  ],
  failed: [
    (ctx) => ctx.step("a", () => Promise.reject(flaky()), { retry: { max_attempts: 1 } }),
    { status: "failed" },
  ],
};

for (const [how, [inner, result]] of Object.entries(ENDS)) {
  Deno.test(`the end of a child that has ${how} is its run's to see, and ends nothing by itself`, async () => {
    const { world, node, cluster } = await oneNode(family(inner, (end) => end as unknown as Json));
    const { run, result: ended } = await settle(world, node().engine.start(T, request("out")));
    const end = await settle(world, ended);
    assert(end.status === "completed");
    assert.partialDeepStrictEqual(end.output, result);
    checkInvariants(cluster.db, [run.id], cluster.calls);
  });
}

Deno.test("a child that is cancelled by itself ends as cancelled for its run, with the reason", async () => {
  const { world, node, cluster } = await oneNode(
    family((ctx) => ctx.step("a", ({ signal }) => hang(signal)), (end) => end as unknown as Json),
  );
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(T, request()));
  await world.run(1_000, () => cluster.calls.length === 1);
  await settle(world, engine.cancel(T, childId(run.id, "sub"), "enough"));
  const end = await settle(world, result);
  assert(end.status === "completed");
  assert.partialDeepStrictEqual(end.output, { status: "cancelled", reason: "enough" });
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

const STOPPED: Record<string, RunFunction> = {
  "its branch is stopped": async (ctx) =>
    await ctx.group("fan", async (inner) => {
      await inner.all<unknown>([
        (branch) => branch.child("sub", { pipeline: "p", version: "v", input: "in" }),
        async (branch) => {
          await branch.wait("soon", { timeout_ms: 1_500 });
          return await branch.step("a", () => Promise.reject(flaky()), { retry: [] });
        },
      ]);
      return 1;
    }),
  "its group takes too long": (ctx) =>
    ctx.group("limited", async (inner) => {
      await inner.child("sub", { pipeline: "p", version: "v", input: "in" });
      return 1;
    }, { timeout_ms: 1_500 }),
};

for (const [why, outer] of Object.entries(STOPPED)) {
  Deno.test(`a child is cancelled once ${why}, also where its run goes on`, async () => {
    const { world, node, cluster } = await oneNode(async (ctx, input) => {
      if (ctx.run.parent) return await ctx.wait("never", { signal: "never" }) as Json;
      await outer(ctx, input).catch(() => {});
      return await ctx.wait("later", { timeout_ms: 10_000 }) as Json;
    });
    const { run, result } = await settle(world, node().engine.start(T, request()));
    const child = () => runsOf(cluster.db).find(({ id }) => id === childId(run.id, "sub"));
    await world.run(3_000, () => child()?.status === "cancelled");
    assert.equal(child()?.status, "cancelled");
    assert.equal(runsOf(cluster.db)[0]!.last_seq, undefined, "its run has not ended");
    assert.equal((await settle(world, result)).status, "completed");
    await world.run(3_000, () => cluster.db.list({ prefix: ["inbox"] }).length === 0);
    checkInvariants(cluster.db, [run.id], cluster.calls);
  });
}

Deno.test("a grandchild ends with the first run, whose name it acts in and which it names as its ancestor", async () => {
  const actors: string[] = [];
  const { world, node, cluster } = await oneNode(async (ctx) => {
    actors.push(ctx.run.caller.actor);
    if ((ctx.run.ancestors ?? []).length < 2) {
      await ctx.child("sub", { pipeline: "p", version: "v", input: null });
      return null;
    }
    return await ctx.step("work", ({ signal }) => hang(signal));
  });
  const bob = callerOf("t", "bob");
  const { run } = await settle(world, node().engine.start(bob, request()));
  await world.run(3_000, () => cluster.calls.length === 1);
  const [first, second, third] = runsOf(cluster.db);
  assert.deepEqual(third!.ancestors, [first!.id, second!.id]);
  await settle(world, node().engine.cancel(bob, run.id));
  await world.run(10_000, () => allEnded(cluster.db) && !cluster.db.list({ prefix: ["inbox"] })[0]);
  assert.deepEqual(runsOf(cluster.db).map(({ status }) => status), Array(3).fill("cancelled"));
  assert.deepEqual([...new Set(actors)], ["bob"]);
  checkInvariants(cluster.db, [run.id], []);
});

Deno.test("two children of one step name are a mistake, two of different names are two runs", async () => {
  const { world, node, cluster } = await oneNode(async (ctx, input) => {
    if (ctx.run.parent) return input;
    const child = (key: string) => ctx.child(key, { pipeline: "p", version: "v", input: key });
    const ends = [await child("one"), await child("two")];
    const outputs = ends.map((end) => end.status === "completed" ? end.output : end.status);
    await child("one");
    return outputs;
  });
  const { run, result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result);
  assert.equal(end.status === "failed" && end.error.code, "internal");
  assert.equal(runsOf(cluster.db).length, 3);
  const children = journalOf(cluster.db, run.id)
    .flatMap((event) => event.type === "step.started" ? [event.child] : []);
  assert.deepEqual(children, [childId(run.id, "one"), childId(run.id, "two")]);
});
