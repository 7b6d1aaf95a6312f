import { expect } from "expect";
import { dirname, join } from "node:path";
import { type Config, type Env, readConfig } from "../../config.ts";
import { createOrchestrator } from "../../orchestrator.ts";
import { definitionFindings, logUnusableDefinitions } from "../../wiring/definitions.ts";
import { expectedTools } from "../../wiring/tools.ts";
import { createLogger } from "../../telemetry/log.ts";

/** A home folder with these files; it is removed afterwards. */
async function inHome(
  files: Record<string, string>,
  use: (home: string, config: Config) => Promise<void>,
  env: Env = {},
): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) await write(join(home, name), text);
    await use(home, readConfig({ ORCHESTRATOR_HOME: home, ...env }));
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

async function write(path: string, text: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
}

const GOOD = "name: oops\nversion: 1\nstart: a\nnodes:\n  a: { transform: 1 }\n";

Deno.test("logUnusableDefinitions() warns once of each file that cannot be used, again after a reload", () =>
  inHome({
    "pipelines/oops.yaml": GOOD.replace("start", "strat"),
    "pipelines/yaml.yaml": "name: [\n",
    "agents/bad.md": "no front matter",
    "agents/good.md": "---\n---\nYou are good.\n",
  }, async (home, config) => {
    const lines: Record<string, string>[] = [];
    const write = (text: string) =>
      lines.push(...text.trimEnd().split("\n").map((line) => JSON.parse(line)));
    const log = createLogger({ level: "warn", format: "json", write });
    const { catalog, close } = await createOrchestrator({ config, log });
    try {
      await logUnusableDefinitions(catalog, config, log);
      log.flush();
      expect(lines.map(({ message, file }) => [message, file])).toEqual(
        ["pipelines/oops.yaml", "pipelines/yaml.yaml", "agents/bad.md"]
          .map((file) => ["a definition cannot be used", join(home, file)]),
      );
      expect(lines[0]!.issue).toContain('strat: unknown field "strat"; did you mean "start"?');
      expect(lines[2]!.issue).toContain("line 1: the file must start with front matter");
      lines.length = 0;
      await Deno.writeTextFile(join(home, "pipelines/oops.yaml"), GOOD);
      catalog.reload();
      await logUnusableDefinitions(catalog, config, log);
      log.flush();
      expect(lines.map(({ file }) => file!.slice(home.length + 1)))
        .toEqual(["pipelines/yaml.yaml", "agents/bad.md"]);
    } finally {
      await close();
    }
  }));

const UNREAD = {
  "pipelines/ok.yml": GOOD,
  "pipelines/Loop.yaml": GOOD,
  "pipelines/.keep": "",
  "pipelines/more/own.yaml": GOOD,
  "agents/README.md": "About them.",
  "prompts/My prompt.txt": "Hello",
};
const REASONS = [
  ["pipelines/Loop.yaml", "is ignored because of its name: rename it to loop.yaml"],
  ["pipelines/more", "is ignored: only regular files directly in this folder are read"],
  ["pipelines/ok.yml", "is ignored because of its name: rename it to ok.yaml"],
  ["prompts/My prompt.txt", "is ignored because of its name: rename it to my_prompt.md"],
];

Deno.test("definitionFindings() warns of files that are not read, logUnusableDefinitions() too", () =>
  inHome(UNREAD, async (home, config) => {
    const { problems, warnings } = await definitionFindings(config);
    expect(problems).toEqual([]);
    expect(warnings.map(({ location, message }) => [location.slice(home.length + 1), message]))
      .toEqual(REASONS);
    const told: unknown[] = [];
    const log = createLogger({ level: "warn", format: "json", write: (text) => told.push(text) });
    const list = () => Promise.resolve({ pipelines: [], agents: [], prompts: [] });
    await logUnusableDefinitions({ list }, config, log);
    log.flush();
    for (const [file, reason] of REASONS) {
      expect(told.join()).toContain(`/${file}","issue":"${reason}`);
    }
  }));

const agent = (...lines: string[]) => `---\n${lines.join("\n")}\n---\nYou help.\n`;

/** The warnings for `agents/a.md` with this front matter. */
async function warned(lines: string[], env: Env = {}, files: Record<string, string> = {}) {
  let found: string[][] = [];
  await inHome({ "agents/a.md": agent(...lines), ...files }, async (home, config) => {
    const { problems, warnings } = await definitionFindings(config);
    expect(problems).toEqual([]);
    found = warnings.map(({ location, message }) => [location.slice(home.length + 1), message]);
  }, env);
  return found;
}

Deno.test("definitionFindings() lists what replaces a built-in definition", () =>
  inHome({
    "agents/planner.md": agent(),
    "agents/mine.md": agent(),
    "prompts/planner.md": "{{ ask }}",
    "pipelines/compose.yaml": GOOD.replace("oops", "compose"),
    "pipelines/oops.yaml": GOOD,
  }, async (home, config) => {
    const { overrides } = await definitionFindings(config);
    expect(overrides.map(({ location, message }) => [location.slice(home.length + 1), message]))
      .toEqual([
        ["pipelines/compose.yaml", "replaces the built-in pipeline compose"],
        ["agents/planner.md", "replaces the built-in agent planner"],
        ["prompts/planner.md", "replaces the built-in prompt planner"],
      ]);
  }));

Deno.test("definitionFindings() warns of misspelt tools and fields of an agent", async () => {
  const goes = "Unless it is registered over the API, the agent runs without it";
  expect(await warned(["capabilties: [x]", "temperatur: 1", "color: red", "hooks: {}"])).toEqual([
    [
      "agents/a.md, line 2, capabilties",
      'is not read: did you mean "capabilities"? Rename or remove it',
    ],
    [
      "agents/a.md, line 3, temperatur",
      'is not read: did you mean "temperature"? Rename or remove it',
    ],
  ]);
  expect(await warned(["tools:", "  - dataset", "  - serch_documents"])).toEqual([[
    "agents/a.md, line 4, tools[1]",
    `unknown tool "serch_documents"; did you mean "search_documents"? ${goes}`,
  ]]);
  const [[place, message] = []] = await warned(["tools: dataset, weather"]);
  expect(place).toBe("agents/a.md, line 2, tools");
  expect(message).toContain('unknown tool "weather"; available: search_documents, dataset,');
});

Deno.test("definitionFindings() warns of tools that pipelines name and that are not there", () =>
  inHome({
    "pipelines/oops.yaml": GOOD.replace("transform: 1", "tool: web_serch, next: b") +
      "  b: { tool: notes_x, next: c }\n  c: { tool: dataset, next: d }\n" +
      '  d: { tool: "${ input.tool }" }\n',
  }, async (home, config) => {
    const { problems, warnings } = await definitionFindings(config);
    expect(problems).toEqual([]);
    expect(warnings).toEqual([{
      location: `${home}/pipelines/oops.yaml, line 5, nodes.a.tool`,
      message:
        'unknown tool "web_serch"; did you mean "web_search"? Unless it is registered over ' +
        "the API, runs fail at this node",
    }]);
  }, { MCP_SERVERS: '[{"name":"notes","url":"http://127.0.0.1:9"}]' }));

Deno.test("definitionFindings() warns of a model whose prefix is nearly a provider", async () => {
  const key = { OPENAI_API_KEY: "k" };
  const [[place, message] = []] = await warned(["model: antropic/claude-x"], key);
  expect(place).toBe("agents/a.md, line 2, model");
  expect(message).toContain('did you mean "anthropic/claude-x"?');
  for (const model of ["openai/gpt-5", "gpt-5", "meta-llama/llama-3", "offline"]) {
    expect(await warned([`model: ${model}`], key)).toEqual([]);
  }
});

Deno.test("definitionFindings() finds agents whose model has no provider", async () => {
  const problems = async (model: string, env: Env = {}) => {
    let found: string[] = [];
    await inHome({ "agents/a.md": agent(`model: ${model}`) }, async (_home, config) => {
      found = (await definitionFindings(config)).problems.map(({ location, message }) =>
        `${location.split("/").at(-1)} ${message}`
      );
      expect((await definitionFindings(config, { models: false })).problems).toEqual([]);
    }, env);
    return found;
  };
  const key = { OPENAI_API_KEY: "k" };
  const [problem] = await problems("anthropic/claude-x", key);
  expect(problem).toContain('a.md, line 2, model Cannot use the model "anthropic/claude-x"');
  expect(problem).toContain("Set ANTHROPIC_API_KEY");
  expect((await problems("opnai/gpt-5")).length).toBe(1);
  expect((await problems("gpt-5")).length).toBe(1);
  for (const model of ["openai/gpt-5", "gpt-5", "offline", "inherit"]) {
    expect(await problems(model, key)).toEqual([]);
  }
});

Deno.test("definitionFindings() knows tools of files, agents and data, and asks no server", async () => {
  const tools = (...names: string[]) => [`tools: [${names.map((name) => `"${name}"`)}]`];
  const env = {
    MCP_SERVERS: '[{"name":"shop","url":"https://shop.example.com/mcp"}]',
    EXTERNAL_AGENTS: '[{"name":"ann","url":"https://ann.example.com"}]',
    DATASOURCE_BASE_URL: "https://data.example.com",
  };
  const own = {
    "tools/own.yaml": "{name: own, description: Own., http: {url: https://a.example}}",
  };
  const named = tools("own", "agent_ann", "external_agent", "datasource", "shop_buy", "any_*");
  expect(await warned(named, env, own)).toEqual([]);
  const api = { "tools/api.yaml": "openapi: [{ document: https://api.example.com/o.json }]" };
  expect(await warned(tools("anything"), {}, api)).toEqual([]);
  expect((await warned(tools("datset"), {}, api)).length).toBe(1);
});

Deno.test("expectedTools() names the tools that a service has", () =>
  inHome({}, async (_home, config) => {
    const log = createLogger({ level: "error", format: "json", write: () => {} });
    const { app, close } = await createOrchestrator({ config, log });
    try {
      const { tools } = await (await app.request("http://localhost/v1/tools")).json();
      const names = tools.map(({ name }: { name: string }) => name);
      expect(expectedTools(config)).toEqual({ names: expect.any(Array), prefixes: [] });
      expect(expectedTools(config).names.toSorted()).toEqual(names.toSorted());
    } finally {
      await close();
    }
  }));

Deno.test("logUnusableDefinitions() logs its own failure", () =>
  inHome({ "prompts/p.md": "Hello." }, async (_home, config) => {
    const lines: string[] = [];
    const log = createLogger({ level: "warn", format: "json", write: (line) => lines.push(line) });
    await logUnusableDefinitions({ list: () => Promise.reject(new Error("no disk")) }, config, log);
    log.flush();
    expect(lines.join()).toContain("the definitions cannot be listed");
  }));

Deno.test("logUnusableDefinitions() reads nothing where the user has no definitions", () =>
  inHome({}, async (_home, config) => {
    const log = createLogger({ level: "warn", format: "json", write: () => {} });
    const list = () => Promise.reject(new Error("was read"));
    let asked = false;
    await logUnusableDefinitions({ list: () => (asked = true, list()) }, config, log);
    expect(asked).toBe(false);
  }));
