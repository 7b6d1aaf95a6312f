import { expect } from "expect";
import { type CatalogOptions, createCatalog } from "../../../pipeline/catalog/catalog.ts";
import { createPrograms } from "../../../pipeline/catalog/programs.ts";
import type { Definition } from "../../../pipeline/document/document.ts";
import { FakeContext } from "../_fake_context.ts";
import { LOCAL } from "../../_caller.ts";

type Files = Record<string, string>;

const GREET = `name: greet
description: Greets.
version: 1
start: hello
nodes:
  hello: { agent: host, next: note }
  note: { task: echo }
`;
const BUILT_IN: Files = {
  "pipelines/greet.yaml": GREET,
  "agents/host.md": "---\ndescription: Is kind.\nprompt: hello\n---\nBe kind.\n",
  "agents/idle.md": "---\n---\nUnused.\n",
  "prompts/hello.md": "Hello {{ name }}",
};

/** A catalog over a built-in and a user's folder; both are removed afterwards. */
async function withCatalog(
  user: Files,
  use: (catalog: ReturnType<typeof createCatalog>, world: World) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    const world = new World(root);
    await world.write("built-in", BUILT_IN);
    await world.write("user", user);
    await use(createCatalog(world.options), world);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

class World {
  readonly stored = new Map<string, string>();
  readonly puts: string[] = [];
  readonly compiled: Definition[] = [];
  failPuts = 0;

  constructor(readonly root: string) {}

  get options(): CatalogOptions {
    const folders = (
      kind: string,
    ) => [`${this.root}/built-in/${kind}`, `${this.root}/user/${kind}`];
    return {
      roots: {
        pipelines: folders("pipelines"),
        agents: folders("agents"),
        prompts: folders("prompts"),
      },
      tasks: ["echo"],
      definitions: {
        get: (version) => Promise.resolve(this.stored.get(version) ?? null),
        put: (version, json) => {
          if (this.failPuts-- > 0) return Promise.reject(new Error("the disk is full"));
          this.puts.push(version);
          this.stored.set(version, json);
          return Promise.resolve();
        },
      },
    };
  }

  /** The code of a version. */
  get program() {
    const { definitions } = this.options;
    const programs = createPrograms({
      definitions,
      compile: (definition) => {
        this.compiled.push(definition);
        return () => Promise.resolve(definition.pipeline.name);
      },
    });
    return (version: string) => programs({ version });
  }

  async write(side: "built-in" | "user", files: Files): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const file = `${this.root}/${side}/${name}`;
      await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(file, text);
    }
  }
}

Deno.test("resolve() gives the pipeline with the agents and prompts that it uses", async () => {
  await withCatalog({}, async (catalog) => {
    const { version, definition } = await catalog.resolve(LOCAL, "greet");
    expect(version).toMatch(/^sha256:[0-9a-f]{32}$/);
    expect(Object.keys(definition.pipeline.nodes)).toEqual(["hello", "note"]);
    expect(Object.keys(definition.agents)).toEqual(["host"]);
    expect(definition.agents.host).toMatchObject({ name: "host", system: "Be kind." });
    expect(definition.prompts).toEqual({ hello: "Hello {{ name }}" });
  });
});

Deno.test("resolve() stores a version once, before anybody learns it", async () => {
  await withCatalog({}, async (catalog, world) => {
    const [first, second] = await Promise.all([
      catalog.resolve(LOCAL, "greet"),
      catalog.resolve(LOCAL, "greet"),
    ]);
    expect(second.version).toBe(first.version);
    expect(world.puts).toEqual([first.version]);
    expect(await catalog.load(first.version)).toEqual(JSON.parse(JSON.stringify(first.definition)));
    catalog.reload();
    await catalog.resolve(LOCAL, "greet");
    expect(world.puts).toEqual([first.version]);
  });
});

Deno.test("resolve() tries again after the store refused a version", async () => {
  await withCatalog({}, async (catalog, world) => {
    world.failPuts = 1;
    await expect(catalog.resolve(LOCAL, "greet")).rejects.toThrow("the disk is full");
    const { version } = await catalog.resolve(LOCAL, "greet");
    expect(world.puts).toEqual([version]);
  });
});

Deno.test("resolve() touches no disk after the first time, until reload()", async () => {
  await withCatalog({}, async (catalog, world) => {
    const before = await catalog.resolve(LOCAL, "greet");
    await world.write("built-in", { "prompts/hello.md": "Hi {{ name }}" });
    expect(await catalog.resolve(LOCAL, "greet")).toBe(before);
    catalog.reload();
    const after = await catalog.resolve(LOCAL, "greet");
    expect(after.version).not.toBe(before.version);
    expect(after.definition.prompts.hello).toBe("Hi {{ name }}");
    expect((await catalog.load(before.version)).prompts.hello).toBe("Hello {{ name }}");
  });
});

Deno.test("the version depends on what is used only, not on the order of fields", async () => {
  const reordered = GREET.replace("version: 1\nstart: hello", "start: hello\nversion: 1");
  await withCatalog({}, async (catalog) => {
    const { version } = await catalog.resolve(LOCAL, "greet");
    const user = { "pipelines/greet.yaml": reordered, "agents/idle.md": "---\n---\nChanged." };
    await withCatalog(user, async (other) => {
      expect((await other.resolve(LOCAL, "greet")).version).toBe(version);
    });
    await withCatalog({ "agents/host.md": "---\n---\nBe brief." }, async (other) => {
      expect((await other.resolve(LOCAL, "greet")).version).not.toBe(version);
    });
  });
});

Deno.test("a user's file overrides the built-in one", async () => {
  await withCatalog({ "agents/host.md": "---\n---\nBe brief." }, async (catalog) => {
    const { definition } = await catalog.resolve(LOCAL, "greet");
    expect(definition.agents.host!.system).toBe("Be brief.");
    expect(definition.prompts).toEqual({});
  });
});

const BROKEN: [what: string, user: Files, code: string, issue: object][] = [
  ["pipeline", { "pipelines/greet.yaml": GREET.replace("note }", "nota }") }, "pipeline_invalid", {
    location: "line 6, nodes.hello.next",
    message: 'unknown node "nota"; did you mean "note"?',
  }],
  ["agent", { "agents/host.md": "---\nhistory: x\n---\n" }, "agent_invalid", {
    location: "line 2, history",
    message: expect.any(String),
  }],
  ["agent's prompt", { "agents/host.md": "---\nprompt: helo\n---\n" }, "agent_invalid", {
    location: "line 2, prompt",
    message: 'unknown prompt "helo"; did you mean "hello"?',
  }],
  ["prompt", { "prompts/hello.md": "a\n{% if %}" }, "prompt_invalid", {
    location: "line 2",
    message: expect.any(String),
  }],
  ["file that is too large", { "prompts/hello.md": "a".repeat(300_000) }, "prompt_invalid", {
    location: "line 1",
    message: expect.stringContaining("larger than"),
  }],
];
for (const [what, user, code, issue] of BROKEN) {
  Deno.test(`a user's broken ${what} is listed and breaks what uses it, nothing else`, async () => {
    const other = GREET.replace("name: greet", "name: other").replace("agent: host", "agent: idle");
    await withCatalog({ ...user, "pipelines/other.yaml": other }, async (catalog) => {
      await expect(catalog.resolve(LOCAL, "greet")).rejects.toMatchObject({
        code,
        issues: [issue],
      });
      expect((await catalog.resolve(LOCAL, "other")).definition.pipeline.name).toBe("other");
      const { pipelines, agents, prompts } = await catalog.list(LOCAL);
      expect(pipelines.find(({ name }) => name === "greet")).toMatchObject({ issues: [issue] });
      expect(pipelines.find(({ name }) => name === "other")!.issues).toBeUndefined();
      const [user_file] = Object.keys(user) as [string];
      const listed = [...pipelines, ...agents, ...prompts]
        .find(({ file }) => file!.endsWith(`user/${user_file}`));
      expect(listed!.issues).toEqual([issue]);
    });
  });
}

Deno.test("list() names everything on offer with descriptions and versions", async () => {
  await withCatalog({}, async (catalog, world) => {
    const { pipelines, agents, prompts } = await catalog.list(LOCAL);
    expect(pipelines).toEqual([{
      name: "greet",
      source: "builtin",
      file: `${world.root}/built-in/pipelines/greet.yaml`,
      description: "Greets.",
      version: (await catalog.resolve(LOCAL, "greet")).version,
    }]);
    expect(agents.map(({ name, description }) => [name, description])).toEqual([
      ["host", "Is kind."],
      ["idle", ""],
    ]);
    expect(prompts.map(({ name }) => name)).toEqual(["hello"]);
  });
});

Deno.test("only regular files directly in the folders with plain names are taken", async () => {
  const user = {
    "agents/sub/deep.md": "---\n---\n",
    "agents/Upper.md": "---\n---\n",
    "agents/.hidden.md": "---\n---\n",
    "agents/notes.txt": "x",
    "secret.md": "---\n---\n",
  };
  await withCatalog(user, async (catalog, world) => {
    await Deno.symlink(`${world.root}/user/secret.md`, `${world.root}/user/agents/link.md`);
    await Deno.mkdir(`${world.root}/user/agents/folder.md`);
    expect((await catalog.list(LOCAL)).agents.map(({ name }) => name)).toEqual(["host", "idle"]);
  });
});

Deno.test("resolve() and load() say what they cannot find", async () => {
  await withCatalog({}, async (catalog, { program }) => {
    await expect(catalog.resolve(LOCAL, "gret")).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining('did you mean "greet"?'),
    });
    await expect(catalog.resolve(LOCAL, "../greet")).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringMatching(/available: .*\w\.$/),
    });
    await expect(catalog.load("sha256:00")).rejects.toMatchObject({ code: "not_found" });
    await expect(program("sha256:00")).rejects.toMatchObject({ code: "not_found" });
  });
});

Deno.test("createPrograms() compiles a version once and then answers at once", async () => {
  await withCatalog({}, async (catalog, world) => {
    const { version, definition } = await catalog.resolve(LOCAL, "greet");
    const { program: programOf } = world;
    const program = await programOf(version);
    expect(programOf(version)).toBe(program);
    expect(await program(new FakeContext(), null)).toBe("greet");
    expect(world.compiled).toEqual([JSON.parse(JSON.stringify(definition))]);
  });
});

Deno.test("createPrograms() keeps the 100 programs that were used last", async () => {
  await withCatalog({}, async (_catalog, world) => {
    const { program } = world;
    for (let n = 0; n <= 100; n++) {
      world.stored.set(`v${n}`, JSON.stringify({ pipeline: { name: `p${n}` } }));
    }
    for (let n = 0; n < 100; n++) await program(`v${n}`);
    await program("v0");
    await program("v100");
    expect(world.compiled).toHaveLength(101);
    expect(program("v0")).not.toBeInstanceOf(Promise);
    expect(program("v1")).toBeInstanceOf(Promise);
    await program("v1");
  });
});

Deno.test("createPrograms() gives the code that no definition describes", () => {
  const run = () => Promise.resolve("crawled");
  const program = createPrograms({
    definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
    compile: () => () => Promise.resolve("compiled"),
    builtIn: [{ version: "built-in/crawl/1", run }],
  });
  expect(program({ version: "built-in/crawl/1" })).toBe(run);
});

Deno.test("the built-in pipelines, agents and prompts can be used", async () => {
  const root = new URL("../../../", import.meta.url).pathname;
  const catalog = createCatalog({
    roots: {
      pipelines: [`${root}pipeline/definitions`],
      agents: [`${root}agents`],
      prompts: [`${root}prompts`],
    },
    tasks: [
      "agent_state",
      "capabilities",
      "environments",
      "give_up",
      "keep_summary",
      "merge_review",
      "read_conversation",
      "remember",
    ],
    definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
  });
  const { pipelines, agents, prompts } = await catalog.list(LOCAL);
  const broken = [...pipelines, ...agents, ...prompts].filter(({ issues }) => issues);
  expect(broken).toEqual([]);
  expect(pipelines.map(({ name }) => name)).toContain("compose");
});

function runs(name: string, ...inner: string[]): string {
  const nodes = inner.map((child, index) => {
    const next = index + 1 < inner.length ? `, next: n${index + 1}` : "";
    return `  n${index}: { pipeline: ${child}${next} }\n`;
  });
  return `name: ${name}\nversion: 1\nstart: n0\nnodes:\n${
    nodes.join("") || "  n0: { transform: 1 }\n"
  }`;
}

Deno.test("resolve() keeps the versions of the pipelines within, and stores them first", async () => {
  const files = {
    "pipelines/outer.yaml": runs("outer", "middle", "leaf"),
    "pipelines/middle.yaml":
      "name: middle\nversion: 1\nstart: a\nnodes:\n  a:\n    parallel:\n      one: { start: b, nodes: { b: { pipeline: leaf } } }\n      two: { start: c, nodes: { c: { agent: host } } }\n",
    "pipelines/leaf.yaml": runs("leaf"),
  };
  await withCatalog(files, async (catalog, world) => {
    const { version, definition } = await catalog.resolve(LOCAL, "outer");
    const middle = await catalog.resolve(LOCAL, "middle");
    const leaf = await catalog.resolve(LOCAL, "leaf");
    expect(definition.pipelines).toEqual({ leaf: leaf.version, middle: middle.version });
    expect(middle.definition.pipelines).toEqual({ leaf: leaf.version });
    expect(Object.keys(middle.definition.agents)).toEqual(["host"]);
    expect(leaf.definition).not.toHaveProperty("pipelines");
    expect(world.puts).toEqual([leaf.version, middle.version, version]);
    await world.write("user", { "pipelines/leaf.yaml": runs("leaf").replace(": 1 }", ": 2 }") });
    catalog.reload();
    expect((await catalog.resolve(LOCAL, "outer")).version).not.toBe(version);
  });
});

Deno.test("resolve() refuses pipelines that contain themselves, and only those", async () => {
  const files = {
    "pipelines/a.yaml": runs("a", "leaf", "b"),
    "pipelines/b.yaml": runs("b", "leaf", "a"),
    "pipelines/self.yaml": runs("self", "self"),
    "pipelines/leaf.yaml": runs("leaf"),
  };
  await withCatalog(files, async (catalog) => {
    const refused = (name: string) => catalog.resolve(LOCAL, name).catch((error) => error.message);
    const [a, b, self] = await Promise.all([refused("a"), refused("b"), refused("self")]);
    expect(a).toMatch(/must not contain itself: a → b → a/);
    expect(b).toMatch(/must not contain itself: b → a → b/);
    expect(self).toMatch(/must not contain itself: self → self/);
    await catalog.resolve(LOCAL, "leaf");
    const { pipelines } = await catalog.list(LOCAL);
    expect(pipelines.find(({ name }) => name === "b")?.issues).toHaveLength(1);
  });
});

Deno.test("resolve() names a pipeline within that does not exist", async () => {
  await withCatalog({ "pipelines/a.yaml": runs("a", "gret") }, async (catalog) => {
    await expect(catalog.resolve(LOCAL, "a")).rejects.toThrow(
      'nodes.n0.pipeline: unknown pipeline "gret"; did you mean "greet"?',
    );
  });
});
