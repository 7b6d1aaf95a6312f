import { expect } from "expect";
import { parseProfile } from "../../pipeline/agent/profile.ts";
import { createPrompt } from "../../pipeline/agent/prompt.ts";
import { createProgram, type Definition, parsePipeline } from "../../pipeline/graph/mod.ts";
import { FakeContext, RUN } from "./_fake_context.ts";

const DOCS = await Deno.readTextFile(new URL("../../docs/pipelines.md", import.meta.url));

function example(language: string): string {
  return new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "m").exec(DOCS)![1]!;
}

Deno.test("the agent and the prompt of docs/pipelines.md load and render", async () => {
  const profile = parseProfile(example("markdown"), "editor", ["editor"]);
  expect(profile).toMatchObject({ prompt: "editor", system: expect.stringMatching(/^You are/) });
  const prompt = createPrompt(example("liquid"), "prompts/editor.md");
  const text = await prompt.render({
    draft: "Tea.",
    remarks: ["longer"],
    facts: [1],
    run: { id: RUN.id, pipeline: RUN.pipeline, created_at: RUN.created_at },
  });
  expect(text).toMatch(/Tea\.\n\nLast time you said:\n- longer\n\nFacts: \[1\]/);
});

Deno.test("the pipeline of docs/pipelines.md runs until the editor is content", async () => {
  const editor = parseProfile(example("markdown"), "editor");
  const writer = parseProfile("---\n---\nYou write.\n", "writer");
  const known = { agents: ["editor", "writer"], tasks: [], name: "brief" };
  const definition: Definition = {
    pipeline: await parsePipeline(example("yaml"), "brief.yaml", known),
    agents: { editor, writer },
    prompts: { editor: example("liquid") },
  };
  const run = async (scores: number[]) => {
    let round = 0;
    const program = createProgram(definition, {
      tasks: {},
      tools: { specs: () => [], call: () => Promise.reject(new Error("no tools")) },
      model_retry: {},
      models: {
        provider: "scripted",
        models: () => Promise.resolve([]),
        generate: ({ agent }) =>
          Promise.resolve({
            text: agent!.name === "editor"
              ? JSON.stringify({ score: scores[round++], remarks: ["longer"] })
              : `draft ${round + 1}`,
            tool_calls: [],
            finish_reason: "stop",
            usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
            model: "scripted",
          }),
      },
    });
    return await program(new FakeContext(), { topic: "tea" });
  };
  expect(await run([5, 9])).toEqual({ text: "draft 2", rounds: 2 });
  expect(await run([1, 2, 3])).toEqual({ text: "draft 3", rounds: 3 });
});
