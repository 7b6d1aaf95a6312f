import { expect } from "expect";
import { planIssues } from "../../../pipeline/plans/mod.ts";
import { once } from "../walk/_define.ts";
import { parsePipeline } from "../../../pipeline/document/parse.ts";
import { CAPABILITIES, planDefinition, planDeps } from "./_plans.ts";

const DOCS = await Deno.readTextFile("docs/plans.md");

function example(language: string): string {
  return new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "m").exec(DOCS)![1]!;
}

Deno.test("the plan of docs/plans.md is sound and runs", async () => {
  const plan = JSON.parse(example("json"));
  expect(await planIssues(plan, { capabilities: CAPABILITIES, kept: [] })).toEqual([]);
  const definition = await planDefinition();
  const offers = CAPABILITIES.pipelines;
  const steps = plan.steps.map((step: { kind: string }) =>
    step.kind === "agent" ? { ...step, name: "writer" } : step
  );
  const { ended } = await once({
    definition,
    deps: planDeps([{ ...plan, steps }], undefined, {
      plans: { offers: () => Promise.resolve(offers) },
    }),
    input: { goal: "x", context: {} },
    prepare: (ctx) =>
      ctx.onChild = () => ({
        status: "completed",
        output: { content: "the post" },
        usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
      }),
  });
  expect(ended).toMatchObject({ output: { output: "the post" } });
});

Deno.test("the pipeline of docs/plans.md is sound", async () => {
  const agents = ["task_planner", "researcher", "planner", "builder"];
  const pipeline = await parsePipeline(example("yaml"), "newsroom.yaml", { agents });
  expect(pipeline.nodes.work).toMatchObject({ plan: { max_replans: 1 } });
  const without = parsePipeline(example("yaml"), "newsroom.yaml", { agents: agents.slice(1) });
  await expect(without).rejects.toThrow(/nodes.work.plan.planner.*unknown agent "task_planner"/);
});
