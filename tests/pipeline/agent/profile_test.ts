import { expect } from "expect";
import type { OrchestratorError } from "../../../errors.ts";
import { parseProfile } from "../../../pipeline/agent/profile.ts";

function issues(text: string) {
  try {
    parseProfile(text, "demo");
  } catch (error) {
    expect((error as OrchestratorError).code).toBe("agent_invalid");
    return (error as OrchestratorError).issues;
  }
}

Deno.test("parseProfile() reads a profile with all its fields", () => {
  const text = `---
name: demo
description: Plans.
model: openai/gpt-5
capabilities: [plan]
tools: [http_get, search]
prompt: plan
history: 4
max_turns: 3
timeout_seconds: 30
temperature: 0.2
max_output_tokens: 500
output: { type: object, required: [steps] }
---

You plan.

Always.
`;
  expect(parseProfile(text, "demo")).toEqual({
    name: "demo",
    description: "Plans.",
    model: "openai/gpt-5",
    capabilities: ["plan"],
    tools: ["http_get", "search"],
    prompt: "plan",
    history: 4,
    max_turns: 3,
    timeout_seconds: 30,
    temperature: 0.2,
    max_output_tokens: 500,
    output: { type: "object", required: ["steps"] },
    system: "You plan.\n\nAlways.",
    system_line: 16,
  });
});

Deno.test("parseProfile() has defaults for everything", () => {
  expect(parseProfile("---\n---\n", "demo")).toEqual({
    name: "demo",
    description: "",
    capabilities: [],
    tools: [],
    history: 2,
    max_turns: 10,
    timeout_seconds: 120,
    system: "",
    system_line: 3,
  });
});

Deno.test("parseProfile() loads files of other agent tools", () => {
  const text =
    "---\r\nname: Code Reviewer\r\ndescription: Use it often.\r\ntools: Read, Grep , Bash\r\nmodel: inherit\r\ncolor: red\r\npermissionMode: plan\r\n---\r\nYou review.\r\n";
  const profile = parseProfile(text, "code-reviewer");
  expect(profile).toMatchObject({
    name: "code-reviewer",
    tools: ["Read", "Grep", "Bash"],
    system: "You review.",
  });
  expect(Object.keys(profile)).not.toContain("model");
  expect(Object.keys(profile)).not.toContain("color");
  expect(parseProfile("---\nmodel: sonnet\n---\n", "demo").model).toBe("sonnet");
});

Deno.test("parseProfile() leaves later lines of dashes to the body", () => {
  expect(parseProfile("---\nhistory: 0\n---\na\n---\nb\n", "demo").system).toBe("a\n---\nb");
});

Deno.test("parseProfile() says on which line something is wrong", () => {
  expect(issues("You plan.")).toEqual([
    { location: "line 1", message: expect.stringContaining("must start with front matter") },
  ]);
  expect(issues("---\nname: x\nhistory: many\n---\n")).toEqual([
    { location: "line 3, history", message: "must be an integer" },
  ]);
  expect(issues("---\nname: x\ntools: [a\n---\n")?.[0]?.location).toMatch(/^line \d$/);
  expect(issues("---\nname: x\n\noutput:\n  type: objekt\n---\n")).toEqual([{
    location: "line 5, output.type",
    message: 'unknown type "objekt"; did you mean "object"?',
  }]);
  expect(issues("---\n- a\n---\n")).toHaveLength(1);
});

Deno.test("the built-in agents send no sampling parameters: the default model takes none", async () => {
  const folder = new URL("../../../agents/", import.meta.url);
  const files = await Array.fromAsync(Deno.readDir(folder));
  expect(files.length).toBeGreaterThan(0);
  for (const { name } of files) {
    const profile = parseProfile(await Deno.readTextFile(new URL(name, folder)), name.slice(0, -3));
    expect([name, profile.temperature]).toEqual([name, undefined]);
  }
});
