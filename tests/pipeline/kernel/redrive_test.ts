/** Failed runs that go on: in their place, and not beside those who have it. */
import assert from "node:assert/strict";
import { OrchestratorError } from "../../../errors.ts";
import type { Json } from "../../../pipeline/kernel/mod.ts";
import { allEnded, journalOf, runsOf } from "../../_sim/invariants.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { SimWorld } from "../../_sim/world.ts";
import { request, settle, T } from "./_harness.ts";

const concurrency = { key: "k", limit: 1, on_busy: "enqueue" as const };

/** Runs with one place, of which the first attempt of each fails. */
async function failing(alone: boolean) {
  const world = new SimWorld(1);
  const failed = new Set<string>();
  let running = 0, most = 0;
  const order: Json[] = [];
  const cluster = new Cluster(world, (process) => (ctx, input) =>
    ctx.step("work", async () => {
      if (input !== "good" && !failed.has(ctx.run.id)) {
        failed.add(ctx.run.id);
        throw new OrchestratorError("call_failed", "no");
      }
      most = Math.max(most, ++running);
      await new Promise<void>((done) => world.at(1_000, process, done));
      running--;
      order.push(input);
      return 1;
    }, { retry: { max_attempts: 1 } }), { alone });
  const node = cluster.boot();
  await world.run(5_000, () => node.open);
  const start = async (input: Json) => {
    const { run } = await settle(world, node.engine.start(T, request(input, { concurrency })));
    return run.id;
  };
  const fail = async (input: Json) => {
    const id = await start(input);
    const hasFailed = () => runsOf(cluster.db).some((run) => run.id === id && run.last_seq);
    await world.run(5_000, hasFailed);
    return id;
  };
  const redrive = (id: string) => settle(world, node.engine.redrive(T, id));
  const end = async () => {
    assert(await world.run(30_000, () => allEnded(cluster.db)), "every run ends");
    for (const prefix of ["slot", "turn", "live", "waiting"]) {
      assert.equal(cluster.db.list({ prefix: [prefix] }).length, 0, prefix);
    }
    assert.deepEqual(runsOf(cluster.db).map(({ status }) => status), order.map(() => "completed"));
    return { most, order };
  };
  return { world, cluster, node, start, fail, redrive, end };
}

for (const alone of [true, false]) {
  const where = alone ? "in one process" : "beside other processes";
  Deno.test(`a redriven run waits for its place while others have it, ${where}`, async () => {
    const { start, fail, redrive, end } = await failing(alone);
    const [first, second] = [await fail("first"), await fail("second")];
    await start("good");
    await start("good");
    await redrive(first);
    await redrive(second);
    assert.deepEqual(await end(), { most: 1, order: ["good", "first", "second", "good"] });
  });

  Deno.test(`a redriven run takes its place where it is free, and others wait for it, ${where}`, async () => {
    const { start, fail, redrive, end } = await failing(alone);
    const first = await fail("first");
    await redrive(first);
    await start("good");
    await start("good");
    assert.deepEqual(await end(), { most: 1, order: ["first", "good", "good"] });
  });
}

Deno.test("a redriven run that waits for its place survives a crash and can be cancelled", async () => {
  const { world, cluster, start, fail, redrive } = await failing(true);
  const ids = [await fail("first"), await fail("second")];
  await start("good");
  for (const id of ids) await redrive(id);
  cluster.crash(cluster.nodes[0]!, 10);
  await world.run(200, () => cluster.nodes[0]?.open ?? false);
  await settle(world, cluster.nodes[0]!.engine.cancel(T, ids[1]!));
  await world.run(30_000, () => allEnded(cluster.db));
  assert.deepEqual(runsOf(cluster.db).map(({ status }) => status), [
    "completed",
    "cancelled",
    "completed",
  ]);
  const types = journalOf(cluster.db, ids[0]!).map(({ type }) => type);
  assert.equal(types.filter((type) => type === "run.resumed").length, 1);
});

Deno.test("two redrives of one run at once: one is refused, the run goes on once", async () => {
  const { fail, node, world, end } = await failing(true);
  const id = await fail("first");
  const both = [node.engine.redrive(T, id), node.engine.redrive(T, id)];
  const outcomes = await settle(world, Promise.allSettled(both));
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.deepEqual(await end(), { most: 1, order: ["first"] });
});
