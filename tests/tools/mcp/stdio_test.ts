import { expect } from "expect";
import { fileURLToPath } from "node:url";
import { Secret, test } from "./_setup.ts";
import { LOCAL } from "../../_caller.ts";

const program = {
  command: Deno.execPath(),
  args: ["run", "-A", fileURLToPath(import.meta.resolve("../../_mock/mcp_stdio.ts"))],
};
const allowed_commands = [[program.command, ...program.args].join(" ")];

test(
  "a program that is allowed lists and calls its tools, and gets no variable of ours",
  async (bench) => {
    Deno.env.set("ORCHESTRATOR_TEST_SECRET", "s");
    const set = bench.open({ ...program, env: { NOTES_KEY: new Secret("k") } });
    const echo = await bench.tool(set, "mock_echo");
    expect(await echo.run({ q: "1" }, bench.scope())).toEqual({ text: "echo 1" });
    const variables = await bench.tool(set, "mock_variables");
    const { text } = await variables.run({}, bench.scope()) as { text: string };
    expect(text.split(" ")).toContain("NOTES_KEY");
    expect(text).not.toContain("ORCHESTRATOR_TEST_SECRET");
    Deno.env.delete("ORCHESTRATOR_TEST_SECRET");
  },
  { allowed_commands, program: true },
);

test(
  "a program that crashes fails the call, and is started again for the next one",
  async (bench) => {
    const set = bench.open(program);
    const crash = await bench.tool(set, "mock_crash");
    await expect(crash.run({}, bench.scope())).rejects.toMatchObject({
      code: "tool_failed",
      kind: "retryable",
    });
    const echo = await bench.tool(set, "mock_echo");
    expect(await echo.run({ q: "2" }, bench.scope())).toEqual({ text: "echo 2" });
  },
  { allowed_commands, program: true },
);

test("a program that answers too much is ended, and started again", async (bench) => {
  const set = bench.open(program);
  const huge = await bench.tool(set, "mock_huge");
  await expect(huge.run({}, bench.scope())).rejects.toMatchObject({
    code: "tool_output_too_large",
    kind: "terminal",
  });
  const echo = await bench.tool(set, "mock_echo");
  expect(await echo.run({ q: "3" }, bench.scope())).toEqual({ text: "echo 3" });
}, { allowed_commands, program: true });

test("a program that is not allowed to the word is not started", async (bench) => {
  const set = bench.open({ ...program, args: [...program.args, "--evil"] });
  expect(await set.tools(LOCAL)).toEqual([]);
  expect(await set.problem(LOCAL)).toContain("not allowed");
  expect(await set.problem(LOCAL)).toContain("MCP_ALLOWED_COMMANDS");
}, { allowed_commands, program: true });

test("a program that is not there is told", async (bench) => {
  const set = bench.open({ command: "no-such-program-here" });
  expect(await set.tools(LOCAL)).toEqual([]);
  expect(await set.problem(LOCAL)).toContain("no-such-program-here");
}, { allowed_commands: ["no-such-program-here"] });
