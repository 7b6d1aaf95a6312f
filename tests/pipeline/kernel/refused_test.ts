/** Runs whose commit is refused because what it goes by has changed. */
import assert from "node:assert/strict";
import type { Json } from "../../../pipeline/kernel/mod.ts";
import { type Commit, setJson } from "../../../store/mod.ts";
import { checkInvariants, journalOf } from "../../_sim/invariants.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

const KEY = ["approval", "t", "one"];
const REFUSED: Commit = { checks: [{ key: KEY, versionstamp: "never" }], mutations: [] };
const SWEEP_MS = 300;

Deno.test("a wait whose end is refused is looked at again at once, not with the next sweep", async () => {
  let looks = 0;
  const { world, node, cluster } = await oneNode(async (ctx) => {
    const settle = () => ++looks === 1 ? REFUSED : { checks: [], mutations: [setJson(KEY, looks)] };
    return await ctx.wait("gate", { timeout_ms: 60_000, settle }) as Json;
  });
  const { run, result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result, 120_000);
  assert.deepEqual(end.status === "completed" && end.output, { timed_out: true });
  assert.equal(looks, 2);
  const types = journalOf(cluster.db, run.id).slice(3).map(({ type }) => type);
  assert.deepEqual(types, ["run.resumed", "run.resumed", "step.completed", "run.completed"]);
  const late = world.now - Date.parse(run.created_at) - 60_000;
  assert(late < SWEEP_MS / 2, `${late} virtual ms`);
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("a commit that is refused every time is not tried in a loop", async () => {
  let looks = 0;
  const { world, node, cluster } = await oneNode(async (ctx) => {
    const settle = () => {
      if (++looks > 100) throw new Error("a loop");
      return REFUSED;
    };
    return await ctx.wait("gate", { timeout_ms: 100, settle }) as Json;
  });
  const { run } = await settle(world, node().engine.start(T, request()));
  await world.run(10 * SWEEP_MS, () => false);
  assert(looks > 10 && looks < 24, `${looks} tries`);
  await settle(world, node().engine.cancel(T, run.id));
  await world.run(
    10 * SWEEP_MS,
    () => journalOf(cluster.db, run.id).at(-1)?.type === "run.cancelled",
  );
  checkInvariants(cluster.db, [run.id], cluster.calls);
});
