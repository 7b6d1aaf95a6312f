/** What can never be written ends its run with a code, and holds up neither its parent nor a cancel. */
import assert from "node:assert/strict";
import {
  isTerminal,
  type Json,
  type RunContext,
  type RunFunction,
} from "../../../pipeline/kernel/mod.ts";
import { keys, type Mutation, setText } from "../../../store/mod.ts";
import { checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

const LARGE = "x".repeat(900_000);
/** More changes than one commit of the store takes. */
const TOO_MANY: Mutation[] = Array.from({ length: 2_000 }, (_, n) => ({
  key: ["test", "t", n],
  set: new Uint8Array(1),
}));

/** Runs `program` to its end. @returns the code it failed with, or how it ended */
async function endOf(program: RunFunction, meddle?: (node: Node, id: string) => Promise<void>) {
  const { world, node, cluster } = await oneNode(program);
  const { run, result } = await settle(world, node().engine.start(T, request("outer")));
  if (meddle) await settle(world, meddle(node(), run.id));
  const end = await settle(world, result, 20_000);
  const ended = () => runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined);
  assert(await world.run(5_000, ended), "every run ends");
  const events = await settle(world, node().engine.journal(T, run.id));
  assert.deepEqual(events.map(({ seq }) => seq), events.map((_, index) => index + 1));
  assert.equal(events.filter(isTerminal).length, 1);
  return end.status === "failed" ? end.error.code : end;
}
type Node = ReturnType<Awaited<ReturnType<typeof oneNode>>["node"]>;

const child = (ctx: RunContext, input: Json) =>
  ctx.child("inner", { pipeline: "p", version: "v", input });

Deno.test("a run whose output is too large for its last event fails", async () => {
  const code = await endOf(async (ctx) => {
    const taken: Json[] = [];
    for (let n = 0; n < 5; n++) {
      taken.push(await ctx.wait(`w${n}`, { signal: "go" }) as Json);
    }
    return taken;
  }, async ({ engine }, id) => {
    for (let n = 0; n < 5; n++) await engine.signal(T, id, "go", LARGE);
  });
  assert.equal(code, "payload_too_large");
});

Deno.test("what a step used counts where its result is recorded, and only there", async () => {
  const { world, node, cluster } = await oneNode(async (ctx) => {
    const usage = () => ({ input_tokens: 2, output_tokens: 1, cost_usd: 0.5 });
    await ctx.step("a", () => 1, { usage });
    return await ctx.step("b", () => "x".repeat(5_000_000), { usage });
  });
  const { run, result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result);
  assert.equal(end.status === "failed" && end.error.code, "payload_too_large");
  assert.deepEqual(end.usage, { input_tokens: 2, output_tokens: 1, cost_usd: 0.5 });
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("a child whose output is too large for its parent fails, and its parent resumes", async () => {
  for (const length of [5_000_000, 3_999_800]) {
    let inner = "";
    await endOf(async (ctx, input) => {
      if (input === "inner") return "x".repeat(length);
      const result = await child(ctx, "inner");
      inner = result.status === "failed" ? result.error.code : result.status;
      return 1;
    });
    assert.equal(inner, "payload_too_large", `${length}`);
  }
});

Deno.test("a run that asks for more changes than one commit takes fails, wherever it asks", async () => {
  const commit = { checks: [], mutations: TOO_MANY };
  const programs: Record<string, RunFunction> = {
    "with its end": async (ctx) => {
      await ctx.step("a", () => 1);
      ctx.change(commit);
      return 1;
    },
    "with a step": async (ctx) => {
      await ctx.step("a", () => 1);
      ctx.change(commit);
      return await ctx.step("b", () => 2);
    },
    "with a wait": async (ctx) => {
      await ctx.step("a", () => 1);
      return await ctx.wait("w", { signal: "go", enter: () => commit }) as Json;
    },
    "in a child": async (ctx, input) => {
      if (input !== "inner") return (await child(ctx, "inner")).status;
      await ctx.step("a", () => 1);
      ctx.change(commit);
      return 1;
    },
  };
  for (const [where, program] of Object.entries(programs)) {
    const end = await endOf(program);
    if (where === "in a child") assert.equal((end as { output: Json }).output, "failed");
    else assert.equal(end, "payload_too_large", where);
  }
});

Deno.test("a run that ends because of it cancels the runs within it", async () => {
  const end = await endOf(async (ctx, input) => {
    if (input === "inner") return await ctx.wait("gate", { signal: "go" }) as Json;
    const later = async () => {
      await ctx.wait("later", { timeout_ms: 500 });
      ctx.change({ checks: [], mutations: TOO_MANY });
      return await ctx.step("a", () => 1);
    };
    await Promise.all([child(ctx, "inner"), later()]);
    return 1;
  });
  assert.equal(end, "payload_too_large");
});

Deno.test("a run that cannot even be made is refused and leaves nothing", async () => {
  const { world, node, cluster } = await oneNode((ctx) => {
    ctx.change({ checks: [], mutations: TOO_MANY });
    return ctx.step("a", () => 1);
  });
  const refused = { code: "payload_too_large" };
  await assert.rejects(settle(world, node().engine.start(T, request())), refused);
  await assert.rejects(settle(world, node().engine.start(T, request("x".repeat(5e6)))), refused);
  await world.run(5_000, () => false);
  assert.deepEqual(runsOf(cluster.db), []);
  assert.equal(node().engine.stats().running, 0);
});

Deno.test("a signal that no journal can take is refused, and the run goes on as before", async () => {
  const { world, node, cluster } = await oneNode(async (ctx) =>
    await ctx.wait("gate", { signal: "go" }) as Json
  );
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(T, request()));
  await assert.rejects(settle(world, engine.signal(T, run.id, "go", "x".repeat(5_000_000))), {
    code: "payload_too_large",
  });
  await settle(world, engine.signal(T, run.id, "go", 1));
  assert.equal((await settle(world, result)).status, "completed");
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("a signal that is too large for the journal but in the inbox already ends the run", async () => {
  for (const wants of ["nothing else", "a cancel"]) {
    const { world, node, cluster } = await oneNode(async (ctx) =>
      await ctx.wait("gate", { signal: "go" }) as Json
    );
    const { engine } = node();
    const { run, result } = await settle(world, engine.start(T, request()));
    await world.run(1_000, () => runsOf(cluster.db)[0]?.status === "waiting");
    // As an earlier version took it.
    const signal = { type: "signal", name: "go", payload: "x".repeat(4_500_000) };
    const key = keys.message("t", run.id, "00000000");
    cluster.db.apply({ checks: [], mutations: [setText(key, JSON.stringify(signal))] });
    if (wants === "a cancel") await settle(world, engine.cancel(T, run.id));
    const end = await settle(world, result, 20_000);
    assert.equal(end.status === "failed" && end.error.code, "payload_too_large", wants);
    const last = journalOf(cluster.db, run.id).at(-1)!.type;
    assert.equal(last, "run.failed", wants);
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});
