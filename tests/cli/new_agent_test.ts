import { Command } from "commander";
import { expect } from "expect";
import { environmentOf } from "./_environment.ts";
import { join } from "node:path";
import { addNewAgent, type CommandIo } from "../../cli/mod.ts";
import { createAgent } from "../../cli/new_agent.ts";
import { parseProfile } from "../../pipeline/agent/profile.ts";
import { createPrompt } from "../../pipeline/agent/prompt.ts";

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
    await createAgent(home, "a", true);
    expect(await Deno.readTextFile(profile)).toContain("name: a");
  }));
