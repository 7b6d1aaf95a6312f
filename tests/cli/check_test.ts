import { Command } from "commander";
import { expect } from "expect";
import { join } from "node:path";
import { addCheck, type CheckDeps, type CheckLine, type CommandIo } from "../../cli/mod.ts";
import { checkConfig, formatCheck } from "../../cli/check.ts";
import type { Config, Env } from "../../config.ts";
import { type ErrorCode, OrchestratorError } from "../../errors.ts";
import { environmentOf } from "./_environment.ts";
import { lockDirectory, openDenoKv, openStore, setJson } from "../../store/mod.ts";

async function inHome(test: (home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    await test(home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

const fine: CheckDeps = {
  definitions: () => Promise.resolve({ problems: [], warnings: [], overrides: [] }),
  ping: () => Promise.resolve({ latency_ms: 12.4, models: ["gpt-5-mini", "gpt-x"] }),
};

const failing = (code: ErrorCode): CheckDeps => ({
  ...fine,
  ping: () => Promise.reject(new OrchestratorError(code, `Cannot ask: ${code}.`)),
});

const check = (env: Env, deps: CheckDeps, options?: { online?: boolean }) =>
  checkConfig(environmentOf(env), deps, options);

const find = (lines: CheckLine[], subject: string) =>
  lines.filter((line) => line.subject === subject).map(({ state, message }) => [state, message]);

Deno.test("checkConfig() of a fresh machine finds nothing to fix", () =>
  inHome(async (home) => {
    const lines = await check({ ORCHESTRATOR_HOME: join(home, "new") }, fine);
    expect(lines.map(({ state, subject }) => [state, subject])).toEqual([
      ["ok", "variables"],
      ["ok", join(home, "new")],
      ["ok", "definitions"],
      ["info", "model"],
    ]);
    expect(find(lines, "model")[0]?.[1]).toContain("offline model, because no API key is set");
  }));

Deno.test("checkConfig() leaves nothing behind, in a home that is there and in none", () =>
  inHome(async (home) => {
    const left = async () => (await Array.fromAsync(Deno.readDir(home))).map(({ name }) => name);
    await check({ ORCHESTRATOR_HOME: join(home, "not", "there") }, fine);
    await check({ ORCHESTRATOR_HOME: home }, fine);
    expect(await left()).toEqual([]);
    await Deno.mkdir(join(home, "data"));
    const lines = await check({ ORCHESTRATOR_HOME: home }, fine);
    expect(find(lines, join(home, "data"))).toEqual([["ok", "is free"]]);
    expect(await Array.fromAsync(Deno.readDir(join(home, "data")))).toEqual([]);
  }));

Deno.test("checkConfig() tells every malformed, misspelt or untouched variable", async () => {
  const env = { PORT: "x", LLM_PROVDIER: "openai", OPENAI_API_KEY: "your-key-here", HOST: "::" };
  const lines = await check(env, fine);
  expect(lines.map(({ state, subject }) => [state, subject])).toEqual([
    ["warning", "LLM_PROVDIER"],
    ["problem", "OPENAI_API_KEY"],
    ["problem", "PORT"],
    ["problem", "HOST"],
  ]);
});

Deno.test("checkConfig() reports a running server and stays out of its way", () =>
  inHome(async (home) => {
    const data = join(home, "data");
    await Deno.mkdir(data);
    const lock = await lockDirectory(data);
    try {
      const lines = await check({ ORCHESTRATOR_HOME: home }, fine);
      expect(find(lines, data)).toEqual([["info", "is in use: a server is running"]]);
    } finally {
      lock.release();
    }
  }));

Deno.test("checkConfig() lists the damaged values of a store and changes nothing", () =>
  inHome(async (home) => {
    const data = join(home, "data");
    const path = join(data, "store.kv");
    const found = async () => find(await check({ ORCHESTRATOR_HOME: home }, fine), path);
    const sleep = () => Promise.resolve();
    const options = { worker: "w", now: () => 0, sleep, lease_ms: 1_000 };
    const { store, close } = await openStore(data, options);
    const put = (name: string, size: number) => setJson(["tool", "acme", name], "x".repeat(size));
    const mutations = [put("whole", 10), put("wide", 100_000), put("cut", 100_000), put("bad", 10)];
    await store.commit({ checks: [], mutations });
    await close();
    expect(await found()).toEqual([["ok", "has no damaged value"]]);
    const kv = await openDenoKv(path);
    const bad = (await kv.get(["tool", "acme", "bad"]))!;
    bad.value[8]! ^= 1;
    const pieces = await Array.fromAsync(kv.list({ prefix: ["blob", "acme"] }));
    await kv.commit({
      checks: [],
      mutations: [{ key: bad.key, set: bad.value }, { key: pieces.at(-1)!.key, delete: true }],
    });
    await kv.close();
    for (let time = 0; time < 2; time++) {
      expect(await found()).toEqual([
        ["problem", expect.stringContaining("`tool/acme/bad`")],
        ["problem", expect.stringContaining("`tool/acme/cut`")],
      ]);
    }
  }));

Deno.test("checkConfig() says of a database that cannot be read what to do", () =>
  inHome(async (home) => {
    await Deno.mkdir(join(home, "data"));
    const path = join(home, "data", "store.kv");
    await Deno.writeFile(path, new Uint8Array(8_192).fill(0xa5));
    const lines = await check({ ORCHESTRATOR_HOME: home }, fine);
    expect(find(lines, path)).toEqual([["problem", expect.stringContaining("restore a backup")]]);
  }));

Deno.test("checkConfig() reports a home folder that cannot be made", () =>
  inHome(async (home) => {
    const path = join(home, "file");
    await Deno.writeTextFile(path, "");
    const [[state, message] = []] = find(
      await check({ ORCHESTRATOR_HOME: path }, fine),
      path,
    );
    expect(state).toBe("problem");
    expect(message).toContain("set ORCHESTRATOR_HOME to another folder");
  }));

Deno.test("checkConfig() reports what is wrong with definitions", () =>
  inHome(async (home) => {
    const issue = { location: "agents/x.md line 3", message: "is wrong" };
    const own = { location: "agents/planner.md", message: "replaces the built-in agent planner" };
    const odd = { location: "agents/y.md line 4", message: "is odd" };
    const definitions = () =>
      Promise.resolve({ problems: [issue], warnings: [odd], overrides: [own] });
    const lines = await check({ ORCHESTRATOR_HOME: home }, { ...fine, definitions });
    expect(find(lines, "definitions")).toEqual([]);
    expect(find(lines, issue.location)).toEqual([["problem", "is wrong"]]);
    expect(find(lines, odd.location)).toEqual([["warning", "is odd"]]);
    expect(find(lines, own.location)).toEqual([["info", own.message]]);
  }));

Deno.test("checkConfig() reports mistakes in definitions besides those of variables", () =>
  inHome(async (home) => {
    const issue = { location: "agents/x.md line 3", message: "is wrong" };
    const definitions = (config: Config) =>
      Promise.resolve({
        problems: config.home === home ? [issue] : [],
        warnings: [],
        overrides: [],
      });
    for (const wrong of [{ PORT: "x" }, { LLM_PROVIDER: "openai" }, { LLM_API_KEY: "k" }]) {
      const env = { ORCHESTRATOR_HOME: home, ...wrong };
      const lines = await check(env, { ...fine, definitions });
      expect(lines.length).toBe(2);
      expect(find(lines, issue.location)).toEqual([["problem", "is wrong"]]);
      expect((await check(env, fine)).length).toBe(1);
    }
  }));

Deno.test("checkConfig() reports programs of MCP servers that are not allowed", () =>
  inHome(async (home) => {
    const MCP_SERVERS = '[{"name":"files","command":"npx","args":["-y","files"]}]';
    const said = async (MCP_ALLOWED_COMMANDS?: string) => {
      const env = { ORCHESTRATOR_HOME: home, MCP_SERVERS, MCP_ALLOWED_COMMANDS };
      return find(await check(env, fine), "MCP_ALLOWED_COMMANDS");
    };
    const message = 'does not name "npx -y files", which the MCP server files needs: ' +
      "add it if you trust this program";
    expect(await said()).toEqual([["problem", message]]);
    expect(await said('["npx -y files"]')).toEqual([]);
  }));

Deno.test("checkConfig() warns of a default model that nobody asks", () =>
  inHome(async (home) => {
    const env = { ORCHESTRATOR_HOME: home, LLM_DEFAULT_MODEL: "gpt-5-mini" };
    const [[state, message] = []] = find(await check(env, fine), "LLM_DEFAULT_MODEL");
    expect(state).toBe("warning");
    expect(message).toContain("is gpt-5-mini, but the built-in offline model answers: set a key");
    const keyed = await check({ ...env, OPENAI_API_KEY: "k" }, fine);
    expect(find(keyed, "LLM_DEFAULT_MODEL")).toEqual([]);
  }));

Deno.test("checkConfig() says where prompts and keys go", () =>
  inHome(async (home) => {
    const env = {
      ORCHESTRATOR_HOME: home,
      LLM_BASE_URL: "https://user:pass@gw.example/v1/",
      LLM_DEFAULT_MODEL: "m",
      OPENAI_API_KEY: "k",
    };
    const lines = await check(env, fine);
    expect(find(lines, "model")).toEqual([
      ["ok", "openai-compatible/m at https://gw.example/v1, chosen by LLM_BASE_URL"],
    ]);
    const [[state, message] = []] = find(lines, "OPENAI_API_KEY");
    expect(state).toBe("warning");
    expect(message).toContain("is not sent to LLM_BASE_URL");
  }));

Deno.test("checkConfig() needs no folder on Deno Deploy", async () => {
  const env = { ORCHESTRATOR_HOME: "/proc/nowhere", DENO_DEPLOYMENT_ID: "x" };
  expect((await check(env, fine)).some(({ state }) => state === "problem")).toBe(false);
});

const online = (home: string, env: Env, deps: CheckDeps) =>
  check({ ORCHESTRATOR_HOME: home, ...env }, deps, { online: true });

Deno.test("checkConfig() online tells how the provider answers", () =>
  inHome(async (home) => {
    const lines = await online(home, { OPENAI_API_KEY: "k" }, fine);
    expect(find(lines, "model")).toEqual([["ok", "openai/gpt-5-mini, chosen by OPENAI_API_KEY"]]);
    expect(find(lines, "openai")).toEqual([["ok", "answers after 12 ms, offers 2 models"]]);
    const other = await online(home, { OPENAI_API_KEY: "k", LLM_DEFAULT_MODEL: "gpt-z" }, fine);
    expect(find(other, "LLM_DEFAULT_MODEL")[0]?.[1]).toContain("gpt-z is not offered");
    const google = {
      ...fine,
      ping: () => Promise.resolve({ latency_ms: 1, models: ["models/gem"] }),
    };
    const prefixed = await online(home, { GOOGLE_API_KEY: "k", LLM_DEFAULT_MODEL: "gem" }, google);
    expect(find(prefixed, "LLM_DEFAULT_MODEL")).toEqual([]);
  }));

Deno.test("checkConfig() online explains each kind of failure", () =>
  inHome(async (home) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const env = { OPENAI_API_KEY: "k", OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1` };
    const explained = async (code: ErrorCode) => {
      const [[state, message] = []] = find(await online(home, env, failing(code)), "openai");
      expect(state).toBe("problem");
      return message;
    };
    expect(await explained("model_auth")).toContain("rejects the key");
    expect(await explained("model_rate_limited")).toContain("quota");
    expect(await explained("model_not_found")).toContain("LLM_DEFAULT_MODEL");
    expect(await explained("model_unavailable")).toContain("nothing answers at 127.0.0.1");
    expect(await explained("model_timeout")).toContain("nothing answers at 127.0.0.1");
    expect(await explained("internal")).toBe("Cannot ask: internal.");
    const [[, message] = []] = find(await online(home, {}, failing("model_timeout")), "offline");
    expect(message).toBe("Cannot ask: model_timeout.");
  }));

async function runCheck(env: Env, ...args: string[]) {
  let [text, failed] = ["", false];
  const io: CommandIo = {
    environment: () => environmentOf(env),
    write: (part) => text += part,
    fail: () => failed = true,
    color: false,
  };
  const program = new Command();
  addCheck(program, io, fine);
  await program.parseAsync(["check", ...args], { from: "user" });
  return { text, failed };
}

Deno.test("check prints JSON and fails on a problem only", () =>
  inHome(async (home) => {
    const good = await runCheck({ ORCHESTRATOR_HOME: home }, "--json");
    expect(good.failed).toBe(false);
    expect(JSON.parse(good.text)[0]).toEqual({
      state: "ok",
      subject: "variables",
      message: "well formed",
    });
    const bad = await runCheck({ PORT: "x" });
    expect(bad.failed).toBe(true);
    expect(bad.text).toMatch(/^problem {2}PORT must be .*\n\n1 problem to fix\.\n$/);
  }));

Deno.test("formatCheck() marks states with words, and with colours where asked to", () => {
  const line: CheckLine = { state: "ok", subject: "s", message: "m" };
  expect(formatCheck([line], false)).toBe("ok       s m\n\nReady.\n");
  expect(formatCheck([line], true)).toBe("\x1b[32mok      \x1b[0m s m\n\nReady.\n");
  const odd: CheckLine = { ...line, state: "warning" };
  expect(formatCheck([line, odd], false)).toContain("\n\nReady, with 1 warning.\n");
  const two = [line, { ...line, state: "problem" }, { ...line, state: "problem" }] as CheckLine[];
  expect(formatCheck(two, false)).toContain("2 problems to fix.");
});
