import { expect } from "expect";
import { parseProfile } from "../../pipeline/agent/profile.ts";
import { createPrompt } from "../../pipeline/agent/prompt.ts";
import { createProgram } from "../../pipeline/walk/interpreter.ts";
import type { Definition } from "../../pipeline/document/document.ts";
import { kinds } from "../../pipeline/document/kinds.ts";
import { parsePipeline } from "../../pipeline/document/parse.ts";
import { startOptions } from "../../service/start.ts";
import type { Tasks } from "../../pipeline/nodes/task.ts";
import { OrchestratorError } from "../../errors.ts";
import { NO_USAGE } from "../../telemetry/usage.ts";
import { FakeContext, RUN } from "./_fake_context.ts";
import { deps, once, type Trial } from "./walk/_define.ts";

const DOCS = await Deno.readTextFile(new URL("../../docs/pipelines.md", import.meta.url));

function example(language: string, nth = 0): string {
  const blocks = DOCS.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"));
  return [...blocks][nth]![1]!;
}

Deno.test("the table of docs/pipelines.md has every kind of node", () => {
  const rows = [...DOCS.matchAll(/^\| `([a-z_]+): /gm)].map(([, kind]) => kind);
  expect(rows.sort()).toEqual(kinds.map(({ kind }) => kind).sort());
});

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
  const writer = parseProfile(example("markdown", 1), "writer");
  const known = { agents: ["editor", "writer"], tasks: [], name: "brief" };
  const definition: Definition = {
    pipeline: await parsePipeline(example("yaml"), "brief.yaml", known),
    agents: { editor, writer },
    prompts: { editor: example("liquid") },
  };
  const run = async (scores: number[]) => {
    let round = 0;
    const program = createProgram(
      definition,
      deps({}, {
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
      }),
    );
    return await program(new FakeContext(), { topic: "tea" });
  };
  expect(await run([5, 9])).toEqual({ text: "draft 2", rounds: 2 });
  expect(await run([1, 2, 3])).toEqual({ text: "draft 3", rounds: 3 });
});

/** The pipelines of the documentation, by name. */
const PIPELINES = new Map(
  [...DOCS.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => [
    /^name: (.*)$/m.exec(text)![1]!,
    text,
  ]),
);

const broken: string[] = [];
const tasks: Tasks = {
  book: {
    run: (input) => {
      const { what } = input as { what: string };
      if (broken.includes(what)) throw new OrchestratorError("call_failed", "It is full.");
      return `${what} 7`;
    },
  },
  cancel: { run: (input) => input },
  forecast: {
    run: () => {
      throw new OrchestratorError("call_failed", "No forecast.");
    },
  },
};

async function documented(name: string): Promise<Definition> {
  const known = {
    agents: [],
    tasks: Object.keys(tasks),
    pipelines: [...PIPELINES.keys()],
    name,
  };
  const pipeline = await parsePipeline(PIPELINES.get(name)!, `${name}.yaml`, known);
  return { pipeline, agents: {}, prompts: {}, pipelines: { survey: "sha256:1" } };
}

async function runDocumented(name: string, trial: Omit<Trial, "definition">) {
  return await once({ definition: await documented(name), deps: deps(tasks), ...trial });
}

Deno.test("the pipelines of docs/pipelines.md wait, branch and run others as it says", async () => {
  const invoice = async (outcome: { signal: { by: string } } | { timed_out: true }) =>
    (await runDocumented("invoice", {
      input: { invoice: 7 },
      prepare: (ctx) => void (ctx.onWait = () => outcome),
    })).ended;
  expect(await invoice({ signal: { by: "Ada" } })).toEqual({ output: "paid by Ada" });
  expect(await invoice({ timed_out: true })).toEqual({ output: "invoice 7 is not paid" });
  const input = { cities: [{ name: "Graz" }, { name: "Linz" }, {}] };
  const survey = await runDocumented("survey", { input });
  const cities = ["1. GRAZ", "2. LINZ", "3. "];
  expect(survey.ended).toEqual({ output: { facts: 3, cities } });
  expect(survey.ctx.ran).toContain("look.cities/each[1]/name");
  const [, request = ""] = /-d '(\{"pipeline": "survey".*\})'/.exec(DOCS) ?? [];
  const [, answered = ""] = /answers with `"output": (\{.*\})`/.exec(DOCS) ?? [];
  const asked = await runDocumented("survey", { input: JSON.parse(request).input });
  expect(asked.ended).toEqual({ output: JSON.parse(answered) });
  const digest = async (fails: boolean) =>
    (await runDocumented("digest", {
      input,
      prepare: (ctx) =>
        void (ctx.onChild = () =>
          fails
            ? { status: "cancelled", reason: "Enough.", usage: NO_USAGE }
            : { status: "completed", output: { cities }, usage: NO_USAGE }),
    })).ended;
  expect(await digest(false)).toEqual({ output: cities });
  expect(await digest(true)).toEqual({ output: expect.stringMatching(/^no survey: .*Enough/) });
});

Deno.test("the policies of docs/pipelines.md do what it says", async () => {
  const good = await runDocumented("trip", { input: { to: "Rome" } });
  expect(good.ended).toEqual({ output: "hotel 7" });
  broken.push("hotel");
  const bad = await runDocumented("trip", { input: { to: "Rome" } });
  broken.pop();
  expect(bad.ended).toMatchObject({ error: { code: "call_failed", message: "It is full." } });
  expect(bad.ctx.steps.at(-1)).toMatchObject({
    key: "undo/cancel_flight",
    outcome: { output: { booking: "flight 7", why: "call_failed" } },
  });
});

Deno.test("the starts of docs/pipelines.md are read as it says", async () => {
  expect(await startOptions(await documented("nightly"), { customer: "acme" })).toEqual({
    priority: -10,
    concurrency: { key: "report-acme", limit: 1, on_busy: "enqueue" },
    budget: { tokens: 200_000, cost_usd: 2, seconds: 86_400, on_exceeded: "approval" },
  });
  const { ended } = await runDocumented("nightly", { input: { customer: "acme" } });
  expect(ended).toEqual({ output: "report for acme" });
});

Deno.test("the call of docs/pipelines.md asks the service", async () => {
  const asked: Request[] = [];
  const fetch = (url: URL, init: RequestInit) => {
    asked.push(new Request(url, init));
    return Promise.resolve(Response.json({ id: 7 }));
  };
  const services = { billing: { url: "http://billing.test", timeout_ms: 1_000 } };
  const program = createProgram(await documented("charge"), { ...deps(tasks), services, fetch });
  const input = { customer: "c1", amount: 5, dry_run: true };
  expect(await program(new FakeContext(), input)).toEqual({ id: 7 });
  expect(asked[0]!.url).toBe("http://billing.test/customers/c1/charges?dry_run=true");
  expect(await asked[0]!.json()).toEqual({ amount: 5 });
});
