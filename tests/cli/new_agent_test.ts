import { Command } from "commander";
import { expect } from "expect";
import { environmentOf } from "./_environment.ts";
import { dirname, join } from "node:path";
import { addNewAgent, type CommandIo } from "../../cli/mod.ts";
import { createAgent } from "../../cli/new_agent.ts";
import { parseProfile } from "../../pipeline/agent/profile.ts";
import { createPrompt } from "../../pipeline/agent/prompt.ts";
import type { ModelClient, ModelRequest } from "../../llm/mod.ts";
import { createCatalog } from "../../pipeline/catalog/mod.ts";
import type { Json } from "../../pipeline/kernel/mod.ts";
import { createProgram } from "../../pipeline/walk/mod.ts";
import { FakeContext } from "../pipeline/_fake_context.ts";
import { deps } from "../pipeline/walk/_define.ts";
import { LOCAL } from "../_caller.ts";

async function inHome(test: (home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    await test(home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("new-agent writes a profile that loads and a prompt that renders", () =>
  inHome(async (home) => {
    const written: string[] = [];
    const io: CommandIo = {
      environment: () => environmentOf({ ORCHESTRATOR_HOME: home }),
      write: (text) => written.push(text),
      fail: () => {},
      color: false,
    };
    const program = new Command();
    addNewAgent(program, io);
    await program.parseAsync(["new-agent", "fact-checker"], { from: "user" });

    const profile = await Deno.readTextFile(join(home, "agents/fact-checker.md"));
    expect(parseProfile(profile, "fact-checker")).toMatchObject({
      name: "fact-checker",
      prompt: "fact-checker",
      capabilities: [],
      tools: [],
      history: 2,
    });
    const withOutput = profile.replaceAll(/^# (output| {2})/gm, "$1");
    expect(parseProfile(withOutput, "fact-checker").output)
      .toMatchObject({ type: "object", required: ["summary"] });

    const prompt = await Deno.readTextFile(join(home, "prompts/fact-checker.md"));
    const rendered = await createPrompt(prompt, "prompts/fact-checker.md").render({
      ask: "Check this.",
      documents: [{ title: "Report", text: "Steel is strong." }],
      context: { tone: "dry" },
    });
    for (const part of ["Check this.", "Report", "Steel is strong.", '{"tone":"dry"}']) {
      expect(rendered).toContain(part);
    }
    expect(written.join("")).toContain(join(home, "agents/fact-checker.md"));
    expect(written.join("")).toContain("{ agent: fact-checker }");
  }));

Deno.test("new-agent prints a pipeline that asks the agent, with a chat's message or any input", () =>
  inHome(async (home) => {
    const written: string[] = [];
    const program = new Command();
    addNewAgent(program, {
      environment: () => environmentOf({ ORCHESTRATOR_HOME: home }),
      write: (text) => written.push(text),
      fail: () => {},
      color: false,
    });
    await program.parseAsync(["new-agent", "fact-checker"], { from: "user" });
    const [, path = "", text = ""] =
      /for instance (\S+):\n\n((?: {7}.*\n)+)/.exec(written.join("")) ?? [];
    expect(path).toBe(join(home, "pipelines/fact-checker.yaml"));
    await Deno.mkdir(dirname(path));
    await Deno.writeTextFile(path, text.replaceAll(/^ {7}/gm, ""));

    const asked = async (input: Json) => {
      const { messages } = (await requestsOf(home, "fact-checker", input))[0]!;
      return messages.at(-1)!.content;
    };
    const chat = { messages: [{ role: "user", content: "Is steel strong?" }] };
    expect(await asked(chat)).toContain("Is steel strong?");
    expect(await asked({ claim: "Steel is strong." })).toContain('"claim": "Steel is strong."');
    expect(await asked("Steel is strong.")).toContain("Steel is strong.");
  }));

/** What the model is asked when a pipeline of a home folder runs. */
async function requestsOf(home: string, pipeline: string, input: Json): Promise<ModelRequest[]> {
  const requests: ModelRequest[] = [];
  const models: ModelClient = {
    provider: "fake",
    generate(request) {
      requests.push(request);
      return Promise.resolve({
        text: "yes",
        tool_calls: [],
        finish_reason: "stop",
        usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
        model: "fake",
      });
    },
    models: () => Promise.resolve([]),
  };
  const catalog = createCatalog({
    roots: {
      pipelines: ["/nowhere", join(home, "pipelines")],
      agents: ["/nowhere", join(home, "agents")],
      prompts: ["/nowhere", join(home, "prompts")],
    },
    tasks: [],
    services: [],
    definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
  });
  const { definition } = await catalog.resolve(LOCAL, pipeline);
  await createProgram(definition, deps({}, { models }))(new FakeContext(), input);
  return requests;
}

Deno.test("createAgent() takes the name of a built-in agent only with `override`", () =>
  inHome(async (home) => {
    await expect(createAgent(home, "planner", { force: true })).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(
        /^Cannot create the agent planner: a built-in agent .*--override/,
      ),
    });
    expect([...Deno.readDirSync(home)]).toEqual([]);
    const [profile] = await createAgent(home, "planner", { override: true });
    expect(await Deno.readTextFile(profile)).toContain("name: planner");
  }));

Deno.test("createAgent() refuses names that cannot be file names everywhere", () =>
  inHome(async (home) => {
    for (const name of ["", "../x", "A", "a b", "1a", "a".repeat(64), "a.md"]) {
      await expect(createAgent(home, name)).rejects.toMatchObject({ code: "invalid_request" });
    }
    expect([...Deno.readDirSync(home)]).toEqual([]);
  }));

Deno.test("createAgent() replaces files only by force", () =>
  inHome(async (home) => {
    const [profile] = await createAgent(home, "a");
    await Deno.writeTextFile(profile, "mine");
    await expect(createAgent(home, "a")).rejects.toMatchObject({ code: "conflict" });
    expect(await Deno.readTextFile(profile)).toBe("mine");
    await createAgent(home, "a", { force: true });
    expect(await Deno.readTextFile(profile)).toContain("name: a");
  }));
