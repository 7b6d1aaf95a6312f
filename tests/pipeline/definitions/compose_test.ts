import { expect } from "expect";
import { createOfflineModel } from "../../../offline/mod.ts";
import { countWords } from "../../../offline/text.ts";
import { createCatalog } from "../../../pipeline/catalog/catalog.ts";
import { createProgram } from "../../../pipeline/walk/interpreter.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import { type MergeResult, mergeReviewTask } from "../../../pipeline/compose/merge_review.ts";
import { FakeContext, type RecordedStep } from "../_fake_context.ts";
import { NO_TOOLS } from "../_fake_tools.ts";
import { LOCAL } from "../../_caller.ts";

const root = new URL("../../../", import.meta.url).pathname;
const text = Deno.readTextFileSync(
  `${root}examples/sustainable-architecture/materials_and_reuse.md`,
);
const tasks = { merge_review: mergeReviewTask };
const models = createOfflineModel();

/** Runs the built-in pipeline with the built-in agents and prompts. */
async function compose(input: Json, recorded: RecordedStep[] = []) {
  const catalog = createCatalog({
    roots: {
      pipelines: [`${root}pipeline/definitions`],
      agents: [`${root}agents`],
      prompts: [`${root}prompts`],
    },
    tasks: Object.keys(tasks),
    definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
  });
  const { definition } = await catalog.resolve(LOCAL, "compose");
  const context = new FakeContext(recorded);
  const program = createProgram(definition, { models, model_retry: {}, tasks, ...NO_TOOLS });
  const output = await program(context, input) as unknown as MergeResult;
  return { context, output };
}

const ask = (content: string) => [{ role: "user", content }];

Deno.test("compose: four agents and a merge make a cited text of the asked length", async () => {
  const { output, context } = await compose({
    messages: ask("Draft a blog post about sustainable architecture trends."),
    context: { tone: "informative", length: "300 words" },
    documents: [{ id: "materials", title: "Materials", text }],
  });
  expect(Math.abs(countWords(output.content) - 300)).toBeLessThanOrEqual(30);
  expect(output.content).toContain("[materials]");
  expect(output.sources.map(({ id, title, cited }) => ({ id, title, cited }))).toEqual([
    { id: "materials", title: "Materials", cited: true },
  ]);
  expect(output.review.score).toBe(100);
  const done = context.events.flatMap((event) =>
    event.type === "agent.completed" ? [event.agent] : []
  );
  expect(done).toEqual(["researcher", "planner", "builder", "reviewer"]);
});

Deno.test("compose: the draft streams as readable text", async () => {
  const { context } = await compose({
    messages: ask("Write about timber"),
    documents: [{ text }],
  });
  const draft = context.deltas.filter(([step]) => step.startsWith("build")).map(([, text]) => text);
  expect(draft.join("")).toMatch(/^# Timber\n/);
});

Deno.test("compose: the README's first request works without documents", async () => {
  const { output } = await compose({
    messages: ask("Draft a blog post about sustainable architecture trends."),
    context: { tone: "informative", length: "800 words" },
  });
  expect(output.content).toContain("# Sustainable architecture trends");
  expect(output.sources).toEqual([]);
});

Deno.test("compose: a replay after a crash at any step gives the same output", async () => {
  const input = { messages: ask("Write 150 words about timber"), documents: [{ text }] };
  const { context, output } = await compose(input);
  for (let done = 0; done <= context.steps.length; done++) {
    const again = await compose(input, context.steps.slice(0, done));
    expect(again.output).toEqual(output);
    expect(again.context.ran.length).toBe(context.steps.length - done);
  }
});

Deno.test("compose: a conversation without a user message is refused", async () => {
  const refused = compose({ messages: [{ role: "assistant", content: "Hello" }] });
  await expect(refused).rejects.toThrow(/messages/);
});
