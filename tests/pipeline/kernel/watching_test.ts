/** Whoever started a run and waits for it: they get all of it, also while it comes and goes. */
import assert from "node:assert/strict";
import type { Json, RunEvent, RunFunction } from "../../../pipeline/kernel/mod.ts";
import type { Commit } from "../../../store/mod.ts";
import { NO_FAULTS } from "../../_sim/kv.ts";
import { allEnded, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { hang, oneNode, request, settle, T } from "./_harness.ts";

const REFUSED: Commit = {
  checks: [{ key: ["test", "t"], versionstamp: "never" }],
  mutations: [],
};

type Made = Awaited<ReturnType<typeof oneNode>>;

/** Starts a run with a listener. `seen`: the sequence numbers that it was called with. */
async function listened(program: (made: () => Made) => RunFunction) {
  const made: Made = await oneNode(program(() => made));
  const seen: number[] = [];
  const listen = (event: RunEvent) => void ("seq" in event && seen.push(event.seq));
  const started = await settle(made.world, made.node().engine.start(T, request(), listen));
  return { ...made, ...started, result: () => started.result, seen };
}

Deno.test("a listener gets every event once, also of a run that is suspended again and again", async () => {
  const { world, cluster, run, result, seen } = await listened(() => async (ctx) => {
    for (let n = 0; n < 4; n++) {
      await ctx.step(`s${n}`, () => n);
      await ctx.wait(`w${n}`, { timeout_ms: 2_000 });
    }
    return null;
  });
  assert.equal((await settle(world, result())).status, "completed");
  await world.run(2_000, () => false);
  assert.deepEqual(seen, journalOf(cluster.db, run.id).map(({ seq }) => seq));
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("a listener misses nothing of a run whose commit is refused and which is read again", async () => {
  let looks = 0;
  const { world, cluster, run, result, seen } = await listened(() => async (ctx) => {
    await ctx.step("a", () => 1);
    const settle = () => ++looks < 3 ? REFUSED : undefined;
    await ctx.wait("gate", { timeout_ms: 100, settle });
    return await ctx.step("b", () => 2);
  });
  assert.equal((await settle(world, result())).status, "completed");
  await world.run(2_000, () => false);
  assert.equal(looks, 3);
  assert.deepEqual(seen, journalOf(cluster.db, run.id).map(({ seq }) => seq));
});

Deno.test("a listener misses nothing of a run that the store failed for a while", async () => {
  const { world, cluster, run, result, seen } = await listened((made) => async (ctx) => {
    await ctx.step("a", ({ attempt }) => {
      const { world, cluster } = made();
      if (attempt === 1) cluster.faults = { ...NO_FAULTS, before: 1 };
      world.at(5_000, undefined, () => cluster.faults = NO_FAULTS);
      return attempt;
    });
    return await ctx.step("b", () => 2);
  });
  assert.equal((await settle(world, result())).status, "completed");
  await world.run(2_000, () => false);
  assert.equal(cluster.calls.length, 3, "the first result was lost");
  assert.deepEqual(seen, journalOf(cluster.db, run.id).map(({ seq }) => seq));
});

Deno.test("a result can be asked for before, while and after its run is suspended", async () => {
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.wait("gate", { signal: "go" }) as Promise<Json>
  );
  const { engine } = node();
  const before = await settle(world, engine.start(T, request()));
  const [first, second] = [before.result, await settle(world, engine.start(T, request()))];
  await world.run(2_000, () => runsOf(cluster.db).every(({ status }) => status === "waiting"));
  const during = second.result;
  for (const { id } of runsOf(cluster.db)) await settle(world, engine.signal(T, id, "go", 1));
  for (const result of [first, during, before.result]) {
    const end = await settle(world, result);
    assert.deepEqual(end.status === "completed" && end.output, { signal: 1 });
  }
});

Deno.test("who waits for a run when its server stops hears that, and where to find it later", async () => {
  const programs: Record<string, RunFunction> = {
    working: (ctx) => ctx.step("a", ({ signal }) => hang(signal)),
    suspended: (ctx) => ctx.wait("gate", { signal: "go" }) as Promise<Json>,
  };
  for (const [state, program] of Object.entries(programs)) {
    const { world, node } = await oneNode(program);
    const { engine } = node();
    const { run, result } = await settle(world, engine.start(T, request()));
    const waiting = result;
    await world.run(500, () => false);
    await settle(world, engine.drain(0));
    const end = await settle(world, waiting);
    assert(end.status === "failed", state);
    assert.equal(end.error.code, "shutting_down", state);
    assert.deepEqual(end.error.details, { run_id: run.id }, state);
  }
});

Deno.test("a listener of a run that was never made is not called, and nothing is reported", async () => {
  const { world, node, cluster } = await oneNode((ctx) => ctx.step("a", () => 1));
  cluster.faults = { ...cluster.faults, before: 1 };
  const seen: RunEvent[] = [];
  const started = node().engine.start(T, request(), (event) => void seen.push(event));
  await assert.rejects(settle(world, started), { code: "store_unavailable" });
  cluster.faults = { ...cluster.faults, before: 0 };
  await world.run(5_000, () => false);
  assert.deepEqual(seen, []);
  assert.deepEqual(
    cluster.warnings.map(({ message }) => message).filter((m) =>
      m !== "run released, will be claimed again"
    ),
    [],
  );
  assert.deepEqual(runsOf(cluster.db), []);
  assert(allEnded(cluster.db));
});
