/** Messages for runs: none is ever out of sight. */
import assert from "node:assert/strict";
import type { Json, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { keys, setJson } from "../../../store/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { allEnded, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

const GO = { type: "signal", name: "go", payload: 1 };

/** Runs that wait for a signal, the first of them paused. */
async function waitingRuns(count: number) {
  const { world, node, cluster } = await oneNode(async (ctx) =>
    await ctx.wait("gate", { signal: "go" }) as Json
  );
  const { engine } = node();
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const { run } = await settle(world, engine.start(T, request()));
    if (n === 0) await settle(world, engine.pause(T, run.id));
    ids.push(run.id);
  }
  const statuses = () => runsOf(cluster.db).map(({ status }) => status).join();
  const settled = ["paused", ...Array(count - 1).fill("waiting")].join();
  assert(await world.run(5_000, () => statuses() === settled), statuses());
  await world.run(50, () => false); // who put them aside has looked at their inboxes
  /** Commits messages for a run as a process does that dies before it rings. */
  const leave = (id: string, messages: number, first = 0) => {
    const all = Array.from({ length: messages }, (_, n) => {
      const message = (first + n).toString().padStart(8, "0");
      return setJson(keys.message("t", id, message), GO);
    });
    cluster.db.apply({ checks: [], mutations: all.flat() });
  };
  const endedOf = () => runsOf(cluster.db).filter(({ last_seq }) => last_seq !== undefined);
  return { world, node, cluster, ids, leave, endedOf };
}

for (const crash of [false, true]) {
  Deno.test(`a message behind 1,005 of a paused run is found${crash ? " after a restart" : ""}`, async () => {
    const { world, node, cluster, ids, leave, endedOf } = await waitingRuns(2);
    const [paused, waiting] = ids as [string, string];
    assert(paused < waiting);
    leave(paused, 1_005);
    leave(waiting, 1);
    if (crash) cluster.crash(node(), 10);
    await world.run(10_000, () => endedOf().length === 1);
    assert.deepEqual(endedOf().map(({ id }) => id), [waiting]);
    await settle(world, node().engine.resume(T, paused));
    await world.run(10_000, () => endedOf().length === 2);
    checkInvariants(cluster.db, ids, cluster.calls);
  });
}

Deno.test("messages of runs that have ended are cleared away, however many there are", async () => {
  const { world, cluster, ids, leave, endedOf } = await waitingRuns(2);
  const [, waiting] = ids as [string, string];
  leave(waiting, 1);
  await world.run(10_000, () => endedOf().length === 1);
  leave(waiting, 2_500, 10);
  const inbox = () => cluster.db.list({ prefix: keys.inbox("t", waiting) }).length;
  await world.run(10_000, () => inbox() === 0);
  assert.equal(inbox(), 0);
});

/** A run that waits for `go`, and books something to be undone. */
const booking: RunFunction = async (ctx) => {
  try {
    return await ctx.wait("gate", { signal: "go" }) as Json;
  } catch (error) {
    await ctx.cleanup((clean) => clean.step("undo", () => 2));
    throw error;
  }
};

Deno.test("a cancel ends a pause, so that the run can clean up", async () => {
  for (const crash of [false, true]) {
    const { world, node, cluster } = await oneNode(booking);
    const { run } = await settle(world, node().engine.start(T, request()));
    await settle(world, node().engine.pause(T, run.id));
    await world.run(2_000, () => runsOf(cluster.db)[0]!.status === "paused");
    await settle(world, node().engine.cancel(T, run.id));
    if (crash) cluster.crash(node(), 10);
    assert(await world.run(10_000, () => allEnded(cluster.db)), runsOf(cluster.db)[0]!.status);
    assert.equal(runsOf(cluster.db)[0]!.status, "cancelled");
    assert.deepEqual(cluster.calls.map(({ step }) => step), ["undo"]);
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});

Deno.test("a cleanup can be paused, too, and a second cancel changes nothing", async () => {
  const { world, node, cluster } = await oneNode(async (ctx) => {
    try {
      return await ctx.wait("gate", { signal: "go" }) as Json;
    } catch (error) {
      await ctx.cleanup(async (clean) => {
        await clean.wait("soon", { timeout_ms: 2_000 });
        await clean.step("undo", () => 2);
      });
      throw error;
    }
  });
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(T, request()));
  await settle(world, engine.cancel(T, run.id, "first"));
  await settle(world, engine.pause(T, run.id));
  await settle(world, engine.cancel(T, run.id, "second"));
  await world.run(10_000, () => false);
  assert.equal(runsOf(cluster.db)[0]!.status, "paused");
  await settle(world, engine.resume(T, run.id));
  const end = await settle(world, result);
  assert.equal(end.status === "cancelled" && end.reason, "first");
  const cancels = journalOf(cluster.db, run.id).filter(({ type }) => type === "run.cancelling");
  assert.equal(cancels.length, 1);
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("a run can be resumed as soon as its pause is acknowledged, whatever else is asked of it", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const world = new SimWorld(seed);
    const cluster = new Cluster(world, () => booking);
    const node = cluster.boot();
    await world.run(2_000, () => node.open);
    cluster.faults = { ...cluster.faults, latency_ms: 8 };
    const { engine } = node;
    const { run, result } = await settle(world, engine.start(T, request()));
    const meddle = async () => {
      await Promise.all([engine.signal(T, run.id, "other", 1), engine.pause(T, run.id)]);
      await engine.resume(T, run.id);
      await engine.signal(T, run.id, "go", 1);
    };
    await settle(world, meddle());
    assert.equal((await settle(world, result)).status, "completed");
    const resumed = engine.resume(T, run.id);
    await assert.rejects(settle(world, resumed), { code: "conflict" });
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});

Deno.test("a pause and a resume are journaled in the order in which they were asked for", async () => {
  const { world, node, cluster } = await oneNode(booking);
  const { engine } = node();
  const { run } = await settle(world, engine.start(T, request()));
  const meddle = async () => {
    for (let n = 0; n < 3; n++) {
      await engine.pause(T, run.id, `${n}`);
      await engine.resume(T, run.id);
    }
  };
  await settle(world, meddle());
  await assert.rejects(settle(world, engine.resume(T, run.id)), { code: "conflict" });
  await settle(world, engine.signal(T, run.id, "go", 1));
  await world.run(5_000, () => allEnded(cluster.db));
  const pauses = journalOf(cluster.db, run.id).flatMap((event) => {
    if (event.type === "run.paused") return [event.reason];
    return event.type === "run.resumed" && event.reason === "unpaused" ? ["resumed"] : [];
  });
  assert.deepEqual(pauses, ["0", "resumed", "1", "resumed", "2", "resumed"]);
  checkInvariants(cluster.db, [run.id], cluster.calls);
});
