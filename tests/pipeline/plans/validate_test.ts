import { expect } from "expect";
import { parse } from "yaml";
import { planSchema, type PlanStep } from "../../../pipeline/plans/plan.ts";
import { planIssues, withoutKept } from "../../../pipeline/plans/validate.ts";
import { CAPABILITIES, planOf, step } from "./_plans.ts";

const issues = (plan: unknown, kept: PlanStep[] = []) =>
  planIssues(plan, { capabilities: CAPABILITIES, kept });

Deno.test("planIssues() has nothing against a plan that can run", async () => {
  const plan = {
    ...planOf(
      step("page", { kind: "tool", name: "fetch_page", input: { url: "https://example.org" } }),
      step("found", {
        name: "researcher",
        input: { ask: "${ goal }", documents: ["${ steps.page.output }"] },
      }),
      step("text", {
        kind: "pipeline",
        name: "compose",
        input: { context: "${ context }", about: "${ [steps.found.output, steps.old.output] }" },
        max_attempts: 2,
        timeout_seconds: 60,
      }),
    ),
    output: { text: "${ steps.text.output.content }" },
  };
  expect(await issues(plan, [step("old")])).toEqual([]);
});

const WRONG: [name: string, steps: PlanStep[], location: string, message: string | RegExp][] = [
  ["no step at all", [], "/steps", "a plan has at least one step: add one"],
  [
    "an id that is used twice",
    [step("a"), step("b"), step("a")],
    "/steps/2/id",
    'step 0 already has the ID "a": choose another one',
  ],
  [
    "an id that cannot be referred to",
    [step("A b")],
    "/steps/0/id",
    "must match /^[a-z][a-z0-9_]{0,39}$/",
  ],
  [
    "other work under the id of a finished step",
    [step("old", { input: { ask: "something else" } })],
    "/steps/0/id",
    /"old" is completed and cannot be changed/,
  ],
  [
    "an unknown agent",
    [step("a", { name: "writr" })],
    "/steps/0/name",
    'unknown agent "writr"; did you mean "writer"?',
  ],
  [
    "an unknown tool",
    [step("a", { kind: "tool", name: "fetch_pages" })],
    "/steps/0/name",
    'unknown tool "fetch_pages"; did you mean "fetch_page"?',
  ],
  [
    "an unknown pipeline",
    [step("a", { kind: "pipeline", name: "composer" })],
    "/steps/0/name",
    'unknown pipeline "composer"; did you mean "compose"?',
  ],
  [
    "a tool that is called an agent",
    [step("a", { name: "fetch_page" })],
    "/steps/0/kind",
    '"fetch_page" is a tool: set its kind to tool',
  ],
  [
    "a dependency on nothing",
    [step("first"), step("b", { depends_on: ["first", "frist"] })],
    "/steps/1/depends_on/1",
    'unknown step "frist"; did you mean "first"?',
  ],
  [
    "a reference to nothing",
    [step("first"), step("b", { input: { text: "${ $string(steps.fist.output) }" } })],
    "/steps/1/input",
    'unknown step "fist"; did you mean "first"?',
  ],
  [
    "an expression about something else",
    [step("a", { input: { deep: ["${ nodes.a }"] } })],
    "/steps/0/input/deep/0",
    /"nodes" is not known here; expressions start with goal, context, steps or run/,
  ],
  [
    "an expression that does not end",
    [step("a", { input: { text: "${ goal" } })],
    "/steps/0/input",
    /is not closed/,
  ],
  [
    "an input that is missing",
    [step("a", { kind: "tool", name: "fetch_page" })],
    "/steps/0/input/url",
    "is required",
  ],
  [
    "an input that is missing beside one that is known later",
    [step("a", { name: "researcher", input: { documents: "${ context.documents }" } })],
    "/steps/0/input/",
    'the input "ask" is required',
  ],
  [
    "an input that nobody takes",
    [step("a", { name: "researcher", input: { ask: "x", document: "${ context }" } })],
    "/steps/0/input/document",
    'unknown input "document"; did you mean "documents"?',
  ],
  [
    "an input that does not fit",
    [step("a", { name: "researcher", input: { ask: 1, documents: "${ context.documents }" } })],
    "/steps/0/input/ask",
    /string/,
  ],
  [
    "a step that waits for itself",
    [step("a", { depends_on: ["a"] })],
    "/steps/0/depends_on",
    "the steps depend on each other: a → a. Break the cycle",
  ],
  [
    "a circle, with its path, also through inputs",
    [
      step("x"),
      step("a", { depends_on: ["c"] }),
      step("b", { input: { text: "${ steps.a.output }" } }),
      step("c", { depends_on: ["x", "b"] }),
    ],
    "/steps/1/depends_on",
    "the steps depend on each other: a → c → b → a. Break the cycle",
  ],
  [
    "more steps than there may be",
    Array.from({ length: 50 }, (_, n) => step(`s${n}`)),
    "/steps",
    /51 steps, including completed ones, are more than 50/,
  ],
];

for (const [name, steps, location, message] of WRONG) {
  Deno.test(`planIssues() reports ${name}`, async () => {
    const kept = name === "no step at all" ? [] : [step("old")];
    expect(await issues(planOf(...steps), kept)).toContainEqual({
      location: location.replace(/\/$/, ""),
      message: typeof message === "string" ? message : expect.stringMatching(message),
    });
  });
}

Deno.test("planIssues() reports a result that no step makes", async () => {
  const plan = { ...planOf(step("a")), output: "${ steps.b.output & nodes.a }" };
  expect(await issues(plan)).toEqual([
    { location: "/output", message: expect.stringContaining('"nodes" is not known here') },
    { location: "/output", message: 'unknown step "b"; available: a' },
  ]);
});

Deno.test("planIssues() reports what is no plan", async () => {
  expect(await issues({ steps: "later" })).not.toEqual([]);
  const [issue] = await issues({ ...planOf(step("a")), extra: 1 });
  expect(issue!.message).toMatch(/extra/);
});

Deno.test("a finished step that is listed again as it was is left out", async () => {
  const kept = [step("old")];
  const plan = planOf(step("old", { title: "said otherwise" }), step("new"));
  expect(await issues(plan, kept)).toEqual([]);
  expect(withoutKept(plan, kept).steps.map(({ id }) => id)).toEqual(["new"]);
});

Deno.test("the planner's profile has the schema that plans are checked against", async () => {
  const text = await Deno.readTextFile("agents/task_planner.md");
  expect(parse(text.split("---\n")[1]!).output).toEqual(planSchema);
});
