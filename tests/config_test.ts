import { expect } from "expect";
import { join } from "node:path";
import { type Env, loadEnv, readConfig } from "../config.ts";
import { readEnvironment } from "../config/environment.ts";
import { Secret } from "../config/secret.ts";
import { type Issue, OrchestratorError } from "../errors.ts";

const read = (env: Env) => readConfig({ HOME: "/home/me", ...env });

function issuesOf(env: Env): Issue[] {
  try {
    read(env);
  } catch (error) {
    expect(error).toBeInstanceOf(OrchestratorError);
    expect((error as OrchestratorError).code).toBe("config_invalid");
    return (error as OrchestratorError).issues ?? [];
  }
  return [];
}

const issueOf = (env: Env, location: string) =>
  issuesOf(env).filter((issue) => issue.location === location).map((issue) => issue.message);

Deno.test("readConfig() of an empty environment gives the defaults and the offline model", () => {
  const config = read({});
  expect(config.home).toBe("/home/me/.orchestrator");
  expect(config.data_dir).toBe("/home/me/.orchestrator/data");
  expect(config.deploy).toBe(false);
  expect(config.server).toEqual({
    host: "127.0.0.1",
    port: 8000,
    allowed_hosts: [],
    allowed_origins: [],
    max_body_bytes: 1_048_576,
    max_message_bytes: 1_048_576,
    max_artifact_bytes: 26_214_400,
    drain_timeout_ms: 8000,
  });
  expect(config.log).toEqual({ level: "info", format: "auto" });
  expect(config.models).toEqual({
    provider: "offline",
    chosen_by: "no key is set",
    default_model: "offline",
    fallbacks: [],
    providers: {},
    timeout_ms: 120_000,
    stall_timeout_ms: 30_000,
    max_attempts: 4,
    proxied: false,
    prices: {},
  });
  expect(config.runs).toEqual({
    concurrency: 1000,
    queue_limit: 10_000,
    queue_total: 20_000,
    conversation_messages: 20,
    response_cache_ms: 0,
    idempotency_ttl_ms: 86_400_000,
    retention_ms: 30 * 86_400_000,
  });
});

Deno.test("readConfig() freezes every part", () => {
  const config = read({ OPENAI_API_KEY: "k", ALLOWED_HOSTS: "a.example" });
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.server.allowed_hosts)).toBe(true);
  expect(Object.isFrozen(config.models.providers.openai)).toBe(true);
});

Deno.test("readConfig() shows no key when the config is printed", () => {
  const config = read({ OPENAI_API_KEY: "canary-1", CUSTOMGPT_API_KEY: "canary-2" });
  const key = config.models.providers.openai?.api_key;
  expect(key).toBeInstanceOf(Secret);
  expect(key?.reveal()).toBe("canary-1");
  for (const shown of [JSON.stringify(config), Deno.inspect(config, { depth: 9 }), `${key}`]) {
    expect(shown).not.toContain("canary");
    expect(shown).toContain("[secret]");
  }
});

Deno.test("readConfig() trims values and takes blank ones as not set", () => {
  const config = read({ PORT: " 9000 ", OPENAI_API_KEY: "  ", ORCHESTRATOR_HOME: "" });
  expect(config.server.port).toBe(9000);
  expect(config.models.provider).toBe("offline");
  expect(config.home).toBe("/home/me/.orchestrator");
});

Deno.test("readConfig() finds a home folder on Windows and without any user", () => {
  expect(readConfig({ USERPROFILE: "/users/me" }).home).toBe("/users/me/.orchestrator");
  expect(readConfig({}).home).toBe(join(Deno.cwd(), ".orchestrator"));
  expect(readConfig({ ORCHESTRATOR_HOME: "/srv/o" }).home).toBe("/srv/o");
});

Deno.test("readConfig() knows Deno Deploy", () => {
  expect(read({ DENO_DEPLOYMENT_ID: "abc" }).deploy).toBe(true);
});

Deno.test("readConfig() lets ORCHESTRATOR_LOG_LEVEL win and ignores case", () => {
  expect(read({ LOG_LEVEL: "INFO" }).log.level).toBe("info");
  expect(read({ LOG_LEVEL: "WARNING" }).log.level).toBe("warn");
  expect(read({ LOG_LEVEL: "error", ORCHESTRATOR_LOG_LEVEL: "Debug" }).log.level).toBe("debug");
});

Deno.test("readConfig() allows the base URL's host and origin", () => {
  const { server } = read({
    ORCHESTRATOR_BASE_URL: "https://AI.example.com:8443/x/",
    ALLOWED_HOSTS: "B.example, c.example:81, [FD00::1]:80",
    CORS_ORIGINS: "https://App.example",
  });
  expect(server.base_url).toBe("https://AI.example.com:8443/x");
  expect(server.allowed_hosts).toEqual(["b.example", "c.example", "[fd00::1]", "ai.example.com"]);
  expect(server.allowed_origins).toEqual(["https://app.example", "https://ai.example.com:8443"]);
});

Deno.test("readConfig() listens on loopback addresses only and says what to do instead", () => {
  for (const host of ["127.0.0.1", "127.8.0.1", "localhost", "::1"]) {
    expect(read({ HOST: host }).server.host).toBe(host);
  }
  expect(read({ HOST: "[::1]" }).server.host).toBe("::1");
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.evil.test", "example.com"]) {
    expect(issueOf({ HOST: host }, "HOST")[0]).toContain("authentication is not available yet");
  }
});

Deno.test("readConfig() collects every problem, each under its variable", () => {
  const issues = issuesOf({
    PORT: "80000",
    MAX_BODY_BYTES: "1e9",
    LOG_LEVEL: "loud",
    CORS_ORIGINS: "*",
    HOST: "0.0.0.0",
    LLM_PROVIDER: "anthropic",
  });
  expect(issues.map(({ location }) => location)).toEqual([
    "PORT",
    "CORS_ORIGINS",
    "LOG_LEVEL",
    "MAX_BODY_BYTES",
    "ANTHROPIC_API_KEY",
    "HOST",
  ]);
  expect(issues[0]?.message).toBe(
    'must be an integer from 0 to 65535, but is "80000". Example: PORT=8000',
  );
});

Deno.test("readConfig() tells about a malformed key once and does not quote it", () => {
  const messages = issueOf(
    { LLM_PROVIDER: "openai", OPENAI_API_KEY: "has space" },
    "OPENAI_API_KEY",
  );
  expect(messages).toHaveLength(1);
  expect(messages[0]).not.toContain("has space");
});

Deno.test("readConfig() chooses the provider by the first key that is present", () => {
  const chosen = (env: Env) => {
    const { provider, chosen_by } = read({ LLM_DEFAULT_MODEL: "m", ...projects, ...env }).models;
    return [provider, chosen_by];
  };
  const google = { GOOGLE_API_KEY: "k", CUSTOMGPT_API_KEY: "k" };
  expect(chosen({ CUSTOMGPT_API_KEY: "k" })).toEqual(["customgpt", "CUSTOMGPT_API_KEY"]);
  expect(chosen({ GEMINI_API_KEY: "k" })).toEqual(["google", "GEMINI_API_KEY"]);
  expect(chosen(google)).toEqual(["google", "GOOGLE_API_KEY"]);
  expect(chosen({ ...google, ANTHROPIC_API_KEY: "k" })).toEqual(["anthropic", "ANTHROPIC_API_KEY"]);
  const all = { ...google, ANTHROPIC_API_KEY: "k", OPENAI_API_KEY: "k" };
  expect(chosen(all)).toEqual(["openai", "OPENAI_API_KEY"]);
  expect(chosen({ ...all, LLM_BASE_URL: "http://localhost:1/v1" }))
    .toEqual(["openai-compatible", "LLM_BASE_URL"]);
  expect(chosen({ ...all, LLM_PROVIDER: "google-genai" })).toEqual(["google", "LLM_PROVIDER"]);
  expect(chosen({ ...all, LLM_PROVIDER: "offline" })).toEqual(["offline", "LLM_PROVIDER"]);
});

const projects = {
  RESEARCH_AGENT_PROJECT_ID: "101",
  PLANNING_AGENT_PROJECT_ID: "102",
  BUILDER_AGENT_PROJECT_ID: "proj-x-builder",
  REVIEW_AGENT_PROJECT_ID: "104",
};

Deno.test("readConfig() maps CustomGPT's projects to agents and wants all four when it is chosen", () => {
  const { customgpt } = read({ CUSTOMGPT_API_KEY: "k", ...projects }).models.providers;
  expect(customgpt?.projects).toEqual({
    researcher: "101",
    planner: "102",
    builder: "proj-x-builder",
    reviewer: "104",
  });
  const missing = issuesOf({ CUSTOMGPT_API_KEY: "k", RESEARCH_AGENT_PROJECT_ID: "101" });
  expect(missing.map(({ location }) => location)).toEqual(Object.keys(projects).slice(1));
  const second = read({ OPENAI_API_KEY: "k", CUSTOMGPT_API_KEY: "k" }).models.providers;
  expect(second.customgpt?.projects).toEqual({});
  expect(issueOf({ ...projects, REVIEW_AGENT_PROJECT_ID: "a b" }, "REVIEW_AGENT_PROJECT_ID"))
    .toHaveLength(1);
});

Deno.test("readConfig() shapes providers with their base URLs", () => {
  const { providers, default_model } = read({
    ANTHROPIC_API_KEY: "a",
    ANTHROPIC_BASE_URL: "https://gw.example/anthropic/",
    LLM_BASE_URL: "http://localhost:11434/v1",
    LLM_API_KEY: "local",
    LLM_DEFAULT_MODEL: "llama",
  }).models;
  expect(Object.keys(providers)).toEqual(["anthropic", "openai-compatible"]);
  expect(providers.anthropic?.base_url).toBe("https://gw.example/anthropic");
  expect(providers["openai-compatible"]?.base_url).toBe("http://localhost:11434/v1");
  expect(providers["openai-compatible"]?.api_key?.reveal()).toBe("local");
  expect(default_model).toBe("llama");
});

Deno.test("readConfig() uses LLM_API_KEY for LLM_PROVIDER and refuses it without a provider", () => {
  const { providers } = read({ LLM_PROVIDER: "openai", LLM_API_KEY: "k" }).models;
  expect(providers.openai?.api_key?.reveal()).toBe("k");
  expect(issueOf({ LLM_API_KEY: "k" }, "LLM_API_KEY")[0]).toContain("set LLM_PROVIDER");
});

Deno.test("readConfig() takes LLM_BASE_URL for the address of LLM_PROVIDER, with LLM_API_KEY only", () => {
  const env = { LLM_PROVIDER: "anthropic", LLM_BASE_URL: "https://gw.example" };
  const { providers, provider } = read({ ...env, LLM_API_KEY: "gw" }).models;
  expect(provider).toBe("anthropic");
  expect(Object.keys(providers)).toEqual(["anthropic"]);
  expect(providers.anthropic?.base_url).toBe("https://gw.example");
  expect(providers.anthropic?.api_key?.reveal()).toBe("gw");
  const [missing] = issueOf({ ...env, ANTHROPIC_API_KEY: "own" }, "LLM_API_KEY");
  expect(missing).toContain("ANTHROPIC_API_KEY is for anthropic itself");
  const both = { ...env, LLM_API_KEY: "gw", ANTHROPIC_BASE_URL: "https://other.example" };
  expect(issueOf(both, "LLM_BASE_URL")[0]).toContain("are both addresses of anthropic");
});

Deno.test("readConfig() warns of a key that does not go to LLM_BASE_URL", () => {
  const warnings = (env: Env) => {
    const { models } = read({ LLM_BASE_URL: "https://gw.example", LLM_DEFAULT_MODEL: "m", ...env });
    return (models.warnings ?? []).map(({ location }) => location);
  };
  expect(warnings({ OPENAI_API_KEY: "k" })).toEqual(["OPENAI_API_KEY"]);
  expect(warnings({ OPENAI_API_KEY: "k", LLM_API_KEY: "k" })).toEqual([]);
  expect(warnings({ ANTHROPIC_API_KEY: "k" })).toEqual([]);
  const google = { LLM_PROVIDER: "google", LLM_API_KEY: "k", GOOGLE_API_KEY: "k" };
  expect(warnings(google)).toEqual(["GOOGLE_API_KEY"]);
});

Deno.test("readConfig() gives a default model to the provider that it names", () => {
  const chosen = (env: Env) => {
    const { provider, chosen_by, default_model } = read(env).models;
    return [provider, chosen_by, default_model];
  };
  const keys = { OPENAI_API_KEY: "k", GOOGLE_API_KEY: "k" };
  expect(chosen({ ...keys, LLM_DEFAULT_MODEL: "openai/gpt-x" }))
    .toEqual(["openai", "OPENAI_API_KEY", "gpt-x"]);
  expect(chosen({ ...keys, LLM_DEFAULT_MODEL: "google-genai/gem" }))
    .toEqual(["google", "LLM_DEFAULT_MODEL", "gem"]);
  expect(chosen({ ...keys, LLM_DEFAULT_MODEL: "offline" }))
    .toEqual(["offline", "LLM_DEFAULT_MODEL", "offline"]);
  const gateway = { LLM_BASE_URL: "https://gw.example", LLM_DEFAULT_MODEL: "google/gem" };
  expect(chosen({ ...keys, ...gateway })).toEqual([
    "openai-compatible",
    "LLM_BASE_URL",
    "google/gem",
  ]);
  for (const env of [{ OPENAI_API_KEY: "k" }, { ...keys, LLM_PROVIDER: "openai" }]) {
    expect(issueOf({ ...env, LLM_DEFAULT_MODEL: "google/gem" }, "LLM_DEFAULT_MODEL")[0])
      .toContain("set LLM_PROVIDER to google");
  }
});

Deno.test("readConfig() wants address and model of an OpenAI-compatible server", () => {
  expect(issuesOf({ LLM_PROVIDER: "openai-compatible" }).map(({ location }) => location))
    .toEqual(["LLM_BASE_URL", "LLM_DEFAULT_MODEL"]);
});

Deno.test("readConfig() takes fallbacks of usable providers only", () => {
  const keys = { OPENAI_API_KEY: "k", GOOGLE_API_KEY: "k" };
  const list = "google-genai/gemini, openai/gpt ,offline/offline";
  expect(read({ ...keys, LLM_FALLBACKS: list }).models.fallbacks)
    .toEqual(["google/gemini", "openai/gpt", "offline/offline"]);
  expect(issueOf({ ...keys, LLM_FALLBACKS: "anthropic/x" }, "LLM_FALLBACKS")[0])
    .toContain("set ANTHROPIC_API_KEY");
  expect(issueOf({ ...keys, LLM_FALLBACKS: "opanai/x" }, "LLM_FALLBACKS")[0])
    .toContain("unknown");
  expect(issueOf({ ...keys, LLM_FALLBACKS: "gpt" }, "LLM_FALLBACKS")).toHaveLength(1);
});

Deno.test("readConfig() reads prices inline or from a file", async () => {
  const prices = { "openai/x": { input: 1, output: 2.5 } };
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(file, JSON.stringify(prices));
    expect(read({ LLM_PRICES: file }).models.prices).toEqual(prices);
  } finally {
    await Deno.remove(file);
  }
  expect(read({ LLM_PRICES: JSON.stringify(prices) }).models.prices).toEqual(prices);
  for (
    const wrong of ["{", '{"x":{"input":1,"output":2}}', '{"a/b":{"input":-1,"output":2}}', file]
  ) {
    expect(issueOf({ LLM_PRICES: wrong }, "LLM_PRICES")[0]).toContain("cannot be used");
  }
});

Deno.test("readEnvironment() reads .env, then the home folder's, and overrides nothing", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const home = join(cwd, "home");
    await Deno.mkdir(home);
    await Deno.writeTextFile(
      join(cwd, ".env"),
      `PORT=1\nHOST=localhost\nORCHESTRATOR_HOME=${home}\n`,
    );
    await Deno.writeTextFile(join(home, ".env"), "PORT=2\nHOST=::1\nOPENAI_API_KEY='a key'\n");
    const { env } = readEnvironment({ PORT: "3" }, cwd);
    expect(env).toEqual({
      PORT: "3",
      HOST: "localhost",
      ORCHESTRATOR_HOME: home,
      OPENAI_API_KEY: "a key",
    });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("readEnvironment() finds the lines that set nothing, and reads the others", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const lines = [
      "\ufeffPORT=1",
      "OPENAI_API_KEY: sk-1",
      "# a comment",
      "   # another",
      "",
      "export HOST = localhost # says where",
      'A="begins here',
      "continues",
      'ends # here" and is over',
      "B='it''s",
      "not closed\r",
      "C=`",
      "D",
      "` ",
      'E="never closed',
      "last",
    ];
    await Deno.writeTextFile(join(cwd, ".env"), lines.join("\n"));
    const { env, files, home_file } = readEnvironment({ ORCHESTRATOR_HOME: cwd }, cwd);
    expect(files.map(({ path, malformed }) => [path, malformed])).toEqual([
      [join(cwd, ".env"), [2, 11, 16]],
    ]);
    expect(home_file).toBe(join(cwd, ".env"));
    expect(env).toMatchObject({ PORT: "1", HOST: "localhost", C: "\nD\n" });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("readEnvironment() knows which variables the user's settings refer to", async () => {
  const home = await Deno.makeTempDir();
  try {
    const text = '- { name: crm, url: "https://crm.example", headers: { X-Key: "${CRM_KEY}" } }\n';
    await Deno.writeTextFile(join(home, "mcp.yaml"), text);
    const EXTERNAL_AGENTS = '[{"name":"a","url":"http://x.example","auth_token":"${A_TOKEN}"}]';
    const { named } = readEnvironment({ ORCHESTRATOR_HOME: home, EXTERNAL_AGENTS }, home);
    expect([...named()].sort()).toEqual(["A_TOKEN", "CRM_KEY"]);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("readConfig() refuses AUTH_ENABLED, whatever else it is than off", () => {
  expect(issuesOf({ AUTH_ENABLED: "false" })).toEqual([]);
  expect(issuesOf({ AUTH_ENABLED: "" })).toEqual([]);
  for (const value of ["true", "TRUE", " true "]) {
    expect(issueOf({ AUTH_ENABLED: value }, "AUTH_ENABLED")[0])
      .toMatch(/^cannot be true yet: authentication is not available/);
  }
  for (const value of ["1", "yes", "ture"]) {
    expect(issueOf({ AUTH_ENABLED: value }, "AUTH_ENABLED")[0]).toContain("`true` or `false`");
  }
});

Deno.test("loadEnv() holds the process's own environment", () => {
  expect(loadEnv()).toMatchObject({ PATH: Deno.env.get("PATH") });
});

for (const name of ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"]) {
  Deno.test(`readConfig() sees the proxy in ${name}`, () => {
    expect(readConfig({ [name]: "http://proxy.test:3128" }).models.proxied).toBe(true);
    expect(readConfig({ [name]: " " }).models.proxied).toBe(false);
  });
}

Deno.test("readConfig() gathers the services that pipelines may call", () => {
  expect(read({}).services).toEqual({});
  expect(
    read({
      BROWSER_AGENT_URL: "http://localhost:8001/",
      SERVICES: '{"billing":"https://billing.example.com/api/"}',
      SERVICE_TIMEOUT_SECONDS: "60",
    }).services,
  ).toEqual({
    billing: { url: "https://billing.example.com/api", timeout_ms: 60_000 },
    browser_agent: { url: "http://localhost:8001", timeout_ms: 60_000 },
  });
  for (const SERVICES of ["no json", "[]", '{"a":"ftp://x"}', '{"Big Name":"http://x"}']) {
    expect(issueOf({ SERVICES }, "SERVICES")).toHaveLength(1);
  }
});

Deno.test("readConfig() reads how long runs are kept", () => {
  const kept = (RUN_RETENTION: string, IDEMPOTENCY_TTL_HOURS = "1") =>
    readConfig({ RUN_RETENTION, IDEMPOTENCY_TTL_HOURS }).runs.retention_ms;
  expect(["0", "3600s", "90m", "12H", "30d"].map((text) => kept(text)))
    .toEqual([0, 3_600_000, 5_400_000, 43_200_000, 2_592_000_000]);
  for (const wrong of ["30", "0d", "1.5d", "-1d", "30 d", "1w", "for ever"]) {
    expect(() => kept(wrong)).toThrow(/RUN_RETENTION must be a number followed by s, m, h or d/);
  }
  expect(() => kept("12h", "24")).toThrow(/RUN_RETENTION must be at least as long as IDEMPOTENCY/);
  expect(kept("0", "24")).toBe(0);
});

Deno.test("readEnvironment() finds a line without a name, as it finds one without an =", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(cwd, ".env"), "PORT=1\n=x\n  = y\nHOST =a=b\nEMPTY=\n");
    const { env, files } = readEnvironment({ ORCHESTRATOR_HOME: cwd }, cwd);
    expect(files[0]?.malformed).toEqual([2, 3]);
    expect(env).toMatchObject({ PORT: "1", HOST: "a=b", EMPTY: "" });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
