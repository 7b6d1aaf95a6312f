/**
 * Every environment variable, once: the schema that reads it is also the source of
 * `docs/configuration.md`, of `.env.example` and of the messages about wrong values.
 *
 * @module
 */
import * as z from "zod";
import type { LogLevel } from "../telemetry/mod.ts";
import { MODEL_VARIABLES } from "./model_variables.ts";
import {
  address,
  addresses,
  apiKey,
  baseUrl,
  commandLines,
  duration,
  flag,
  host,
  hostRule,
  integer,
  listOf,
  oneOf,
  optional,
  origin,
  required,
  searchServices,
  secretList,
  text,
  url,
  type VariableMeta,
} from "./schemas.ts";

export type { VariableMeta } from "./schemas.ts";

const levels = {
  debug: "debug",
  info: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
} as const satisfies Record<string, LogLevel>;

const server = "Server";
const services = "Services";
const others = "Other agents and MCP servers";
const tools = "Tools";
const documents = "Documents";
const runs = "Runs and limits";

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

  ...MODEL_VARIABLES,

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
    description:
      "How many runs of one tenant may be queued; beyond that, requests are rejected with 429.",
    example: "10000",
  }),
  RUN_QUEUE_TOTAL: required(integer(0, 10_000_000), {
    group: runs,
    default: "20000",
    description:
      "How many runs of all tenants together one process may hold queued; beyond that, requests are rejected with 429.",
    example: "20000",
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
      "The maximum number of passages (of about 1,000 characters) of one collection. The same number of passages of all collections and tenants is kept in memory, at about 2 KB each plus 4 bytes for each number of a vector.",
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
