import assert from "node:assert/strict";
import fc from "fast-check";
import type { Budget, Exceeded, Json, RunFunction } from "../../../pipeline/kernel/mod.ts";
import {
  endsAt,
  exceeded,
  overBudget,
  remaining,
  type Spender,
} from "../../../pipeline/kernel/spending.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { allEnded, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { request, settle, T } from "./_harness.ts";

const CREATED = Date.parse("2026-01-01T00:00:00Z");

/** A run that has used this much, `seconds` after it was created. */
function spender(
  budget: Spender["record"]["budget"],
  used: Required<Budget>,
  raised: Budget = {},
): Spender {
  const { tokens, cost_usd, steps, seconds } = used;
  const input_tokens = Math.floor(tokens / 2);
  return {
    record: { budget, created_at: new Date(CREATED).toISOString() },
    history: {
      usage: { input_tokens, output_tokens: tokens - input_tokens, cost_usd },
      calls: steps,
      raised,
    },
    world: { clock: { now: () => CREATED + seconds * 1000 } },
  };
}

const amount = fc.nat(20);
const anyUse = fc.record({ tokens: amount, cost_usd: amount, steps: amount, seconds: amount });
const anyBudget = fc.record(
  { tokens: amount, cost_usd: amount, steps: amount, seconds: amount },
  { requiredKeys: [] },
);
const NAMES = ["tokens", "cost_usd", "steps", "seconds"] as const;

Deno.test("a budget is exceeded once one of its limits, as raised, is reached, and not before", () => {
  fc.assert(
    fc.property(anyBudget, anyUse, anyBudget, (budget, used, raised) => {
      const limits: Budget = { ...budget, ...raised };
      const reached = NAMES.filter((name) => used[name] >= (limits[name] ?? Infinity));
      const found = exceeded(spender(budget, used, raised), "a/budget");
      assert.equal(found !== undefined, reached.length > 0);
      if (!found) return;
      assert(reached.includes(found.budget));
      const { budget: name } = found;
      assert.deepEqual(found, {
        key: "a/budget",
        budget: name,
        limit: limits[name],
        spent: used[name],
        on_exceeded: "fail",
      });
      assert.deepEqual(overBudget(found).details, {
        budget: name,
        limit: limits[name],
        spent: used[name],
      });
    }),
  );
});

Deno.test("what is left for a run within the run is what is missing to each limit, never less than nothing", () => {
  fc.assert(
    fc.property(anyBudget, anyUse, anyBudget, (budget, used, raised) => {
      const limits: Budget = { ...budget, ...raised };
      const left = remaining(spender(budget, used, raised))!;
      for (const name of NAMES) {
        const limit = limits[name];
        const expected = limit === undefined ? undefined : Math.max(0, limit - used[name]);
        assert.equal(left[name], expected, name);
      }
    }),
  );
  assert.equal(
    remaining(spender(undefined, { tokens: 1, cost_usd: 1, steps: 1, seconds: 1 })),
    undefined,
  );
});

Deno.test("a run's time ends as long after it was created as its budget says, or as it was raised to", () => {
  const none = { tokens: 0, cost_usd: 0, steps: 0, seconds: 0 };
  assert.equal(endsAt(spender({ seconds: 60 }, none)), CREATED + 60_000);
  assert.equal(endsAt(spender({ seconds: 60 }, none, { seconds: 90 })), CREATED + 90_000);
  assert.equal(endsAt(spender({ tokens: 1 }, none)), Infinity);
  assert.equal(endsAt(spender(undefined, none)), Infinity);
});

/** Runs a program whose gate doubles what is asked for. @returns what it was asked, by which run */
async function asked(program: RunFunction, budget: Spender["record"]["budget"], crash = false) {
  const world = new SimWorld(1);
  const questions: (Exceeded & { run: string })[] = [];
  const cluster = new Cluster(world, () => program, {
    gate: async (ctx, exceeded) => {
      questions.push({ ...exceeded, run: ctx.run.parent ? "inner" : "outer" });
      await ctx.wait(exceeded.key, { signal: "raise" });
      return { [exceeded.budget]: exceeded.limit * 2 };
    },
  });
  const first = cluster.boot();
  await world.run(2_000, () => first.open);
  const { run } = await settle(world, first.engine.start(T, request("outer", { budget })));
  for (let round = 0; round < 10 && !allEnded(cluster.db); round++) {
    const asking = () =>
      runsOf(cluster.db).find((run) => run.waiting_for?.some(({ signal }) => signal === "raise"));
    await world.run(3_000, () => asking() !== undefined || allEnded(cluster.db));
    const id = asking()?.id;
    if (crash && id) cluster.crash(cluster.nodes[0]!, 10);
    await world.run(100, () => cluster.nodes[0]?.open ?? false);
    if (id) await settle(world, cluster.nodes[0]!.engine.signal(T, id, "raise", null));
  }
  await world.run(5_000, () => cluster.db.list({ prefix: ["inbox"] }).length === 0);
  checkInvariants(cluster.db, [run.id], cluster.calls);
  return { questions, calls: cluster.calls, journal: journalOf(cluster.db, run.id) };
}

const steps = (count: number): RunFunction => async (ctx) => {
  for (let n = 0; n < count; n++) await ctx.step(`s${n}`, () => n);
  return null;
};

for (const crash of [false, true]) {
  const where = crash ? ", also after a crash while it was asked" : "";
  Deno.test(`a raised limit holds from then on, and each call is made once${where}`, async () => {
    const budget = { steps: 2, on_exceeded: "approval" as const };
    const { questions, calls, journal } = await asked(steps(7), budget, crash);
    const limits = [...new Set(questions.map(({ limit }) => limit))];
    assert.deepEqual(limits, [2, 4]);
    assert.equal(calls.length, 7);
    const raised = journal.flatMap((event) => event.type === "budget.raised" ? [event.budget] : []);
    assert.deepEqual(raised, [{ steps: 4 }, { steps: 8 }]);
    const over = journal.filter(({ type }) => type === "budget.exceeded");
    assert.equal(over.length, 2);
  });
}

Deno.test("a run within a run has what is left of the budget, and asks for more as that one does", async () => {
  const family: RunFunction = async (ctx, input) => {
    if (input === "inner") return await steps(4)(ctx, null);
    await ctx.step("first", () => 1);
    const end = await ctx.child("sub", { pipeline: "p", version: "v", input: "inner" });
    return end.status as Json;
  };
  const { questions, journal } = await asked(family, { steps: 4, on_exceeded: "approval" });
  assert.deepEqual(questions[0], {
    key: "s3/budget",
    budget: "steps",
    limit: 3,
    spent: 3,
    on_exceeded: "approval",
    run: "inner",
  });
  const end = journal.at(-1);
  assert.equal(end?.type === "run.completed" && end.output, "completed");
});

Deno.test("what a run within a run did counts for the run around it", async () => {
  const family: RunFunction = async (ctx, input) => {
    if (input === "inner") return await steps(3)(ctx, null);
    await ctx.step("first", () => 1);
    await ctx.child("sub", { pipeline: "p", version: "v", input: "inner" });
    return await ctx.step("last", () => 1);
  };
  const { questions } = await asked(family, { steps: 4 });
  const asking = questions.map(({ run, key, spent }) => `${run} ${key} ${spent}`);
  assert.deepEqual([...new Set(asking)], ["outer last/budget 4"]); // asked again on its replay
});
