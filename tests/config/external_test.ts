import { expect } from "expect";
import { parseEnv } from "node:util";
import type { McpServer } from "../../config/external.ts";
import { readConfig } from "../../config.ts";
import type { Secret } from "../../config/secret.ts";
import type { Issue, OrchestratorError } from "../../errors.ts";

function withHome(files: Record<string, string>): { env: Record<string, string>; done(): void } {
  const home = Deno.makeTempDirSync();
  for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${home}/${name}`, text);
  return {
    env: { ORCHESTRATOR_HOME: home },
    done: () => Deno.removeSync(home, { recursive: true }),
  };
}

function issuesOf(env: Record<string, string>): Issue[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    return (error as OrchestratorError).issues ?? [];
  }
}

Deno.test("readConfig() without services of others has none", () => {
  const { external } = readConfig({ HOME: "/home/me" });
  expect(external).toEqual({ mcp_servers: [], mcp_allowed_commands: [], agents: [] });
});

Deno.test("readConfig() reads MCP servers of the variable and of mcp.yaml, keys from variables", () => {
  const { env, done } = withHome({
    "mcp.yaml": `
- name: files
  command: npx
  args: [-y, server-files, /srv/docs]
  env: { TOKEN: "\${FILES_TOKEN}" }
  trust_annotations: true
  timeout_seconds: 5
`,
  });
  const { external } = readConfig({
    ...env,
    GITHUB_TOKEN: "t0ken",
    FILES_TOKEN: "f1les",
    MCP_SERVERS: JSON.stringify([{
      name: "github",
      url: "https://mcp.example.com/mcp",
      headers: { Authorization: "Bearer ${GITHUB_TOKEN}" },
      tools: ["search"],
    }]),
    MCP_ALLOWED_COMMANDS: '["npx -y server-files /srv/docs"]',
  });
  done();
  const [github, files] = external.mcp_servers;
  expect(github).toMatchObject({ name: "github", tools: ["search"], timeout_ms: 60_000 });
  expect(github?.headers.Authorization?.reveal()).toBe("Bearer t0ken");
  expect(JSON.stringify(external)).not.toContain("t0ken");
  expect(files).toMatchObject({ command: "npx", trust_annotations: true, timeout_ms: 5000 });
  expect((files?.env.TOKEN as Secret).reveal()).toBe("f1les");
  expect(external.mcp_allowed_commands).toEqual(["npx -y server-files /srv/docs"]);
});

Deno.test("readConfig() reads agents and the data source", () => {
  const { env, done } = withHome({
    "external_agents.yaml":
      "- { name: partner, url: https://p.example.com, protocol: a2a, auth_token: '${PARTNER}' }",
  });
  const { external } = readConfig({
    ...env,
    PARTNER: "p-token",
    EXTERNAL_AGENT_BASE_URL: "https://agent.example.com/ask",
    EXTERNAL_AGENT_AUTH_TOKEN: "a-token",
    DATASOURCE_BASE_URL: "https://data.example.com/query",
  });
  done();
  expect(external.agents.map(({ name, protocol }) => [name, protocol])).toEqual([
    ["default", "http"],
    ["partner", "a2a"],
  ]);
  expect(external.agents.map(({ auth_token }) => auth_token?.reveal())).toEqual([
    "a-token",
    "p-token",
  ]);
  expect(external.datasource).toEqual({
    url: "https://data.example.com/query",
    timeout_ms: 60_000,
  });
});

for (
  const [what, variables, location, message] of [
    ["no list", { MCP_SERVERS: "{}" }, "MCP_SERVERS", "must be a JSON list"],
    ["neither address nor command", { MCP_SERVERS: '[{"name":"a"}]' }, "MCP_SERVERS", "either"],
    [
      "a password in an address",
      { MCP_SERVERS: '[{"name":"a","url":"https://me:pw@x.example"}]' },
      "MCP_SERVERS",
      "0.url: must not contain a password",
    ],
    [
      "a field that is unknown",
      { EXTERNAL_AGENTS: '[{"name":"a","url":"https://x.example","colour":1}]' },
      "EXTERNAL_AGENTS",
      "colour",
    ],
    [
      "a variable that is not set",
      { EXTERNAL_AGENTS: '[{"name":"a","url":"https://x.example","auth_token":"${NONE}"}]' },
      "EXTERNAL_AGENTS",
      "NONE, which is not set",
    ],
    [
      "two of a name",
      {
        EXTERNAL_AGENTS:
          '[{"name":"a","url":"https://x.example"},{"name":"a","url":"https://y.example"}]',
      },
      "EXTERNAL_AGENTS",
      'two entries named "a"',
    ],
    ["a token for nobody", { DATASOURCE_AUTH_TOKEN: "x" }, "DATASOURCE_AUTH_TOKEN", "not set"],
  ] as const
) {
  Deno.test(`readConfig() reports ${what} and shows no value that may be a key`, () => {
    const issues = issuesOf({ HOME: "/home/me", ...variables });
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatchObject({ location, message: expect.stringContaining(message) });
    expect(issues[0]?.message).not.toContain("me:pw");
  });
}

Deno.test("readConfig() reports a file that is no YAML list", () => {
  const broken = withHome({ "mcp.yaml": "a: [", "external_agents.yaml": "a: 1" });
  const messages = issuesOf(broken.env).map(({ message }) => message);
  broken.done();
  expect(messages).toEqual([expect.stringContaining("is not valid YAML"), "must be a YAML list"]);
});

Deno.test("readConfig() takes an empty file for no servers", () => {
  const { env, done } = withHome({ "mcp.yaml": "# none yet\n" });
  const { external } = readConfig(env);
  done();
  expect(external.mcp_servers).toEqual([]);
});

/** The example of a page, as it stands there. */
function example(page: string, language: string): string {
  const text = Deno.readTextFileSync(new URL(`../../docs/${page}`, import.meta.url));
  return new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? "";
}

Deno.test("readConfig() takes the examples of the documentation", () => {
  const { env, done } = withHome({
    "mcp.yaml": example("mcp.md", "yaml"),
    "external_agents.yaml": example("external-agents.md", "yaml"),
  });
  const { external } = readConfig({
    ...env,
    GITHUB_TOKEN: "g",
    NOTES_KEY: "n",
    PARTNER_TOKEN: "p",
    ...parseEnv(example("mcp.md", "sh")),
    ...parseEnv(example("external-agents.md", "sh")),
  });
  done();
  expect(external.mcp_servers.map(({ name }) => name)).toEqual(["github", "notes"]);
  const [, { command, args }] = external.mcp_servers as [unknown, McpServer];
  expect(external.mcp_allowed_commands).toEqual([[command, ...args].join(" ")]);
  expect(external.agents.map(({ name }) => name)).toEqual(["default", "partner"]);
});
