/**
 * The environment, read once into one frozen, typed {@linkcode Config}. Nothing else in the service
 * looks at the environment.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type DocumentsConfig, readDocuments } from "./config/documents.ts";
import {
  type Env,
  type Environment,
  homeFolder,
  readEnvironment,
  readIfThere,
} from "./config/environment.ts";
import { type ExternalConfig, readExternal } from "./config/external.ts";
import { type ModelsConfig, readModels } from "./config/models.ts";
import { readTools, type ToolsConfig } from "./config/tools.ts";
import {
  describeVariable,
  type Values,
  VARIABLE_NAMES,
  type VariableName,
  VARIABLES,
} from "./config/variables.ts";
import { type Issue, OrchestratorError, sentence } from "./errors.ts";
import type { LogConfig } from "./telemetry/mod.ts";

export type { DataSource, ExternalAgent, ExternalConfig, McpServer } from "./config/external.ts";
export type { Env, EnvFile, Environment } from "./config/environment.ts";
export type { ModelsConfig } from "./config/models.ts";
export type { ProviderName } from "./config/model_variables.ts";
export type { ProviderConfig, Providers } from "./config/providers.ts";
export type { DocumentsConfig, EmbeddingConfig } from "./config/documents.ts";
export type { ToolsConfig } from "./config/tools.ts";
export { Secret } from "./config/secret.ts";

/** What a running service is set to. Deeply frozen; secrets do not show when it is printed. */
export interface Config {
  /** Absolute path of the folder with the user's own agents, prompts and pipelines. */
  readonly home: string;
  /** Absolute path of the folder that holds the database. */
  readonly data_dir: string;
  /** True on Deno Deploy, where there is no disk and no port to choose. */
  readonly deploy: boolean;
  readonly server: {
    readonly host: string;
    /** 0: any free port. */
    readonly port: number;
    readonly base_url?: string;
    /** Names in the `Host` header to answer to besides loopback ones; lower-case, without port. */
    readonly allowed_hosts: readonly string[];
    /** Origins that may call besides the service's own. */
    readonly allowed_origins: readonly string[];
    readonly max_body_bytes: number;
    readonly max_message_bytes: number;
    readonly max_artifact_bytes: number;
    readonly drain_timeout_ms: number;
  };
  readonly log: LogConfig;
  readonly models: Readonly<ModelsConfig>;
  readonly documents: Readonly<DocumentsConfig>;
  /** What `call` nodes may name; see `pipeline/services.ts`. */
  readonly services: Readonly<
    Record<string, { readonly url: string; readonly timeout_ms: number }>
  >;
  /** What others run and agents may use: MCP servers, agents, a data source. */
  readonly external: Readonly<ExternalConfig>;
  readonly tools: Readonly<ToolsConfig>;
  readonly runs: {
    readonly concurrency: number;
    /** Waiting runs of one tenant, and of all of them. */
    readonly queue_limit: number;
    readonly queue_total: number;
    readonly conversation_messages: number;
    /** How long a chat response may be given again; 0: not at all. */
    readonly response_cache_ms: number;
    readonly idempotency_ttl_ms: number;
    /** How long an ended run is kept; 0: for ever. */
    readonly retention_ms: number;
  };
}

/** True on Deno Deploy. */
export function isDeployed(env: Env = Deno.env.toObject()): boolean {
  return Boolean(env.DENO_DEPLOYMENT_ID);
}

/** Reads the process's environment, completed by `.env` and `$ORCHESTRATOR_HOME/.env`. */
export function loadEnv(): Env {
  return loadEnvironment().env;
}

/** As {@linkcode loadEnv}, with where it is from. */
export function loadEnvironment(): Environment {
  return readEnvironment(Deno.env.toObject(), Deno.cwd());
}

/**
 * Reads the process's environment.
 *
 * @throws `config_invalid` with one issue for each variable that is wrong
 */
export function loadConfig(): Config {
  return readConfig(loadEnv());
}

/**
 * Shapes an environment. Reads the file of `LLM_PRICES`, and `mcp.yaml` and `external_agents.yaml` of
 * the home folder.
 *
 * @throws `config_invalid` with one issue for each variable that is wrong
 */
export function readConfig(env: Env): Config {
  const { values, malformed } = readValues(env);
  const models = readModels(values, (path) => readFileSync(path, "utf8"));
  const external = readExternal(values, {
    env,
    home: homeFolder(env),
    readFile: readIfThere,
  });
  // A malformed variable counts as not set in what follows: only its own issue is worth reporting.
  const reported = new Set(malformed.map(({ location }) => location));
  const documents = readDocuments(values, models.config.providers);
  const tools = readTools(values, env);
  const further = [
    ...models.issues,
    ...documents.issues,
    ...refusedHost(values.HOST),
    ...refusedAuthentication(values.AUTH_ENABLED),
    ...refusedRetention(values),
    ...external.issues,
    ...tools.issues,
  ];
  const issues = [...malformed, ...further.filter(({ location }) => !reported.has(location))];
  if (issues.length > 0) throw invalid(issues);
  return shapeConfig(env, values, {
    models: { ...models.config, proxied: usesProxy(env) },
    documents: documents.config,
    external: external.config,
    tools: tools.config,
  });
}

function invalid(issues: Issue[]): OrchestratorError {
  const list = issues.map(({ location, message }) => `\n- ${location} ${sentence(message)}`).join(
    "",
  );
  return new OrchestratorError(
    "config_invalid",
    `The configuration is invalid. Fix these variables in the environment or in .env.${list}`,
    { issues },
  );
}

/** The well-formed part of the environment, and what is wrong with the rest. */
function readValues(env: Env): { values: Values; malformed: Issue[] } {
  const wellFormed: Record<string, string> = {};
  const malformed: Issue[] = [];
  for (const name of VARIABLE_NAMES) {
    const value = env[name]?.trim();
    if (!value) continue;
    if (VARIABLES.shape[name].safeParse(value).success) wellFormed[name] = value;
    else malformed.push(malformedIssue(name, value));
  }
  return { values: VARIABLES.parse(wellFormed), malformed };
}

function malformedIssue(name: VariableName, value: string): Issue {
  const { type, example, secret } = describeVariable(name);
  const found = secret ? "but its value is not" : `but is ${JSON.stringify(value)}`;
  return { location: name, message: `must be ${type}, ${found}. Example: ${name}=${example}` };
}

function refusedHost(host: string): Issue[] {
  if (isLoopback(host)) return [];
  return [{
    location: "HOST",
    message: `must be a loopback address, but is ${JSON.stringify(host)}: authentication is not ` +
      "available yet, so only this machine may reach the port. Keep HOST=127.0.0.1, put a reverse proxy " +
      "that authenticates requests (Caddy, nginx, Traefik) in front and set ORCHESTRATOR_BASE_URL to " +
      "its address",
  }];
}

/** A server that is believed to authenticate and does not is worse than one that does not start. */
function refusedAuthentication(enabled: boolean): Issue[] {
  if (!enabled) return [];
  return [{
    location: "AUTH_ENABLED",
    message:
      "cannot be true yet: authentication is not available, and any caller that reaches the port " +
      "can do everything. Remove it, keep HOST on a loopback address and put a reverse proxy that " +
      "authenticates requests (Caddy, nginx, Traefik) in front",
  }];
}

/** A remembered key must not name a run that is gone. */
function refusedRetention({ RUN_RETENTION, IDEMPOTENCY_TTL_HOURS: hours }: Values): Issue[] {
  if (RUN_RETENTION === 0 || RUN_RETENTION >= hours * 3_600_000) return [];
  return [{
    location: "RUN_RETENTION",
    message: `must be at least as long as IDEMPOTENCY_TTL_HOURS, which is ${hours}. Keep runs ` +
      "longer, or lower IDEMPOTENCY_TTL_HOURS",
  }];
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(host);
}

function shapeConfig(
  env: Env,
  values: Values,
  parts: Pick<Config, "models" | "documents" | "external" | "tools">,
): Config {
  const home = homeFolder(env);
  const base = values.ORCHESTRATOR_BASE_URL ? new URL(values.ORCHESTRATOR_BASE_URL) : undefined;
  return deepFreeze<Config>({
    home,
    data_dir: join(home, "data"),
    deploy: isDeployed(env),
    server: {
      host: values.HOST.replace(/^\[|\]$/g, ""),
      port: values.PORT,
      ...(values.ORCHESTRATOR_BASE_URL && { base_url: values.ORCHESTRATOR_BASE_URL }),
      allowed_hosts: [...values.ALLOWED_HOSTS, ...(base ? [base.hostname] : [])],
      allowed_origins: [...values.CORS_ORIGINS, ...(base ? [base.origin] : [])],
      max_body_bytes: values.MAX_BODY_BYTES,
      max_message_bytes: values.MAX_MESSAGE_BYTES,
      max_artifact_bytes: values.MAX_ARTIFACT_BYTES,
      drain_timeout_ms: values.DRAIN_TIMEOUT_SECONDS * 1000,
    },
    log: { level: values.ORCHESTRATOR_LOG_LEVEL ?? values.LOG_LEVEL, format: values.LOG_FORMAT },
    ...parts,
    services: readServices(values),
    runs: {
      concurrency: values.RUN_CONCURRENCY,
      queue_limit: values.RUN_QUEUE_LIMIT,
      queue_total: values.RUN_QUEUE_TOTAL,
      conversation_messages: values.CONVERSATION_MESSAGES,
      response_cache_ms: values.RESPONSE_CACHE_TTL,
      idempotency_ttl_ms: values.IDEMPOTENCY_TTL_HOURS * 3_600_000,
      retention_ms: values.RUN_RETENTION,
    },
  });
}

function readServices(values: Values): Config["services"] {
  const { SERVICES, BROWSER_AGENT_URL, ML_WORKER_URL } = values;
  const timeout_ms = values.SERVICE_TIMEOUT_SECONDS * 1000;
  const addresses = {
    ...SERVICES,
    ...(BROWSER_AGENT_URL && { browser_agent: BROWSER_AGENT_URL }),
    ...(ML_WORKER_URL && { ml_worker: ML_WORKER_URL }),
  };
  return Object.fromEntries(
    Object.entries(addresses).map(([name, url]) => [name, { url, timeout_ms }]),
  );
}

/** The names that `fetch` looks at. */
function usesProxy(env: Env): boolean {
  const names = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];
  return names.some((name) => env[name]?.trim() || env[name.toLowerCase()]?.trim());
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}
