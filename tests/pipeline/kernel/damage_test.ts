/** Records of the kernel that cannot be read: their run ends or stays, and no other run notices. */
import assert from "node:assert/strict";
import type { RunFunction, RunRecord } from "../../../pipeline/kernel/mod.ts";
import type { Key } from "../../../store/mod.ts";
import type { Cluster } from "../../_sim/cluster.ts";
import { runsOf } from "../../_sim/invariants.ts";
import { hang, oneNode, request, settle, T } from "./_harness.ts";

/** Flips a bit in the last byte of the first value below a prefix. */
function damage({ db }: Cluster, prefix: Key): void {
  const [entry] = db.list({ prefix });
  const set = entry!.value.with(-1, entry!.value.at(-1)! ^ 1);
  db.apply({ checks: [], mutations: [{ key: entry!.key, set }] });
}

const find = (cluster: Cluster, id: string): RunRecord => {
  return runsOf(cluster.db).find((run) => run.id === id)!;
};

/** Waits for a signal, or runs for ever, or not at all. */
const program: RunFunction = async (ctx, input) => {
  await ctx.step("a", () => 1);
  if (input === "wait") await ctx.wait("gate", { signal: "go" });
  if (input === "hang") await ctx.step("b", ({ signal }) => hang(signal));
  return 2;
};

Deno.test("a waiting run whose journal is damaged fails when it is woken; its slot is free again", async () => {
  const { world, node, cluster } = await oneNode(program);
  const { engine } = node();
  const concurrency = { key: "k", limit: 1, on_busy: "enqueue" as const };
  const { run } = await settle(world, engine.start(T, request("wait", { concurrency })));
  await world.run(2_000, () => find(cluster, run.id).status === "waiting");
  const next = await settle(world, engine.start(T, request("quick", { concurrency })));
  damage(cluster, ["journal", "t", run.id]);
  await settle(world, engine.signal(T, run.id, "go", 1));
  await world.run(5_000, () => find(cluster, run.id).last_seq !== undefined);
  assert.equal(find(cluster, run.id).error?.code, "value_damaged");
  assert.equal((await settle(world, next.result)).status, "completed");
  await assert.rejects(settle(world, engine.journal(T, run.id)), { code: "value_damaged" });
  assert.equal((await settle(world, engine.list(T))).runs.length, 2);
});

Deno.test("a run whose journal is damaged fails when it is taken over; its parent is notified", async () => {
  const { world, node, cluster } = await oneNode(async (ctx, input) => {
    if (ctx.run.parent) return await program(ctx, input);
    const result = await ctx.child("sub", { pipeline: "p", version: "v", input: "hang" });
    return result.status === "failed" ? result.error.code : result.status;
  });
  const { run } = await settle(world, node().engine.start(T, request()));
  const child = () => runsOf(cluster.db).find(({ parent }) => parent);
  await world.run(2_000, () => cluster.calls.some(({ step }) => step === "b"));
  damage(cluster, ["journal", "t", child()!.id]);
  cluster.crash(node(), 10);
  await world.run(20_000, () => find(cluster, run.id).last_seq !== undefined);
  assert.equal(child()!.error?.code, "value_damaged");
  const result = await settle(world, node().engine.result(T, run.id));
  assert.deepEqual(result?.status === "completed" && result.output, "value_damaged");
});

for (const kind of ["live", "waiting", "slot", "turn", "inbox", "timer"]) {
  Deno.test(`a damaged ${kind} record delays no other run, also after a restart`, async () => {
    const { world, node, cluster } = await oneNode(async (ctx, input) => {
      if (input === "sleep") await ctx.wait("nap", { timeout_ms: 60_000 });
      return await program(ctx, input);
    });
    const concurrency = { key: "k", limit: 1, on_busy: "enqueue" as const };
    const start = async (input: string, more = {}) =>
      (await settle(world, node().engine.start(T, request(input, more)))).run;
    await start("hang");
    await start("sleep");
    await start("wait", { concurrency });
    await start("quick", { concurrency });
    const paused = await start("wait");
    await world.run(2_000, () => cluster.db.list({ prefix: ["waiting"] }).length === 4);
    await settle(world, node().engine.pause(T, paused.id));
    await settle(world, node().engine.signal(T, paused.id, "go", 1));
    damage(cluster, [kind, ...(kind === "timer" ? [] : ["t"])]);
    cluster.crash(node(), 10);
    await world.run(10_000, () => node()?.open ?? false);
    const { result } = await settle(world, node().engine.start(T, request("quick")));
    assert.equal((await settle(world, result, 5_000)).status, "completed");
    const waiting = await start("wait");
    await settle(world, node().engine.signal(T, waiting.id, "go", 1));
    await world.run(5_000, () => cluster.db.get(["run", "t", waiting.id]) !== null);
    assert.equal((await settle(world, node().engine.get(T, waiting.id)))?.status, "completed");
    const { runs } = await settle(world, node().engine.list(T));
    assert(runs.some(({ id }) => id === waiting.id));
    assert.equal(node().engine.stats().store_ok, true);
  });
}
