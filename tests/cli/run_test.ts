import { Command } from "commander";
import { expect } from "expect";
import { dirname } from "node:path";
import { addRun } from "../../cli/mod.ts";
import { type Env, readConfig } from "../../config.ts";
import { createOrchestrator } from "../../orchestrator.ts";
import { pipelineNames } from "../../wiring/definitions.ts";
import { createLogger } from "../../telemetry/log.ts";
import { LOCAL } from "../_caller.ts";

const NODES = {
  one: `
  check:
    approval: { title: "Publish?", payload: "\${ input.text }" }
    on_reject: shelve
    next: publish
  shelve: { transform: { content: "shelved: \${ nodes.check.comment }" } }`,
  two: `
  check:
    approval: { title: "Publish?", payload: "\${ input.text }", approvers: 2 }
    next: publish`,
  others: `
  check:
    approval: { title: "Publish?", allowed: [ann] }
    next: publish`,
  signal: `
  check:
    wait: { signal: go }
    next: publish`,
};

/** Runs a pipeline that waits, with these lines typed; without lines nobody sits there. */
async function run(
  kind: keyof typeof NODES,
  lines?: (string | null)[],
  args = ["ask", "-i", '{"text":"timber"}'],
) {
  const home = await Deno.makeTempDir();
  const seen = { out: "", err: "", code: 0 };
  try {
    await Deno.mkdir(`${home}/pipelines`);
    const document = `name: ask
version: 1
input: { type: object, required: [text] }
start: check
nodes:${NODES[kind]}
  publish: { transform: { content: "published \${ input.text }" } }
`;
    await Deno.writeTextFile(`${home}/pipelines/ask.yaml`, document);
    const program = new Command("orchestrator").exitOverride();
    addRun(program, {
      config: () => readConfig({ ORCHESTRATOR_HOME: home }),
      log: () => createLogger({ level: "error", format: "json", write: () => {} }),
      create: createOrchestrator,
      pipelines: pipelineNames,
      write: (text) => void (seen.out += text),
      progress: { write: (text) => void (seen.err += text), terminal: false },
      readStdin: () => Promise.resolve(""),
      ...(lines ? { readLine: () => Promise.resolve(lines.shift() ?? null) } : {}),
      exit: (code) => void (seen.code = code),
    });
    await program.parseAsync(["run", ...args], { from: "user" });
    return seen;
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("run asks on a terminal and goes on with the decision", async () => {
  const { out, err, code } = await run("one", ["what?", "y, fine"]);
  expect([out, code]).toEqual(["published timber\n", 0]);
  expect(err).toContain("Publish?\n\ntimber\n\nApprove?");
  expect(err).toContain("Please answer y or n.\nApprove?");
  expect(err).toContain("✓ approval approved by local");
});

Deno.test("run takes a rejection with its comment", async () => {
  expect((await run("one", ["no too short"])).out).toBe("shelved: too short\n");
});

for (
  const [kind, lines, what] of [
    ["one", undefined, "the approval apr_"],
    ["one", [null], "the approval apr_"],
    ["two", ["yes"], "the approval apr_"],
    ["others", ["y"], "the approval apr_"],
    ["signal", ["y"], "the signal go"],
  ] as const
) {
  const typed = lines ? JSON.stringify(lines) : "nobody";
  Deno.test(`run leaves what it cannot decide (${kind}, ${typed}) with code 4`, async () => {
    const { out, err, code } = await run(kind, lines && [...lines]);
    expect([out, code]).toEqual(["", 4]);
    expect(err).toContain(`is waiting for ${what}`);
    expect(err).not.toContain("?.");
    expect(err).toMatch(/curl http:\/\/localhost:\d+\/v1\/runs\/run_/);
  });
}

Deno.test("run without a name lists the pipelines", async () => {
  await expect(run("one", [], [])).rejects
    .toThrow(/^Cannot run: no pipeline was given: name one of ask, assistant, .*compose/);
});

Deno.test("run refuses an input that does not fit before there is a run", async () => {
  await expect(run("one", [], ["ask", "-i", '{"foo":1}'])).rejects
    .toMatchObject({ code: "validation_failed" });
});

/** Runs `args` in a home folder with these files; gives the status of every run on disk afterwards. */
async function runIn(files: Record<string, string>, args: string[], env: Env = {}) {
  const home = await Deno.makeTempDir();
  const config = readConfig({ ORCHESTRATOR_HOME: home, ...env });
  const log = createLogger({ level: "error", format: "json", write: () => {} });
  const seen = { out: "", failed: undefined as unknown, runs: [] as string[] };
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(`${home}/${name}`), { recursive: true });
      await Deno.writeTextFile(`${home}/${name}`, text);
    }
    const program = new Command("orchestrator").exitOverride();
    addRun(program, {
      config: () => config,
      log: () => log,
      create: createOrchestrator,
      pipelines: pipelineNames,
      write: (text) => void (seen.out += text),
      progress: { write: () => {}, terminal: false },
      readStdin: () => Promise.resolve(""),
      exit: () => {},
    });
    await program.parseAsync(["run", ...args], { from: "user" })
      .catch((error) => seen.failed = error);
    const { engine, close } = await createOrchestrator({ config, log });
    seen.runs = (await engine.list(LOCAL)).runs.map(({ status }) => status);
    await close();
    return seen;
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("run refuses a cost budget that cannot be enforced before there is a run", async () => {
  const files = {
    "agents/probe.md": "---\n---\nProbe.\n",
    "pipelines/costly.yaml": "name: costly\nversion: 1\nbudget: { cost_usd: 1 }\nstart: a\n" +
      "nodes:\n  a: { agent: probe }\n",
  };
  const env = { LLM_BASE_URL: "http://127.0.0.1:9/v1", LLM_DEFAULT_MODEL: "m" };
  const { failed, runs } = await runIn(files, ["costly", "-i", "hello"], env);
  expect(failed).toMatchObject({ code: "model_unpriced" });
  expect(runs).toEqual([]);
});

Deno.test("run runs the programs that no pipeline describes", async () => {
  const { out, failed, runs } = await runIn({}, ["documents/reindex", "-i", "{}"]);
  expect([failed, runs]).toEqual([undefined, ["completed"]]);
  expect(JSON.parse(out)).toMatchObject({ documents: 0, mode: "bm25" });
});
