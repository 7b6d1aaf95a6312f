/** Programs as data: what they do, and what must come of it whatever happens on the way. */
import fc from "fast-check";
import { OrchestratorError, toOrchestratorError } from "../../../errors.ts";
import type { Json, RunContext } from "../../../pipeline/kernel/mod.ts";
import type { SimWorld } from "../../_sim/world.ts";
import { flaky } from "./_harness.ts";

/** One thing that a program does. Its outcome depends on nothing else. */
export type Act =
  /** A step that takes `ms` and fails so many times before. */
  | { act: "step"; ms: number; failures: number; effect?: "none" }
  /** A step that fails for good. */
  | { act: "fail" }
  /** Waits for a time, in memory or out of it. */
  | { act: "wait"; ms: number }
  /** A group whose time is over long before what is in it. */
  | { act: "overdue" }
  | { act: "group"; acts: Act[] }
  | { act: "all"; branches: Act[][]; concurrency: number; tolerate: number }
  | { act: "child"; acts: Act[] }
  /** Goes on when `acts` fail. */
  | { act: "try"; acts: Act[] }
  /** Undoes what it did first when `acts` fail or are stopped. */
  | { act: "saga"; acts: Act[] };

const leaf = fc.oneof(
  fc.record({
    act: fc.constant("step" as const),
    ms: fc.nat(300),
    failures: fc.constantFrom(0, 0, 1, 2),
    effect: fc.constantFrom("none" as const, undefined),
  }),
  fc.record({ act: fc.constant("wait" as const), ms: fc.constantFrom(0, 400, 2_500) }),
);

const { acts } = fc.letrec<{ acts: Act[]; one: Act }>((tie) => {
  const record = (act: Act["act"], more = {}) => fc.record({ act: fc.constant(act), ...more });
  const inside = { acts: tie("acts") };
  const all = {
    branches: fc.array(tie("acts"), { maxLength: 3, size: "max" }),
    concurrency: fc.integer({ min: 1, max: 3 }),
    tolerate: fc.nat(2),
  };
  return {
    acts: fc.array(tie("one"), { minLength: 1, maxLength: 4, size: "max" }),
    one: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 6, arbitrary: leaf },
      { weight: 1, arbitrary: record("fail") },
      { weight: 1, arbitrary: record("overdue") },
      { weight: 2, arbitrary: record("group", inside) },
      { weight: 2, arbitrary: record("child", inside) },
      { weight: 3, arbitrary: record("try", inside) },
      { weight: 2, arbitrary: record("saga", inside) },
      { weight: 3, arbitrary: record("all", all) },
    ) as fc.Arbitrary<Act>,
  };
});

/** Any program. */
export const anyProgram: fc.Arbitrary<Act[]> = acts;

/** Does `acts` in the branch `ctx`. @returns what they gave */
export async function perform(
  world: SimWorld,
  ctx: RunContext,
  acts: Act[],
  path = "p",
): Promise<Json> {
  const outputs: Json[] = [];
  for (const [n, act] of acts.entries()) {
    outputs.push(await performOne(world, ctx, act, `${path}.${n}`));
  }
  return outputs;
}

async function performOne(world: SimWorld, ctx: RunContext, act: Act, key: string): Promise<Json> {
  switch (act.act) {
    case "step":
      return await ctx.step(key, async ({ attempt }) => {
        await new Promise<void>((done) => world.at(act.ms, undefined, done));
        if (attempt <= act.failures) throw flaky();
        return key;
      }, { effect: act.effect, retry: { max_attempts: 20, interval_ms: 30 } });
    case "fail":
      return await ctx.step(key, () => {
        throw new OrchestratorError("call_failed", `Cannot do ${key}.`);
      });
    case "wait":
      return await ctx.wait(key, { timeout_ms: act.ms }) as Json;
    case "overdue":
      return await ctx.group(
        key,
        (inner) => inner.wait(`${key}/w`, { timeout_ms: 3_600_000 }) as Promise<Json>,
        { timeout_ms: 1_200 },
      );
    case "group":
      return await ctx.group(key, (inner) => perform(world, inner, act.acts, `${key}/g`));
    case "all": {
      const { branches, ...options } = act;
      return await ctx.group(key, async (inner) => {
        const ends = await inner.all(
          branches.map((acts, b) => (branch) => perform(world, branch, acts, `${key}[${b}]`)),
          options,
        );
        return ends.map((end) => end.status === "fulfilled" ? end.value : "failed");
      });
    }
    case "child": {
      const request = { pipeline: "p", version: "v", input: act.acts as unknown as Json };
      const end = await ctx.child(key, request);
      return end.status === "completed" ? end.output : end.status;
    }
    case "try":
      try {
        return await perform(world, ctx, act.acts, `${key}/t`);
      } catch (error) {
        if (toOrchestratorError(error).kind === "cancelled") throw error;
        return "caught";
      }
    case "saga":
      await ctx.step(`${key}/book`, () => 1);
      try {
        return await ctx.group(
          `${key}/deal`,
          (inner) => perform(world, inner, act.acts, `${key}/d`),
        );
      } catch (error) {
        await ctx.cleanup((clean) => clean.step(`${key}/undo`, () => 1));
        throw error;
      }
  }
}

/** What `acts` give; `undefined` when they fail. */
export function outcomeOf(acts: Act[], path = "p"): Json[] | undefined {
  const outputs: Json[] = [];
  for (const [n, act] of acts.entries()) {
    const output = outcomeOfOne(act, `${path}.${n}`);
    if (output === undefined) return undefined;
    outputs.push(output);
  }
  return outputs;
}

function outcomeOfOne(act: Act, key: string): Json | undefined {
  switch (act.act) {
    case "step":
      return key;
    case "fail":
    case "overdue":
      return undefined;
    case "wait":
      return { timed_out: true };
    case "group":
      return outcomeOf(act.acts, `${key}/g`);
    case "all": {
      const ends = act.branches.map((acts, b) => outcomeOf(acts, `${key}[${b}]`));
      const failures = ends.filter((end) => end === undefined).length;
      return failures > act.tolerate ? undefined : ends.map((end) => end ?? "failed");
    }
    case "child":
      return outcomeOf(act.acts) ?? "failed";
    case "try":
      return outcomeOf(act.acts, `${key}/t`) ?? "caught";
    case "saga":
      return outcomeOf(act.acts, `${key}/d`);
  }
}
