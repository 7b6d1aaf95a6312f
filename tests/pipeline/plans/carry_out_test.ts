/** Plans in memory: what runs when, what is kept, what people are asked. */
import { expect } from "expect";
import { OrchestratorError } from "../../../errors.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import { createProgram } from "../../../pipeline/walk/interpreter.ts";
import { once, twice } from "../walk/_define.ts";
import { act, planDefinition, planDeps, planOf, step } from "./_plans.ts";

const broken = () => new OrchestratorError("call_failed", "Cannot call: it is broken.");

Deno.test("a plan's steps get the outputs of those before them, and its result is the last one", async () => {
  const plan = planOf(
    act("a", { give: 2 }),
    act("b", { give: 3 }),
    act("sum", { give: "${ steps.a.output + steps.b.output }" }),
    act("say", { give: "${ goal }: ${ steps.sum.output }" }),
  );
  const { ended, ctx } = await twice({
    definition: await planDefinition(),
    deps: planDeps([plan]),
    input: { goal: "add" },
  });
  expect(ended).toEqual({
    output: {
      goal: "add",
      summary: "As planned.",
      rounds: 1,
      steps: { a: 2, b: 3, sum: 5, say: "add: 5" },
      output: "add: 5",
    },
  });
  const recorded = ctx.steps.find(({ options }) => options.kind === "plan")!;
  expect(recorded.key).toBe("a/plan");
  // What an input refers to is shown as a dependency.
  expect((recorded.outcome as { output: { steps: unknown[] } }).output.steps[2])
    .toMatchObject({ id: "sum", depends_on: ["a", "b"] });
  expect(ctx.ran.filter((key) => key.startsWith("a/steps/"))).toContain("a/steps/sum/tool");
});

Deno.test("a plan's own result is made of the outputs that it names; without one, of all last steps", async () => {
  const definition = await planDefinition();
  const steps = [act("a", { give: 1 }), act("b", { give: 2 })];
  const deps = planDeps([{ ...planOf(...steps), output: { first: "${ steps.a.output }" } }]);
  const named = await once({ definition, deps, input: { goal: "x" } });
  expect(named.ended).toMatchObject({ output: { output: { first: 1 } } });
  const unnamed = await once({
    definition,
    deps: planDeps([planOf(...steps)]),
    input: { goal: "x" },
  });
  expect(unnamed.ended).toMatchObject({ output: { output: { a: 1, b: 2 } } });
});

Deno.test("steps that do not need each other run at the same time, as many as may", async () => {
  const log: string[] = [];
  const gates = new Map<string, () => void>();
  const action = (args: Record<string, Json>) => {
    const name = String(args.name);
    log.push(name);
    return new Promise<Json>((resolve) => gates.set(name, () => resolve(name)));
  };
  const one = (id: string, ...after: string[]) => act(id, { name: id }, ...after);
  const plan = planOf(one("a"), one("b"), one("c"), one("after_b", "b"));
  const running = once({
    definition: await planDefinition(", concurrency: 2"),
    deps: planDeps([plan], action),
    input: { goal: "x" },
  });
  const begun = async (...names: string[]) => {
    while (log.length < names.length) await new Promise((resolve) => setTimeout(resolve));
    expect(log).toEqual(names);
  };
  await begun("a", "b");
  gates.get("b")!();
  // The place of b goes to the next one; a is still at work.
  await begun("a", "b", "c");
  gates.get("c")!();
  await begun("a", "b", "c", "after_b");
  gates.get("after_b")!();
  gates.get("a")!();
  expect((await running).ended).toMatchObject({ output: { output: { a: "a", c: "c" } } });
});

Deno.test("after a failure it is planned anew, and finished steps are not run again", async () => {
  const asked: Json[] = [];
  const ran: string[] = [];
  const answers = [
    planOf(
      act("found", { give: "facts" }),
      act("bad", { fail: true }),
      act("needs_bad", {}, "bad"),
      act("apart", { give: "kept, too" }, "found"),
    ),
    planOf(
      act("other", { give: "${ steps.found.output } and ${ steps.apart.output }" }),
    ),
  ];
  const deps = planDeps((request) => {
    asked.push(request.input as Json);
    return answers[asked.length - 1]!;
  }, (args, key) => {
    ran.push(key);
    if (args.fail) throw broken();
    return args.give!;
  });
  const { ended, ctx } = await once({
    definition: await planDefinition(),
    deps,
    input: { goal: "x" },
  });
  expect(ended).toEqual({
    output: {
      goal: "x",
      summary: "As planned.",
      rounds: 2,
      steps: { found: "facts", apart: "kept, too", other: "facts and kept, too" },
      output: "facts and kept, too",
    },
  });
  expect(ran).toEqual([
    "a/steps/found/tool",
    "a/steps/bad/tool",
    "a/steps/apart/tool",
    "a/steps#2/other/tool",
  ]);
  expect(asked[1]).toMatchObject({
    goal: "x",
    finished: [{ id: "found", result: "facts" }, { id: "apart", result: "kept, too" }],
    previous: {
      steps: [
        { id: "bad", error: { code: "call_failed", message: "Cannot call: it is broken." } },
        { id: "needs_bad" },
      ],
    },
  });
  expect(ctx.ran).toContain("a/planner#2/llm#1");
});

Deno.test("a plan that fails once too often fails, and says what did", async () => {
  const plans = [1, 2].map((n) => planOf(act(`bad_${n}`, {}), act("next", {}, `bad_${n}`)));
  const { ended } = await once({
    definition: await planDefinition(", max_replans: 1"),
    deps: planDeps(plans, () => {
      throw broken();
    }),
    input: { goal: "reach it" },
  });
  expect(ended).toMatchObject({
    error: {
      code: "plan_failed",
      message: expect.stringMatching(/"reach it": step bad_2 failed with call_failed/),
      details: { failed: { bad_2: { code: "call_failed" } }, finished: [] },
    },
  });
});

Deno.test("a step is tried as often as it says", async () => {
  let calls = 0;
  const { ended, ctx } = await once({
    definition: await planDefinition(", max_replans: 0"),
    deps: planDeps([planOf({ ...act("a", { give: 1 }), max_attempts: 2 })], (args) => {
      if (++calls === 1) {
        throw new OrchestratorError("call_failed", "Busy.", { kind: "retryable" });
      }
      return args.give!;
    }),
    input: { goal: "x" },
    prepare: (ctx) => ctx.onWait = () => ({ timed_out: true }),
  });
  expect(ended).toMatchObject({ output: { output: 1 } });
  expect(ctx.ran.filter((key) => key.endsWith("/tool"))).toEqual([
    "a/steps/a/tool",
    "a/steps/a~2/tool",
  ]);
});

Deno.test("what may happen once only is not tried again, whatever the plan says", async () => {
  const deps = planDeps([planOf({ ...act("a"), max_attempts: 3 })], () => {
    throw new OrchestratorError("call_failed", "Busy.", { kind: "retryable" });
  });
  const { ended, ctx } = await once({
    definition: await planDefinition(", max_replans: 0"),
    deps: {
      ...deps,
      tools: {
        ...deps.tools,
        describe: async (...asked) =>
          (await deps.tools.describe(...asked)).map((tool) => ({
            ...tool,
            effect: "at_most_once" as const,
          })),
      },
    },
    input: { goal: "x" },
  });
  expect(ended).toMatchObject({ error: { code: "plan_failed" } });
  expect(ctx.ran.filter((key) => key.endsWith("/tool"))).toEqual(["a/steps/a/tool"]);
});

Deno.test("a spent budget ends the plan: another one could not be carried out either", async () => {
  const { ended, ctx } = await once({
    definition: await planDefinition(),
    deps: planDeps([planOf(act("a"))], () => {
      throw new OrchestratorError("budget_exceeded", "Spent.");
    }),
    input: { goal: "x" },
  });
  expect(ended).toMatchObject({ error: { code: "budget_exceeded" } });
  expect(ctx.ran).not.toContain("a/planner#2/llm#1");
});

Deno.test("a planner is told what is wrong with its plan, twice at most", async () => {
  const asked: Json[] = [];
  const sound = planOf(act("a", { give: 1 }));
  const wrong = planOf(step("a", { name: "writr" }));
  const trial = async (answers: Json[]) => {
    asked.length = 0;
    const deps = planDeps((request) => {
      asked.push(request.input as Json);
      return answers[asked.length - 1]!;
    });
    return (await once({ definition: await planDefinition(), deps, input: { goal: "x" } })).ended;
  };
  expect(await trial([wrong, sound])).toMatchObject({ output: { output: 1 } });
  expect(asked[1]).toMatchObject({
    unsound: wrong,
    problems: ['/steps/0/name: unknown agent "writr"; did you mean "writer"?'],
  });
  expect(await trial([wrong, wrong, wrong])).toMatchObject({
    error: { code: "plan_invalid", message: expect.stringContaining("/steps/0/name") },
  });
});

Deno.test("plans use the pipelines that are on offer, in the version that was found first", async () => {
  const offers = [
    { name: "inner", description: "Works.", version: "v1" },
    { name: "other", description: "Is not allowed.", version: "v1" },
    { name: "test", description: "Is the run's own pipeline.", version: "v1" },
  ];
  const plan = planOf(
    step("child", { kind: "pipeline", name: "inner", input: { text: "${ goal }" } }),
  );
  const definition = await planDefinition(", pipelines: [in*], tools: []");
  const deps = planDeps([plan], undefined, { plans: { offers: () => Promise.resolve(offers) } });
  const { ended, ctx } = await once({
    definition,
    deps,
    input: { goal: "x" },
    prepare: (ctx) =>
      ctx.onChild = (_key, { pipeline, version, input }) => ({
        status: "completed",
        output: { pipeline, version, input },
        usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
      }),
  });
  expect(ended).toMatchObject({
    output: { output: { pipeline: "inner", version: "v1", input: { text: "x" } } },
  });
  const found = ctx.steps.find(({ key }) => key === "a/capabilities")!;
  expect(found.outcome).toMatchObject({ output: { pipelines: [{ name: "inner" }] } });
});

Deno.test("an agent does a step with the input that the plan gives it", async () => {
  const plan = planOf(step("text", { input: { ask: "about ${ goal }" } }));
  const definition = await planDefinition();
  const { ended, ctx } = await once({ definition, deps: planDeps([plan]), input: { goal: "x" } });
  expect(ended).toMatchObject({ output: { output: "written" } });
  expect(ctx.ran).toContain("a/steps/text/agent/llm#1");
});

Deno.test("a goal that is no text, and a planner that there is not, are errors", async () => {
  const definition = await planDefinition();
  const { ended } = await once({ definition, deps: planDeps([]), input: { goal: " " } });
  expect(ended).toMatchObject({ error: { code: "validation_failed" } });
  const without = { ...definition, agents: {} };
  expect(() => createProgram(without, planDeps([]))).toThrow(/task_planner/);
});
