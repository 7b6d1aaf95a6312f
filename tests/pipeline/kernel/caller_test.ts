/** For whom runs act, and what tenants share of the engine. */
import assert from "node:assert/strict";
import { type Caller, localCaller } from "../../../guard/mod.ts";
import { createEngine, realWorld, type RunFunction } from "../../../pipeline/kernel/mod.ts";
import { callerOf } from "../../_caller.ts";
import { withStore } from "../_memory_store.ts";
import { oneNode, request, settle } from "./_harness.ts";

Deno.test("a run acts for whoever started it, and so do the runs within it", async () => {
  const acted: Caller[] = [];
  const program: RunFunction = async (ctx) => {
    acted.push(ctx.run.caller);
    if (ctx.run.parent) return null;
    await ctx.child("inner", { pipeline: "p", version: "v", input: 1 });
    return null;
  };
  const { world, node } = await oneNode(program);
  const ann = callerOf("acme", "ann", "tools:unasked");
  const { result } = await settle(world, node().engine.start(ann, request()));
  await settle(world, result);
  // The outer run is read again when the inner one has ended.
  assert(acted.length >= 2);
  for (const caller of acted) {
    assert.deepEqual(caller.toRecord(), ann.toRecord());
    assert.equal(caller.may("users:*"), false);
  }
});

Deno.test("a run that is resumed in another process acts for the same caller", async () => {
  const acted: Caller[] = [];
  const { world, cluster, node } = await oneNode(async (ctx) => {
    acted.push(ctx.run.caller);
    await ctx.wait("go", { signal: "go" });
    return null;
  });
  const ann = callerOf("acme", "ann");
  const { run } = await settle(world, node().engine.start(ann, request()));
  await world.run(100, () => false);
  cluster.crash(node(), 10);
  await world.run(60_000, () => cluster.nodes[0]?.open ?? false);
  await settle(world, node().engine.signal(ann, run.id, "go", 1));
  await world.run(60_000, () => acted.length > 1);
  assert.deepEqual(acted.map((caller) => caller.toRecord()), [ann.toRecord(), ann.toRecord()]);
});

Deno.test("a restarted run acts for whoever restarted it", async () => {
  const acted: string[] = [];
  const { world, node } = await oneNode(async (ctx) => {
    acted.push(ctx.run.caller.actor);
    return await ctx.step("a", () => 1);
  });
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(callerOf("acme", "ann"), request()));
  await settle(world, result);
  const bob = callerOf("acme", "bob");
  const again = await settle(world, engine.restart(bob, run.id, { from: "a" }));
  await settle(world, again.result);
  assert.deepEqual(acted, ["ann", "bob"]);
});

Deno.test("a tenant that fills its queue takes no place from another, up to the total", () =>
  withStore(async (store) => {
    const gate = Promise.withResolvers<void>();
    const engine = createEngine({
      store,
      world: realWorld(),
      log: { info() {}, warn() {}, error() {} },
      concurrency: 1,
      queue_limit: 2,
      queue_total: 3,
      idempotency_ttl_ms: 60_000,
      lease_ms: 15_000,
      sweep_ms: 1_000,
    });
    await engine.open(() => (ctx) =>
      ctx.step("work", async () => {
        await gate.promise;
        return null;
      })
    );
    const start = (tenant: string) =>
      engine.start(callerOf(tenant), { pipeline: "p", version: "v", input: null });
    const refused = (limit: string) => (error: { code: string; message: string }) =>
      error.code === "overloaded" && error.message.includes(limit);
    const started = [await start("big"), await start("big"), await start("big")];
    await assert.rejects(start("big"), refused("RUN_QUEUE_LIMIT"));
    started.push(await start("small"));
    await assert.rejects(start("small"), refused("RUN_QUEUE_TOTAL"));
    gate.resolve();
    for (const { result } of started) assert.equal((await result).status, "completed");
    const { result } = await engine.start(localCaller(), {
      pipeline: "p",
      version: "v",
      input: null,
    });
    assert.equal((await result).status, "completed");
    await engine.drain(1_000);
  }));
