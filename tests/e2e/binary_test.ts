/**
 * The executable as it is shipped. Built where a `denort` can be had (`DENORT_BIN`), by the deno that
 * fits it (`DENO_COMPILE`, else the running one).
 */
import { expect } from "expect";
import { join } from "node:path";
import { version } from "../../version.ts";
import { agentOf, AGENTS, agents, COMPATIBLE, FINAL, slowAgents } from "./_agents.ts";
import { chat, expectGapless, follow, journaled, post, talk } from "./_api.ts";
import { PROJECT, report, runProgram, startServer, withHome } from "./_process.ts";
import { build, NO_DENORT } from "./_executable.ts";

const MAX_MEGABYTES = 105;

if (NO_DENORT) report("Skipping the tests of the executable: DENORT_BIN is not set.");

const folder = await Deno.makeTempDir({ prefix: "orchestrator-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** Built by the first test that needs it. */
let built: Promise<string> | undefined;

/** A test with the executable in a home of its own. */
function test(name: string, fn: (command: string[], home: string) => Promise<void>): void {
  Deno.test({
    name: `the executable ${name}`,
    ignore: NO_DENORT,
    async fn() {
      const path = await (built ??= build(join(folder, "orchestrator")));
      await withHome({}, (home) => fn([path], home));
    },
  });
}

test(
  `is below ${MAX_MEGABYTES} MB and tells its version and its commands`,
  async (command, home) => {
    const { size } = await Deno.stat(command[0]!);
    report(`${(size / 1e6).toFixed(1)} MB`);
    expect(size).toBeLessThan(MAX_MEGABYTES * 1e6);
    const told = await runProgram(["--version"], { home, command });
    expect(told).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    const help = await runProgram(["--help"], { home, command });
    expect(help.code).toBe(0);
    for (const name of ["serve", "run", "check", "new-agent"]) expect(help.stdout).toContain(name);
  },
);

test("says what is wrong with a configuration, a line for each thing", async (command, home) => {
  const good = await runProgram(["check"], { home, command });
  expect(good).toMatchObject({ code: 0, stderr: "" });
  expect(good.stdout).toContain("Ready.");
  const env = { PORT: "many", LLM_PROVIDER: "openai" };
  const bad = await runProgram(["check"], { home, command, env });
  expect(bad.code).toBe(1);
  expect(bad.stdout).toMatch(/^problem +PORT must be .*Example: PORT=/m);
  expect(bad.stdout).toMatch(/^problem +OPENAI_API_KEY is not set/m);
  expect(bad.stdout).toContain("2 problems to fix.");
});

test("runs an agent that it has made itself", async (command, home) => {
  const made = await runProgram(["new-agent", "poet"], { home, command });
  expect(made).toMatchObject({ code: 0, stderr: "" });
  const pipeline =
    "name: poem\nversion: 1\nstart: write\nnodes:\n  write: { agent: poet, with: { ask: '\${ input.messages[-1].content }' } }\n";
  await Deno.mkdir(join(home, "pipelines"));
  await Deno.writeTextFile(join(home, "pipelines/poem.yaml"), pipeline);
  expect(await runProgram(["check"], { home, command })).toMatchObject({ code: 0 });
  const args = ["run", "poem", "--input", "Timber stores carbon for decades."];
  const { code, stdout } = await runProgram(args, { home, command });
  expect(code).toBe(0);
  expect(stdout).toContain("imber");
});

test("writes a text from documents, without a server or a key", async (command, home) => {
  const example = join(PROJECT, "examples/sustainable-architecture");
  const args = [
    ...["run", "compose", "--input", "Draft a blog post about sustainable architecture trends."],
    ...["--document", join(example, "energy_and_climate.md")],
    ...["--document", join(example, "materials_and_reuse.md")],
  ];
  const plain = await runProgram(args, { home, command });
  expect(plain.code).toBe(0);
  expect(plain.stdout).toMatch(/^# .+\n[^]*\[(energy_and_climate|materials_and_reuse)\.md\]/);
  const { code, stdout, stderr } = await runProgram([...args, "--json", "--quiet"], {
    home,
    command,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const response = JSON.parse(stdout);
  expect(response).toMatchObject({ status: "completed", metadata: { offline: true } });
  expect(response.message.content.trimEnd()).toBe(plain.stdout.trimEnd());
  expect(response.agents.map(({ name }: { name: string }) => name)).toEqual(AGENTS);
});

test("answers over HTTP and WebSocket", async (command, home) => {
  const model = COMPATIBLE.start(agents());
  const server = await startServer({ home, command, env: COMPATIBLE.env(model.url) });
  try {
    const { message, usage } = await chat(server.url, "Why does timber matter?");
    expect(message.content).toBe(FINAL);
    expect(usage.input_tokens).toBe(4000);
    const ask = { messages: [{ role: "user", content: "And again?" }] };
    const received = await talk(server.url, ask, ({ type }) => type === "complete");
    expectGapless(journaled(received));
    expect(received.at(-1).message.content).toBe(FINAL);
    expect(await server.stop("SIGTERM")).toMatchObject({ code: 0 });
  } finally {
    await server.stop("SIGKILL");
    await model.close();
  }
});

test("runs code in its sandbox, and serves on after code that broke it", async (command, home) => {
  const server = await startServer({ home, command, env: { SECRET: "canary" } });
  const execute = async (language: string, code: string) => {
    const url = `${server.url}/v1/tools/code_executor/execute`;
    return await (await post(url, { arguments: { language, code } })).json();
  };
  try {
    const python = await execute(
      "python",
      "import os; open('a', 'w').write('x'); dict(os.environ)",
    );
    expect(python.output.files).toMatchObject([{ name: "a", size: 1 }]);
    expect(JSON.stringify(python)).not.toContain("canary");
    expect(await execute("python", "bytearray(2 ** 30)")).toMatchObject({ code: "code_memory" });
    const javascript = await execute("javascript", "function f() { return f() + 1 } f()");
    expect(javascript).toMatchObject({ code: "code_failed" });
    expect(await execute("javascript", "1 + 1")).toMatchObject({ output: { result: 2 } });
  } finally {
    await server.stop("SIGKILL");
  }
});

test("finishes a run by itself that it was killed in", async (command, home) => {
  const model = COMPATIBLE.start(slowAgents(2_000));
  const options = { home, command, env: COMPATIBLE.env(model.url) };
  const first = await startServer(options);
  let second: typeof first | undefined;
  try {
    const ask = { messages: [{ role: "user", content: "Why does timber matter?" }] };
    const response = await post(`${first.url}/v1/chat`, ask, { prefer: "respond-async" });
    expect(response.status).toBe(202);
    const { run_id } = await response.json();
    const url = `${first.url}/v1/runs/${run_id}/events`;
    await waitFor(url, "agent.completed");
    await first.stop("SIGKILL");
    second = await startServer(options);
    const events = await follow(second.url, run_id);
    expectGapless(events);
    expect(events.some(({ type }) => type === "run.resumed")).toBe(true);
    expect(events.at(-1)).toMatchObject({ output: { content: FINAL } });
    // What was recorded before is not paid for again.
    expect(model.calls.filter((call) => agentOf(call) === "researcher").length).toBe(1);
  } finally {
    await first.stop("SIGKILL");
    await second?.stop("SIGKILL");
    await model.close();
  }
});

/** Reads a stream of events until one of this type came. */
async function waitFor(url: string, type: string): Promise<void> {
  let text = "";
  const { body } = await fetch(url);
  for await (const piece of body!.pipeThrough(new TextDecoderStream())) {
    if ((text += piece).includes(`event: ${type}`)) return;
  }
  throw new Error(`no ${type} in ${text}`);
}
