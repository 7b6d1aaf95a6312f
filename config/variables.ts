/**
 * Every environment variable, once: the schema that reads it is also the source of
 * `docs/configuration.md`, of `.env.example` and of the messages about wrong values.
 *
 * @module
 */
import * as z from "zod";
import { Secret } from "./secret.ts";

/** What the documentation says about a variable. */
export interface VariableMeta {
  /** Heading it is listed under. */
  group: string;
  /** What a value must be, as it reads after "must be": `a whole number from 0 to 65535`. */
  type: string;
  description: string;
  /** The value used when it is not set; absent when there is none. */
  default?: string;
  example: string;
  /** Keys and the like: never printed. */
  secret: boolean;
}

type Described = Omit<VariableMeta, "type" | "secret">;

const text = z.string().min(1).meta({ type: "text" });

const secret = z.string().regex(/^[!-~]+$/).transform((value) => new Secret(value))
  .meta({ type: "a key (no spaces)", secret: true });

const projectId = z.string().regex(/^[A-Za-z0-9_-]+$/)
  .meta({ type: "a project id (letters, digits, `-`, `_`)" });

const url = z.url({ protocol: /^https?$/ })
  .transform((value) => value.replace(/\/+$/, "")).meta({ type: "an http(s) URL" });

const integer = (min: number, max: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.number().int().min(min).max(max))
    .meta({ type: `a whole number from ${min} to ${max}` });

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Text such as `30d` to milliseconds. */
const duration = z.string().toLowerCase().regex(/^(0|[1-9]\d{0,5}[smhd])$/)
  .transform((value) => parseInt(value) * (UNITS[value.at(-1) as keyof typeof UNITS] ?? 0))
  .meta({ type: "a number followed by s, m, h or d (30d, 12h), or 0" });

const oneOf = <const T extends Record<string, string>>(words: T) =>
  z.string().toLowerCase().refine((value) => Object.hasOwn(words, value))
    .transform((value) => words[value] as T[keyof T])
    .meta({ type: `one of ${Object.keys(words).join(", ")}` });

const flag = oneOf({ true: "true", false: "false" }).transform((value) => value === "true")
  .meta({ type: "`true` or `false`" });

const listOf = (item: z.ZodType<string, string>, type: string) =>
  z.string().transform((value) => value.split(",").map((part) => part.trim()).filter(Boolean))
    .pipe(z.array(item)).meta({ type: `a comma-separated list of ${type}` });

const address = z.string().regex(/^[A-Za-z0-9.:[\]_-]+$/).toLowerCase()
  .meta({ type: "a host name or an IP address" });

/** The port is removed: only names are compared. */
const host = z.string().regex(/^([\w.-]+|\[[\da-f:]+\])(:\d+)?$/i)
  .transform((value) => value.toLowerCase().replace(/:\d+$/, ""));

/** The port stays: it is part of the rule. */
const hostRule = z.string().regex(/^(\*\.)?([\w-][\w.-]*|\[[\da-f:.]+\])(:\d{1,5})?$/i);

const searchServices = {
  brave: "brave",
  tavily: "tavily",
  serper: "serper",
  searxng: "searxng",
} as const;

const origin = z.string().refine((value) =>
  URL.canParse(value) && new URL(value).origin === value.toLowerCase()
).toLowerCase();

const addresses = z.string().transform((value, check) => {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    check.addIssue({ code: "custom", message: "not JSON" });
    return z.NEVER;
  }
}).pipe(z.record(z.string().regex(/^[a-z][a-z0-9_]*$/), url))
  .meta({ type: "a JSON object of names (lower-case letters, digits, `_`) and http(s) URLs" });

/** A JSON list, whose items are read elsewhere. */
const jsonList = z.string().transform((value, check) => {
  try {
    const found = JSON.parse(value) as unknown;
    if (Array.isArray(found)) return found as unknown[];
  } catch {
    // Reported below, with the other values that are not lists.
  }
  check.addIssue({ code: "custom", message: "not a JSON list" });
  return z.NEVER;
});

/** Its items may hold keys. */
const secretList = jsonList.meta({ type: "a JSON list", secret: true });

const commandLines = jsonList.pipe(z.array(z.string().min(1)))
  .meta({ type: "a JSON list of command lines" });

/** Describes an optional variable. */
function optional<T extends z.ZodType>(schema: T, meta: Described) {
  return schema.optional().meta({ secret: false, ...schema.meta(), ...meta });
}

/** Describes a variable with a default, written as the environment would hold it. */
function required<T extends z.ZodType<unknown, string>>(
  schema: T,
  meta: Described & { default: string },
) {
  return schema.prefault(meta.default as z.input<T>)
    .meta({ secret: false, ...schema.meta(), ...meta });
}

const levels = {
  debug: "debug",
  info: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
} as const;

const providers = {
  openai: "openai",
  anthropic: "anthropic",
  google: "google",
  "google-genai": "google",
  customgpt: "customgpt",
  "openai-compatible": "openai-compatible",
  offline: "offline",
} as const;

/** A provider that can answer model requests. */
export type ProviderName = (typeof providers)[keyof typeof providers];

/** How much is logged. */
export type LogLevel = (typeof levels)[keyof typeof levels];

const server = "Server";
const models = "Models";
const customgpt = "CustomGPT";
const services = "Services";
const others = "Other agents and MCP servers";
const tools = "Tools";
const documents = "Documents";
const runs = "Runs and limits";

const apiKey = (group: string, who: string, example: string) =>
  optional(secret, { group, description: `The API key for ${who}.`, example });

const baseUrl = (group: string, who: string, example: string) =>
  optional(url, { group, description: `The address of ${who}. Set it to use a gateway.`, example });

const project = (agent: string, example: string) =>
  optional(projectId, {
    group: customgpt,
    description: `The CustomGPT project that answers for the ${agent} agent.`,
    example,
  });

/** Every variable the service reads. A blank value counts as not set. */
export const VARIABLES = z.object({
  ORCHESTRATOR_HOME: optional(text, {
    group: server,
    description:
      "The folder for your own agents, prompts and pipelines, a second `.env` file, and the data (in `data/`). Defaults to `.orchestrator` in your home folder.",
    example: "/srv/orchestrator",
  }),
  HOST: required(address, {
    group: server,
    default: "127.0.0.1",
    description:
      "The address to listen on. Only loopback addresses are accepted: for anything else, put a reverse proxy that authenticates requests in front.",
    example: "127.0.0.1",
  }),
  PORT: required(integer(0, 65535), {
    group: server,
    default: "8000",
    description: "The port to listen on; `0` picks a free one.",
    example: "8000",
  }),
  ORCHESTRATOR_BASE_URL: optional(url, {
    group: server,
    description:
      "The address at which clients reach the service, for example through a reverse proxy. Its host and origin are allowed automatically.",
    example: "http://localhost:8000",
  }),
  AUTH_ENABLED: required(flag, {
    group: server,
    default: "false",
    description:
      "Whether callers must authenticate. Not available yet: with `true` the service refuses to start.",
    example: "false",
  }),
  ALLOWED_HOSTS: required(listOf(host, "host names"), {
    group: server,
    default: "",
    description: "Values of the `Host` header to accept, in addition to loopback names.",
    example: "orchestrator.example.com",
  }),
  CORS_ORIGINS: required(listOf(origin, "origins such as https://app.example.com"), {
    group: server,
    default: "",
    description: "Web origins whose pages may call the service, in addition to its own.",
    example: "https://app.example.com",
  }),
  LOG_LEVEL: required(oneOf(levels), {
    group: server,
    default: "info",
    description: "The minimum level to log.",
    example: "info",
  }),
  ORCHESTRATOR_LOG_LEVEL: optional(oneOf(levels), {
    group: server,
    description:
      "Overrides `LOG_LEVEL`, for machines where other programs read that variable, too.",
    example: "debug",
  }),
  LOG_FORMAT: required(oneOf({ auto: "auto", json: "json", pretty: "pretty" }), {
    group: server,
    default: "auto",
    description: "The format of log lines; `auto` is `pretty` on a terminal and `json` elsewhere.",
    example: "json",
  }),

  LLM_PROVIDER: optional(oneOf(providers), {
    group: models,
    description:
      "The provider that answers model requests. If not set: `openai-compatible` if `LLM_BASE_URL` is set, otherwise the first of openai, anthropic, google and customgpt whose key is set, otherwise `offline`.",
    example: "openai",
  }),
  LLM_DEFAULT_MODEL: optional(text, {
    group: models,
    description: "The model of agents that do not name one. Each provider has its own default.",
    example: "gpt-5-mini",
  }),
  LLM_BASE_URL: optional(url, {
    group: models,
    description:
      "The address of a server that speaks OpenAI's API (Ollama, vLLM, LM Studio …). With `LLM_PROVIDER`, the address of a server that speaks that provider's API; nothing is then sent to the provider itself.",
    example: "http://localhost:11434/v1",
  }),
  LLM_API_KEY: apiKey(
    models,
    "`LLM_BASE_URL`. Without `LLM_BASE_URL`, the API key for `LLM_PROVIDER` if its own key is not set",
    "sk-your-api-key",
  ),
  OPENAI_API_KEY: apiKey(models, "OpenAI", "your-key-here"),
  OPENAI_BASE_URL: baseUrl(models, "OpenAI's API", "https://gateway.example.com/openai/v1"),
  ANTHROPIC_API_KEY: apiKey(models, "Anthropic", "your-key-here"),
  ANTHROPIC_BASE_URL: baseUrl(models, "Anthropic's API", "https://gateway.example.com/anthropic"),
  GOOGLE_API_KEY: apiKey(models, "Google's Gemini API", "your-key-here"),
  GEMINI_API_KEY: apiKey(
    models,
    "Google's Gemini API, used if `GOOGLE_API_KEY` is not set",
    "your-key-here",
  ),
  GOOGLE_BASE_URL: baseUrl(models, "Google's Gemini API", "https://gateway.example.com/google"),
  LLM_FALLBACKS: required(
    listOf(z.string().regex(/^[a-z-]+\/\S+$/), "`provider/model` names"),
    {
      group: models,
      default: "",
      description: "The models to try, in this order, when the first one fails.",
      example: "anthropic/claude-haiku-4-5,openai/gpt-5-mini",
    },
  ),
  LLM_TIMEOUT_SECONDS: required(integer(1, 3600), {
    group: models,
    default: "120",
    description: "The time limit for one model call.",
    example: "120",
  }),
  LLM_STALL_TIMEOUT_SECONDS: required(integer(1, 3600), {
    group: models,
    default: "30",
    description: "The longest pause allowed within a streamed answer.",
    example: "30",
  }),
  LLM_MAX_ATTEMPTS: required(integer(1, 20), {
    group: models,
    default: "4",
    description: "The maximum number of attempts for one answer, including the first.",
    example: "4",
  }),
  HTTPS_PROXY: optional(url, {
    group: models,
    description:
      "The proxy for calls to model providers. HTTP_PROXY, ALL_PROXY, NO_PROXY and the lower-case names work, too.",
    example: "http://proxy.example.com:3128",
  }),
  LLM_PRICES: optional(text, {
    group: models,
    description:
      "Prices that override or extend the built-in ones: JSON, or the path of a JSON file, that maps `provider/model` to `{input, output}` in USD per million tokens.",
    example: '{"openai/gpt-5-mini":{"input":0.25,"output":2}}',
  }),

  CUSTOMGPT_API_KEY: apiKey(customgpt, "CustomGPT", "sk-your-api-key"),
  CUSTOMGPT_BASE_URL: baseUrl(
    customgpt,
    "CustomGPT's API",
    "https://gateway.example.com/customgpt",
  ),
  RESEARCH_AGENT_PROJECT_ID: project("research", "proj-xxxxxxxx-researcher"),
  PLANNING_AGENT_PROJECT_ID: project("planning", "proj-xxxxxxxx-planner"),
  BUILDER_AGENT_PROJECT_ID: project("builder", "proj-xxxxxxxx-builder"),
  REVIEW_AGENT_PROJECT_ID: project("review", "proj-xxxxxxxx-reviewer"),

  BROWSER_AGENT_URL: optional(url, {
    group: services,
    description:
      "The address of the browser agent, which executes code (`POST /execute`). If not set, code runs in the sandbox.",
    example: "http://localhost:8001",
  }),
  ML_WORKER_URL: optional(url, {
    group: services,
    description:
      "The address of the ML worker, which trains models (`POST /train`). If not set, code runs in the sandbox.",
    example: "http://localhost:8002",
  }),
  SERVICES: required(addresses, {
    group: services,
    default: "{}",
    description: "Services that `call` nodes may name, with their addresses.",
    example: '{"billing":"https://billing.example.com/api"}',
  }),
  SERVICE_TIMEOUT_SECONDS: required(integer(1, 86_400), {
    group: services,
    default: "300",
    description: "The time limit for one call to a service, unless the node sets its own.",
    example: "300",
  }),

  MCP_SERVERS: required(secretList, {
    group: others,
    default: "[]",
    description:
      "MCP servers whose tools agents may use, in addition to those in `mcp.yaml` of the home folder. See [MCP servers](mcp.md).",
    example: '[{"name":"github","url":"https://mcp.example.com/mcp"}]',
  }),
  MCP_ALLOWED_COMMANDS: required(commandLines, {
    group: others,
    default: "[]",
    description:
      "The exact command lines that may be used to start MCP servers. No other program is started.",
    example: '["npx -y @modelcontextprotocol/server-everything"]',
  }),
  EXTERNAL_AGENT_BASE_URL: optional(url, {
    group: others,
    description:
      "The address of an external agent, which receives `POST` requests with JSON. It becomes the tool `external_agent`. See [external agents](external-agents.md).",
    example: "https://agent.example.com/ask",
  }),
  EXTERNAL_AGENT_AUTH_TOKEN: apiKey(others, "`EXTERNAL_AGENT_BASE_URL`", "your-token-here"),
  EXTERNAL_AGENTS: required(secretList, {
    group: others,
    default: "[]",
    description:
      "External agents, in addition to those in `external_agents.yaml` of the home folder.",
    example: '[{"name":"partner","url":"https://partner.example.com","protocol":"a2a"}]',
  }),
  DATASOURCE_BASE_URL: optional(url, {
    group: others,
    description: "The address of a service that answers queries. It becomes the tool `datasource`.",
    example: "https://data.example.com/query",
  }),
  DATASOURCE_AUTH_TOKEN: apiKey(others, "`DATASOURCE_BASE_URL`", "your-token-here"),

  EGRESS_ALLOWED_HOSTS: required(
    listOf(hostRule, "hosts (`host`, `host:port` or `*.example.com`)"),
    {
      group: tools,
      default: "",
      description:
        "Private, loopback or local hosts that tools, crawlers and agents may reach. All other hosts must be public. See [Tools](tools.md).",
      example: "wiki.internal,localhost:9000,*.corp.example.com",
    },
  ),
  SANDBOX_CONCURRENCY: required(integer(1, 64), {
    group: tools,
    default: "2",
    description:
      "How many programs `code_executor` runs at the same time; others wait. See [Running code](sandbox.md).",
    example: "2",
  }),
  TOOLS_CONFIG_PATH: optional(text, {
    group: tools,
    description:
      "A file or folder that defines tools, in addition to `tools/` of the home folder. A secret such as `${ secrets.github }` is read from the variable `TOOL_SECRET_GITHUB`. See [Tools](tools.md).",
    example: "/srv/orchestrator/tools.yaml",
  }),
  WEB_SEARCH_PROVIDER: optional(oneOf(searchServices), {
    group: tools,
    description:
      "The search service of the tool `web_search`. If not set, the first of brave, tavily, serper and searxng that is configured.",
    example: "brave",
  }),
  BRAVE_API_KEY: apiKey(tools, "Brave Search", "your-key-here"),
  TAVILY_API_KEY: apiKey(tools, "Tavily", "your-key-here"),
  SERPER_API_KEY: apiKey(tools, "Serper", "your-key-here"),
  SEARXNG_URL: optional(url, {
    group: tools,
    description: "The address of a SearXNG server whose settings allow the format `json`.",
    example: "http://localhost:8080",
  }),
  WEB_SEARCH_URL: baseUrl(
    tools,
    "the search service",
    "https://gateway.example.com/search",
  ),

  RUN_CONCURRENCY: required(integer(1, 100_000), {
    group: runs,
    default: "1000",
    description: "How many runs execute at the same time; others are queued.",
    example: "1000",
  }),
  RUN_QUEUE_LIMIT: required(integer(0, 1_000_000), {
    group: runs,
    default: "10000",
    description: "How many runs may be queued; beyond that, requests are rejected with 429.",
    example: "10000",
  }),
  CONVERSATION_MESSAGES: required(integer(1, 1000), {
    group: runs,
    default: "20",
    description: "How many of the latest messages of a conversation a turn sees.",
    example: "20",
  }),
  IDEMPOTENCY_TTL_HOURS: required(integer(1, 8760), {
    group: runs,
    default: "24",
    description: "How long an `Idempotency-Key` is remembered.",
    example: "24",
  }),
  RUN_RETENTION: required(duration, {
    group: runs,
    default: "30d",
    description:
      "How long a run is kept after it has ended, with its journal, approvals and files, and how long an upload is kept; `0` keeps them for ever. At least `IDEMPOTENCY_TTL_HOURS`.",
    example: "30d",
  }),
  RESPONSE_CACHE_TTL: required(duration, {
    group: runs,
    default: "0",
    description:
      "How long a chat response may be reused for the same request, if nothing that it depends on has changed; `0` disables the cache. A pipeline's `cache` overrides it.",
    example: "10m",
  }),
  MAX_BODY_BYTES: required(integer(1024, 1_073_741_824), {
    group: runs,
    default: "1048576",
    description: "The maximum size of a request body.",
    example: "1048576",
  }),
  MAX_MESSAGE_BYTES: required(integer(1024, 67_108_864), {
    group: runs,
    default: "1048576",
    description: "The maximum size of a WebSocket message.",
    example: "1048576",
  }),
  MAX_ARTIFACT_BYTES: required(integer(1024, 268_435_456), {
    group: runs,
    default: "26214400",
    description: "The maximum size of a file that a run creates or a client uploads.",
    example: "26214400",
  }),
  DRAIN_TIMEOUT_SECONDS: required(integer(0, 3600), {
    group: runs,
    default: "8",
    description: "How long a stopping server waits for runs to reach a safe point.",
    example: "8",
  }),
  MAX_DOCUMENT_BYTES: required(integer(1024, 104_857_600), {
    group: documents,
    default: "10485760",
    description: "The maximum size of a document, uploaded or crawled.",
    example: "10485760",
  }),
  MAX_DOCUMENTS: required(integer(1, 1_000_000), {
    group: documents,
    default: "10000",
    description: "The maximum number of documents of one tenant.",
    example: "10000",
  }),
  MAX_PASSAGES: required(integer(100, 1_000_000), {
    group: documents,
    default: "50000",
    description:
      "The maximum number of passages (of about 1,000 characters) of one collection. The same number of passages of all collections is kept in memory, at about 2 KB each plus 4 bytes for each number of a vector.",
    example: "50000",
  }),
  EMBEDDING_MODEL: optional(text, {
    group: documents,
    description:
      "The model that embeds passages and queries, so that documents are also searched by meaning. If not set, they are searched by words only.",
    example: "text-embedding-3-small",
  }),
  EMBEDDING_BASE_URL: optional(url, {
    group: documents,
    description:
      "The address of a server with OpenAI's `/embeddings`. If not set: `LLM_BASE_URL`, otherwise OpenAI.",
    example: "http://localhost:11434/v1",
  }),
  EMBEDDING_API_KEY: apiKey(
    documents,
    "`EMBEDDING_BASE_URL`. If not set, the key of the server that is used instead",
    "your-key-here",
  ),
  VECTOR_DB_URL: optional(url, {
    group: documents,
    description:
      "The address of a Qdrant server that stores the vectors. If not set, they are kept in the store.",
    example: "http://localhost:6333",
  }),
  VECTOR_DB_API_KEY: apiKey(documents, "`VECTOR_DB_URL`", "your-key-here"),
});

/** The name of a variable. */
export type VariableName = keyof typeof VARIABLES.shape;

/** What {@linkcode VARIABLES} makes of an environment. */
export type Values = z.output<typeof VARIABLES>;

/** The names of all variables, in the order of the documentation. */
export const VARIABLE_NAMES = Object.keys(VARIABLES.shape) as VariableName[];

/** What the documentation says about a variable. */
export function describeVariable(name: VariableName): VariableMeta {
  return VARIABLES.shape[name].meta() as unknown as VariableMeta;
}
