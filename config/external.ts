/**
 * Services of others that agents may use as tools: MCP servers, agents and a data source, from
 * variables and from files of the home folder.
 */
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";
import type { Issue } from "../errors.ts";
import { parse as parseWith, type Problem } from "../json/mod.ts";
import { Secret } from "./secret.ts";
import type { Values } from "./variables.ts";

/** An MCP server. It has either `url` or `command`. */
export interface McpServer {
  name: string;
  /** Of a server that speaks streamable HTTP. */
  url?: string;
  /** Sent with each request to the origin of `url`. */
  headers: Record<string, Secret>;
  /** Of a server that speaks over standard input and output. */
  command?: string;
  args: string[];
  /** Variables of the command's environment besides `PATH`, `HOME` and the like. */
  env: Record<string, Secret>;
  /** Of all its tools; without it: `write`, or what trusted annotations say. */
  capability?: "compute" | "read" | "egress" | "write";
  effect?: "none" | "at_least_once" | "at_most_once";
  /** Names, as the server has them, of the tools to take; without it: all. */
  tools?: string[];
  /** True when what the server says about its tools' effects is believed. */
  trust_annotations: boolean;
  /** For one call, in milliseconds. */
  timeout_ms: number;
}

/** An agent that runs elsewhere. */
export interface ExternalAgent {
  name: string;
  url: string;
  protocol: "http" | "a2a";
  /** Sent as a bearer token to the origin of `url`. */
  auth_token?: Secret;
  description: string;
  /** For one call, in milliseconds. */
  timeout_ms: number;
}

/** A service that answers queries. */
export interface DataSource {
  url: string;
  auth_token?: Secret;
  /** For one call, in milliseconds. */
  timeout_ms: number;
}

/** Everything that others run. */
export interface ExternalConfig {
  mcp_servers: McpServer[];
  /** Whole command lines, words divided by one space, that MCP servers may be started with. */
  mcp_allowed_commands: string[];
  agents: ExternalAgent[];
  datasource?: DataSource;
}

/** What reading needs besides the variables. */
export interface ExternalSources {
  /** Where `${NAME}` in a secret field is looked up. */
  env: Record<string, string | undefined>;
  home: string;
  /** The text of a file, or nothing if it does not exist. */
  readFile: (path: string) => string | undefined;
}

const MCP_FILE = "mcp.yaml";
const AGENTS_FILE = "external_agents.yaml";

/** The names that secret fields refer to as `${NAME}`. */
export function namedVariables({ env, home, readFile }: ExternalSources): Set<string> {
  const files = [MCP_FILE, AGENTS_FILE].map((file) => readFile(join(home, file)));
  const texts = [env.MCP_SERVERS, env.EXTERNAL_AGENTS, ...files];
  return new Set(
    texts.flatMap((text = "") => [...text.matchAll(REFERENCE)].map(([, name]) => name!)),
  );
}

const REFERENCE = /\$\{(\w+)\}/g;

const NAME = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/, {
  error: "must be 1 to 32 lower-case letters, digits and `_`, starting with a letter",
});
const ADDRESS = z.url({ protocol: /^https?$/, error: "must be an http(s) URL" })
  .refine((value) => !new URL(value).username && !new URL(value).password, {
    error: "must not contain a password: use a header instead",
  });
const SECONDS = z.number().int().min(1).max(3600);

const MCP_SERVER = z.strictObject({
  name: NAME,
  url: ADDRESS.optional(),
  headers: z.record(z.string().regex(/^[\w-]+$/), z.string()).default({}),
  command: z.string().min(1).optional(),
  args: z.array(z.string()).default([]),
  env: z.record(z.string().regex(/^\w+$/), z.string()).default({}),
  capability: z.enum(["compute", "read", "egress", "write"]).optional(),
  effect: z.enum(["none", "at_least_once", "at_most_once"]).optional(),
  tools: z.array(z.string()).optional(),
  trust_annotations: z.boolean().default(false),
  timeout_seconds: SECONDS.default(60),
}).refine(({ url, command }) => (url === undefined) !== (command === undefined), {
  error: "must have either `url` or `command`",
});

const AGENT = z.strictObject({
  name: NAME,
  url: ADDRESS,
  protocol: z.enum(["http", "a2a"]).default("http"),
  auth_token: z.string().min(1).optional(),
  description: z.string().max(2000).optional(),
  timeout_seconds: SECONDS.default(120),
});

/** Name of the agent that `EXTERNAL_AGENT_BASE_URL` is. */
const DEFAULT_AGENT = "default";

/** Reads external services; entries with mistakes are left out and reported. */
export function readExternal(
  values: Values,
  sources: ExternalSources,
): { config: ExternalConfig; issues: Issue[] } {
  const issues: Issue[] = [];
  const report = (location: string, message: string) => issues.push({ location, message });
  const reveal = (location: string) => (text: string) =>
    resolved(text, sources.env, location, report);
  const servers = entries(MCP_SERVER, "MCP_SERVERS", values.MCP_SERVERS, MCP_FILE, sources, report);
  const agents = entries(
    AGENT,
    "EXTERNAL_AGENTS",
    values.EXTERNAL_AGENTS,
    AGENTS_FILE,
    sources,
    report,
  );
  const config: ExternalConfig = {
    mcp_servers: servers.map(({ location, entry: { timeout_seconds, headers, env, ...rest } }) => ({
      ...rest,
      headers: secrets(headers, reveal(location)),
      env: secrets(env, reveal(location)),
      timeout_ms: timeout_seconds * 1000,
    })),
    mcp_allowed_commands: values.MCP_ALLOWED_COMMANDS,
    agents: [
      ...defaultAgent(values),
      ...agents.map(({ location, entry: { timeout_seconds, auth_token, ...rest } }) => ({
        ...rest,
        description: rest.description ?? `The external agent ${rest.name}.`,
        ...(auth_token === undefined ? {} : { auth_token: reveal(location)(auth_token) }),
        timeout_ms: timeout_seconds * 1000,
      })),
    ],
    ...datasource(values),
  };
  return { config, issues: [...issues, ...danglingTokens(values)] };
}

type Report = (location: string, message: string) => void;

/** The entries of a variable, then those of a file; each with the place it is from. */
function entries<T extends { name: string }>(
  schema: z.ZodType<T>,
  variable: string,
  value: unknown[],
  file: string,
  { home, readFile }: ExternalSources,
  report: Report,
): { location: string; entry: T }[] {
  const path = join(home, file);
  const sources = [{ location: variable, list: value }];
  const text = readFile(path);
  if (text !== undefined) sources.push({ location: path, list: listOf(text, path, report) });
  const seen = new Set<string>();
  return sources.flatMap(({ location, list }) =>
    list.flatMap((item, index) => {
      const { data, problems } = parseWith(schema, item);
      if (problems) {
        const [{ path, message }] = problems as [Problem];
        report(location, `has a mistake at ${[index, ...path].join(".")}: ${message}`);
        return [];
      }
      if (seen.has(data.name)) report(location, `has two entries named "${data.name}"`);
      seen.add(data.name);
      return [{ location, entry: data }];
    })
  );
}

function listOf(text: string, path: string, report: Report): unknown[] {
  try {
    const found = parse(text) as unknown;
    if (found === null) return [];
    if (Array.isArray(found)) return found;
    report(path, "must be a YAML list");
  } catch (error) {
    report(path, `is not valid YAML: ${(error as Error).message.split("\n")[0]}`);
  }
  return [];
}

function secrets(texts: Record<string, string>, reveal: (text: string) => Secret) {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, reveal(text)]));
}

/** `${NAME}` stands for a variable, so that files need not hold secrets. */
function resolved(
  text: string,
  env: ExternalSources["env"],
  location: string,
  report: Report,
): Secret {
  return new Secret(text.replace(REFERENCE, (_whole, name: string) => {
    const value = env[name]?.trim();
    if (!value) report(location, `refers to the variable ${name}, which is not set`);
    return value ?? "";
  }));
}

function defaultAgent(values: Values): ExternalAgent[] {
  const { EXTERNAL_AGENT_BASE_URL: url, EXTERNAL_AGENT_AUTH_TOKEN: auth_token } = values;
  if (!url) return [];
  return [{
    name: DEFAULT_AGENT,
    url,
    protocol: "http",
    ...(auth_token && { auth_token }),
    description: "An external agent.",
    timeout_ms: 120_000,
  }];
}

function datasource(values: Values): { datasource?: DataSource } {
  const { DATASOURCE_BASE_URL: url, DATASOURCE_AUTH_TOKEN: auth_token } = values;
  return url ? { datasource: { url, ...(auth_token && { auth_token }), timeout_ms: 60_000 } } : {};
}

function danglingTokens(values: Values): Issue[] {
  const pairs = [
    ["EXTERNAL_AGENT_AUTH_TOKEN", "EXTERNAL_AGENT_BASE_URL"],
    ["DATASOURCE_AUTH_TOKEN", "DATASOURCE_BASE_URL"],
  ] as const;
  return pairs.filter(([token, url]) => values[token] && !values[url])
    .map(([token, url]) => ({ location: token, message: `is for ${url}, which is not set` }));
}
