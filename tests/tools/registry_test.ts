import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import type { Json } from "../../json/value.ts";
import { keys, openStore, setJson, type Store } from "../../store/mod.ts";
import { createRegistry, type Registry } from "../../tools/registry.ts";
import { MAX_OUTPUT_CHARS } from "../../tools/run_tool.ts";
import type { Tool, ToolScope, ToolSet } from "../../tools/tool.ts";
import { MAX_REGISTERED } from "../../tools/tool_records.ts";
import { callerOf, LOCAL } from "../_caller.ts";

const NOW = Date.UTC(2026, 0, 1);

/** A tool that gives what it gets, unless a test says otherwise. */
function tool(name: string, fields: Partial<Tool> = {}): Tool {
  return {
    name,
    description: `Tool ${name}`,
    input: { type: "object", properties: { q: { type: "string" } }, additionalProperties: false },
    source: "built_in",
    capability: "compute",
    effect: "none",
    timeout_ms: 5_000,
    untrusted: false,
    run: (args) => Promise.resolve(args),
    ...fields,
  };
}

function scope(fields: Partial<ToolScope> = {}): ToolScope {
  return {
    caller: LOCAL,
    signal: new AbortController().signal,
    idempotency_key: "key",
    keep: () => Promise.reject(new Error("no file here")),
    ...fields,
  };
}

async function bench(
  sets: (Tool[] | ToolSet)[],
  use: (registry: Registry, store: Store) => Promise<void>,
): Promise<void> {
  const { store, close } = await openStore(":memory:", {
    worker: "w1",
    now: () => NOW,
    sleep: () => Promise.resolve(),
    lease_ms: 1_000,
  });
  const named = sets.map((set, index): ToolSet =>
    Array.isArray(set) ? { name: `set${index}`, tools: () => Promise.resolve(set) } : set
  );
  const compile = (definition: Json) => {
    const { name, ...fields } = definition as { name?: string };
    if (name === undefined) {
      throw new OrchestratorError("validation_failed", "Cannot register a tool without a name.");
    }
    return tool(name, { source: "api", ...fields });
  };
  const log = { warn() {} };
  try {
    await use(createRegistry({ store, sets: named, compile, now: () => NOW, log }), store);
  } finally {
    await close();
  }
}

/** The code of what a promise rejects with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => "nothing was thrown", (error) => error);
  return error instanceof OrchestratorError ? error.code : String(error);
}

Deno.test("list() gives each name once, the first set's tool, sorted", () =>
  bench([[tool("b"), tool("a")], [tool("a", { description: "another" })]], async (registry) => {
    const all = await registry.list(LOCAL);
    expect(all.map(({ name, description, enabled }) => [name, description, enabled])).toEqual([
      ["a", "Tool a", true],
      ["b", "Tool b", true],
    ]);
    expect(all[0]).not.toHaveProperty("run");
  }));

Deno.test("describe() follows the order of the names, takes a star, and leaves out the rest", () =>
  bench([[tool("a"), tool("git_log"), tool("git_diff"), tool("off")]], async (registry) => {
    await registry.setEnabled(LOCAL, "off", false);
    const found = await registry.describe(LOCAL, ["git_*", "gone", "off", "a", "a"]);
    expect(found.map(({ name }) => name)).toEqual(["git_diff", "git_log", "a"]);
  }));

Deno.test("call() gives what the tool gives", () =>
  bench([[tool("a")]], async (registry) => {
    expect(await registry.call("a", { q: "x" }, scope())).toEqual({ q: "x" });
  }));

const FAILURES: [what: string, tool: Partial<Tool>, args: Json, code: string][] = [
  ["arguments that do not fit", {}, { q: 5 }, "tool_bad_arguments"],
  [
    "arguments that the tool itself refuses",
    {
      run: () =>
        Promise.reject(new OrchestratorError("tool_bad_arguments", "Cannot call a: no URL.")),
    },
    {},
    "tool_bad_arguments",
  ],
  ["arguments that are no object", { input: {} }, ["x"], "tool_bad_arguments"],
  ["a tool that throws", { run: () => Promise.reject(new Error("boom")) }, {}, "tool_failed"],
  [
    "a tool that throws at once",
    {
      run: () => {
        throw new TypeError("boom");
      },
    },
    {},
    "tool_failed",
  ],
  [
    "a tool that hangs and does not listen",
    { timeout_ms: 20, run: () => new Promise(() => {}) },
    {},
    "tool_timeout",
  ],
  [
    "a result that is not what the schema says",
    { output: { type: "object", required: ["n"] }, run: () => Promise.resolve({}) },
    {},
    "tool_bad_output",
  ],
  [
    "a result of 50 MB",
    { run: () => Promise.resolve("x".repeat(50_000_000)) },
    {},
    "tool_output_too_large",
  ],
  [
    "an error of the tool's own",
    { run: () => Promise.reject(new OrchestratorError("egress_denied", "Cannot go there.")) },
    {},
    "egress_denied",
  ],
];
for (const [what, fields, args, code] of FAILURES) {
  Deno.test(`call() ends ${what} in ${code}, and it is the tool's last error`, () =>
    bench([[tool("a", fields)]], async (registry) => {
      const error = await registry.call("a", args, scope()).catch((error) => error);
      expect(error.code).toBe(code);
      expect(error.message).toMatch(/^Cannot .*\w\.$/s);
      expect(error.message).not.toMatch(/[.?!]\.|\w Fix/);
      const { last_error } = await registry.get(LOCAL, "a");
      if (code === "tool_bad_arguments") expect(last_error).toBeUndefined();
      else expect(last_error).toMatchObject({ code, at: "2026-01-01T00:00:00.000Z" });
    }));
}

Deno.test("call() takes a result of exactly the largest size", () => {
  const text = "x".repeat(MAX_OUTPUT_CHARS - 2);
  return bench([[tool("a", { run: () => Promise.resolve(text) })]], async (registry) => {
    expect(await registry.call("a", {}, scope())).toBe(text);
  });
});

Deno.test("call() throws what aborted it, and blames no tool", () =>
  bench([[tool("a", { run: () => new Promise(() => {}) })]], async (registry) => {
    const controller = new AbortController();
    const call = registry.call("a", {}, scope({ signal: controller.signal }));
    const reason = new OrchestratorError("run_cancelled", "stop", { kind: "cancelled" });
    controller.abort(reason);
    expect(await call.catch((error) => error)).toBe(reason);
    expect((await registry.get(LOCAL, "a")).last_error).toBeUndefined();
  }));

Deno.test("an unknown tool's error names the one that was meant", () =>
  bench([[tool("web_search")]], async (registry) => {
    const error = await registry.call("web_serch", {}, scope()).catch((error) => error);
    expect([error.code, error.message]).toEqual([
      "tool_unknown",
      'Cannot find the tool: unknown tool "web_serch"; did you mean "web_search"? See GET /v1/tools/list.',
    ]);
  }));

Deno.test("a disabled tool is not called, also after a restart; enabled it is again", () =>
  bench([[tool("a")]], async (registry, store) => {
    await registry.setEnabled(LOCAL, "a", false);
    expect(await codeOf(registry.call("a", {}, scope()))).toBe("tool_disabled");
    const sets = [{ name: "s", tools: () => Promise.resolve([tool("a")]) }];
    const compile = () => tool("x");
    const later = createRegistry({ store, sets, compile, now: () => NOW, log: { warn() {} } });
    expect(await codeOf(later.call("a", {}, scope()))).toBe("tool_disabled");
    expect((await later.setEnabled(LOCAL, "a", true)).enabled).toBe(true);
    expect(await later.call("a", {}, scope())).toEqual({});
  }));

Deno.test("a tenant's registered tool is that tenant's alone, replaced and removed", () =>
  bench([[tool("a")]], async (registry) => {
    const status = await registry.register(LOCAL, { name: "mine", description: "1" });
    expect(status).toMatchObject({ name: "mine", source: "api", enabled: true });
    expect(await registry.call("mine", { q: "x" }, scope())).toEqual({ q: "x" });
    expect(await codeOf(registry.call("mine", {}, scope({ caller: callerOf("other") })))).toBe(
      "tool_unknown",
    );
    await registry.register(LOCAL, { name: "mine", description: "2" });
    expect((await registry.get(LOCAL, "mine")).description).toBe("2");
    await registry.unregister(LOCAL, "mine");
    expect(await codeOf(registry.get(LOCAL, "mine"))).toBe("tool_unknown");
  }));

Deno.test("register() takes so many tools of a tenant, also when they come at once", () =>
  bench([[tool("a")]], async (registry, store) => {
    const register = (name: string, caller = LOCAL) => registry.register(caller, { name });
    // A tool of a set that failed or is disabled has a record, too, and does not count.
    await registry.setEnabled(LOCAL, "a", false);
    for (let n = 2; n < MAX_REGISTERED; n++) {
      const mutations = [setJson(keys.tool("default", `t${n}`), { definition: { name: `t${n}` } })];
      await store.commit({ checks: [], mutations });
    }
    const results = await Promise.all(["b", "c", "d"].map((name) => codeOf(register(name))));
    expect(results).toEqual(["nothing was thrown", "nothing was thrown", "tool_limit"]);
    expect(await codeOf(register("t2"))).toBe("nothing was thrown");
    expect(await codeOf(register("d", callerOf("other")))).toBe("nothing was thrown");
    await registry.unregister(LOCAL, "b");
    expect(await codeOf(register("d"))).toBe("nothing was thrown");
    expect(await codeOf(register("e"))).toBe("tool_limit");
  }));

Deno.test("register() refuses a broken schema, a broken definition and a name that is taken", () =>
  bench([[tool("a")]], async (registry) => {
    const broken = { name: "mine", input: { type: "objekt" } };
    const error = await registry.register(LOCAL, broken).catch((error) => error);
    expect([error.code, error.issues]).toEqual(["validation_failed", [{
      location: "/input/type",
      message: expect.stringContaining('did you mean "object"'),
    }]]);
    expect(await codeOf(registry.register(LOCAL, {}))).toBe("validation_failed");
    expect(await codeOf(registry.register(LOCAL, { name: "a" }))).toBe("conflict");
    expect(await codeOf(registry.unregister(LOCAL, "a"))).toBe("conflict");
    expect((await registry.list(LOCAL)).map(({ name }) => name)).toEqual(["a"]);
  }));

Deno.test("enable asks the tool's set to accept it; problems and close reach every set", async () => {
  const seen: string[] = [];
  const set: ToolSet = {
    name: "mcp:x",
    tools: () => Promise.resolve([tool("x_do")]),
    problem: () => "the server is away",
    accept: ({ tenant }, name) => Promise.resolve(void seen.push(`${tenant} ${name}`)),
    close: () => Promise.resolve(void seen.push("closed")),
  };
  await bench([set], async (registry) => {
    await registry.setEnabled(LOCAL, "x_do", true);
    expect(await registry.problems(LOCAL)).toEqual([{
      set: "mcp:x",
      message: "the server is away",
    }]);
    await registry.close();
  });
  expect(seen).toEqual(["default x_do", "closed"]);
});

Deno.test("a tool's secrets stand in no result, no error and no last error", () => {
  const secrets = () => ["sk-CANARY"];
  const leaky = tool("leaky", { secrets, run: () => Promise.resolve({ said: "it is sk-CANARY" }) });
  const failing = tool("failing", {
    secrets,
    run: () => Promise.reject(new OrchestratorError("tool_failed", "Cannot: sk-CANARY is wrong.")),
  });
  return bench([[leaky, failing]], async (registry) => {
    expect(await registry.call("leaky", {}, scope())).toEqual({ said: "it is [secret]" });
    const error = await registry.call("failing", {}, scope()).catch((error) => error);
    expect([error.code, error.message]).toEqual(["tool_failed", "Cannot: [secret] is wrong."]);
    expect(JSON.stringify(await registry.list(LOCAL))).not.toContain("CANARY");
  });
});
