import { expect } from "expect";
import {
  type Capabilities,
  type Plan,
  planIssues,
  type PlanStep,
} from "../../../pipeline/plans/mod.ts";
import { readParts } from "../../../offline/tasks/parts.ts";
import { toolInfo } from "../../pipeline/plans/_plans.ts";
import { ask, outputSchema } from "../_setup.ts";
import { parse } from "yaml";

/** An agent as its profile describes it. */
function profile(name: string) {
  const text = Deno.readTextFileSync(`agents/${name}.md`);
  const { description, input, output } = parse(text.split("---\n")[1]!);
  return { name, description, input, ...(output ? { output } : {}) };
}

const text = { type: "string" };
const needs = (properties: Record<string, unknown>) => ({
  type: "object",
  required: Object.keys(properties),
  properties,
});
const TOOLS = [
  toolInfo("fetch_page", { input: needs({ url: text }), output: needs({ text }) }),
  toolInfo("dataset", { input: needs({ source: text, action: { enum: ["profile", "query"] } }) }),
  toolInfo("code_executor", {
    input: needs({ language: { enum: ["python", "javascript"] }, code: text }),
  }),
  toolInfo("search_documents", {
    input: needs({ query: text }),
    output: needs({ results: { type: "array" } }),
  }),
  toolInfo("send_mail", { input: needs({ to: text, body: text }) }),
];
const AGENTS = ["researcher", "planner", "builder", "reviewer"].map(profile);
const PIPELINES = [{
  name: "compose",
  description: "Writes.",
  input: needs({ messages: { type: "array" } }),
  version: "v",
}];
const ALL: Capabilities = { agents: AGENTS, tools: TOOLS, pipelines: PIPELINES };

async function planned(
  goal: string,
  more: Record<string, unknown> = {},
  offers: Partial<Capabilities> = ALL,
): Promise<Plan> {
  const none = { agents: [], tools: [], pipelines: [] };
  const schema = outputSchema("task_planner");
  const input = { goal, ...none, ...offers, finished: [], ...more };
  const output = { name: "task_planner", schema };
  const plan = JSON.parse(await ask("task_planning", input, { output }));
  const kept = (more.finished ?? []) as PlanStep[];
  const capabilities = { ...none, ...offers };
  expect(await planIssues(plan, { capabilities, kept })).toEqual([]);
  return plan;
}

const shape = ({ steps }: Plan) => steps.map(({ id, name }) => `${id}: ${name}`);

Deno.test("a goal is split where another piece of work begins", () => {
  const read = (goal: string) =>
    readParts(goal).map(({ text, work, follows }) => `${work}${follows ? "*" : ""}: ${text}`);
  expect(read("Fetch https://a.example/x, summarise it, and calculate 12 * (3 + 4).")).toEqual([
    "fetch: Fetch https://a.example/x",
    "research*: summarise it",
    "calculate: calculate 12 * (3 + 4)",
  ]);
  expect(read("Research wood and stone. Then write a post about both; finally, proofread it"))
    .toEqual([
      "research: Research wood and stone",
      "write*: write a post about both",
      "review*: proofread it",
    ]);
  expect(read("Schreibe etwas")).toEqual(["other: Schreibe etwas"]);
  expect(read("?!")).toEqual([]);
});

Deno.test("calculations are read in the notation of programs", () => {
  const formula = (goal: string) => readParts(goal)[0]?.formula;
  expect(formula("What is 1,000 × 2^3?")).toBe("1000 * 2**3");
  expect(formula("compute 7 ÷ (2 + 1")).toBe("7 / (2 + 1)");
  expect(formula("add 3) + 4")).toBe("3 + 4");
  expect(formula("In 2020 it rained")).toBeUndefined();
});

Deno.test("a text is researched, outlined, drafted and reviewed; the draft is the result", async () => {
  const plan = await planned("Write a post about timber and review it", {
    context: { documents: [{ text: "Timber is strong." }] },
  });
  expect(shape(plan)).toEqual([
    "research: researcher",
    "outline: planner",
    "draft: builder",
    "review: reviewer",
  ]);
  expect(plan.steps[0]!.input.documents).toBe("${ [context.documents] }");
  expect(plan.output).toEqual({
    content: "${ steps.draft.output }",
    review: "${ steps.review.output }",
  });
});

Deno.test("pages, data sets, calculations and the operator's documents are the tools' business", async () => {
  const plan = await planned(
    "Fetch https://a.example/x and summarise it. Profile https://a.example/d.csv. What is 2 + 2? Find out who won.",
  );
  expect(shape(plan)).toEqual([
    "page: fetch_page",
    "research: researcher",
    "data: dataset",
    "calculation: code_executor",
    "search: search_documents",
    "research_2: researcher",
  ]);
  expect(plan.steps[1]!.input.documents).toBe(
    '${ [{ "id": "page", "url": "https://a.example/x", "text": steps.page.output.text }] }',
  );
  expect(plan.steps[3]!.input).toEqual({ language: "python", code: "2 + 2" });
  expect(plan.steps[5]!.input.documents).toBe("${ [steps.search.output.results] }");
});

Deno.test("several findings are joined for the writer", async () => {
  const plan = await planned("Research wood. Research stone. Then write a report about both.", {
    context: { documents: [{ text: "x" }] },
  });
  expect(shape(plan).slice(0, 2)).toEqual(["research: researcher", "research_2: researcher"]);
  expect(plan.steps.slice(0, 2).every(({ depends_on }) => depends_on.length === 0)).toBe(true);
  expect(plan.steps.at(-1)!.input.research).toMatchObject({
    findings: "${ [steps.research.output.findings, steps.research_2.output.findings] }",
  });
});

Deno.test("what is named is used by its name, when the goal tells what it needs", async () => {
  expect(shape(await planned("Run the pipeline compose about trees")))
    .toEqual(["compose: compose"]);
  expect(shape(await planned("Use search_documents for trees")))
    .toEqual(["search_documents: search_documents"]);
});

Deno.test("other agents get the work that is nearest to what they say they do", async () => {
  const agents = [
    { name: "cook", description: "Cooks meals and soups." },
    { name: "gardener", description: "Plants trees." },
  ];
  const plan = await planned("Cook a soup. Then plant trees with it.", {}, { agents });
  expect(plan.steps).toMatchObject([
    { id: "work", name: "cook", input: { ask: "Cook a soup" } },
    { id: "work_2", name: "gardener", depends_on: ["work"] },
  ]);
  expect(plan.steps[1]!.input.material).toContain("$string(steps.work.output)");
});

Deno.test("text that looks like an expression stays text", async () => {
  const plan = await planned("Research ${ goal } now");
  expect(plan.steps.at(-1)!.input.ask).toBe("Research $${ goal } now");
});

const FETCH = "Fetch https://a.example/x and summarise it. Calculate 2 * 3";
const failed = (steps: PlanStep[], id: string, code: string) => ({
  previous: { steps: steps.map((s) => s.id === id ? { ...s, error: { code, message: "" } } : s) },
});

Deno.test("a plan that failed is made again without what cannot work; finished steps stay", async () => {
  const first = await planned(FETCH);
  const finished = first.steps.filter(({ id }) => id === "calculation");
  const open = first.steps.filter(({ id }) => id !== "calculation");
  const plan = await planned(FETCH, { finished, ...failed(open, "page", "tool_failed") });
  expect(shape(plan)).toEqual(["search: search_documents", "research: researcher"]);
  expect(plan.summary).toContain("without tool fetch_page, which failed");
});

Deno.test("what failed with something that may pass is tried again, more often, once", async () => {
  const first = await planned(FETCH);
  const plan = await planned(FETCH, failed(first.steps, "page", "tool_timeout"));
  expect(plan.steps[0]).toMatchObject({ id: "page", name: "fetch_page", max_attempts: 3 });
  const again = await planned(FETCH, failed(plan.steps, "page", "tool_timeout"));
  expect(again.steps.some(({ name }) => name === "fetch_page")).toBe(false);
});

Deno.test("when nothing is left to go on with, the same is tried again", async () => {
  const agents = [{ name: "cook", description: "Cooks." }];
  const first = await planned("Cook", {}, { agents });
  const plan = await planned("Cook", failed(first.steps, "work", "tool_failed"), { agents });
  expect(shape(plan)).toEqual(["work: cook"]);
});

Deno.test("a comment adds work, or takes some away", async () => {
  const goal = "Write a post about timber and review it";
  const commented = (comment: string) => planned(goal, { previous: { steps: [], comment } });
  expect(shape(await commented("Skip the review."))).toEqual([
    "search: search_documents",
    "research: researcher",
    "outline: planner",
    "draft: builder",
  ]);
  expect(shape(await commented("Also calculate 2 + 2"))).toContain("calculation: code_executor");
});
