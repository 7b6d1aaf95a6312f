/** The tool `web_search`: finds pages with the search service that the operator set up. @module */
import type { Secret } from "../config/secret.ts";
import { OrchestratorError } from "../errors.ts";
import type { Egress, EgressResponse } from "../guard/mod.ts";
import type { Json } from "../json/mod.ts";
import { contentOf, statusFailure } from "./http/mod.ts";
import { type Found, SEARCH_SERVICES, type SearchServiceName } from "./search_services.ts";
import type { Tool, ToolScope } from "./tool.ts";

const TIMEOUT_MS = 20_000;
const MAX_RESULTS = 20;

/** The search service to ask. */
export interface SearchConfig {
  provider: SearchServiceName;
  /** Instead of the service's own address; may be private. SearXNG has no own one. */
  base_url?: string;
  api_key?: Secret;
}

/** What the tool needs. */
export interface WebSearchDeps {
  egress: Egress;
  /** Absent: no service is set up, and each call says so. */
  service?: SearchConfig;
}

const INPUT = {
  type: "object",
  properties: {
    query: { type: "string", minLength: 1, maxLength: 400 },
    count: { type: "integer", minimum: 1, maximum: MAX_RESULTS, default: 5 },
  },
  required: ["query"],
  additionalProperties: false,
};

const OUTPUT = {
  type: "object",
  properties: {
    results: {
      type: "array",
      items: {
        type: "object",
        properties: {
          title: { type: "string" },
          url: { type: "string" },
          snippet: { type: "string" },
        },
        required: ["title", "url", "snippet"],
      },
    },
  },
  required: ["results"],
};

/** Makes the tool. Its result is `{results: [{title, url, snippet}]}`, best first. */
export function createWebSearch(deps: WebSearchDeps): Tool {
  return {
    name: "web_search",
    description:
      "Searches the web. Returns titles, addresses and short excerpts of pages; read a " +
      "page with fetch_page.",
    input: INPUT,
    output: OUTPUT,
    source: "built_in",
    capability: "read",
    effect: "none",
    timeout_ms: TIMEOUT_MS,
    untrusted: true,
    finds_urls: true,
    run: ({ query, count = 5 }, scope) => search(String(query), Number(count), scope, deps),
  };
}

async function search(
  query: string,
  count: number,
  scope: ToolScope,
  { egress, service }: WebSearchDeps,
): Promise<Json> {
  if (!service) throw unconfigured();
  const { base_url, ask, read } = SEARCH_SERVICES[service.provider];
  const base = service.base_url ?? base_url;
  const key = service.api_key?.reveal() ?? "";
  const { url, method, headers, secret_headers, body } = ask(base, key, query, count);
  const { origin } = new URL(base);
  const response = await egress.request(url, {
    method,
    headers: { accept: "application/json", ...headers },
    body,
    signal: scope.signal,
    timeout_ms: TIMEOUT_MS,
    secret_headers: { origin, headers: secret_headers },
    ...(service.base_url && { operator_origin: origin }),
  });
  const results = await resultsOf(response, scope, key ? [key] : [], read);
  return { results: results.filter(({ url }) => /^https?:/.test(url)).slice(0, count) };
}

async function resultsOf(
  response: EgressResponse,
  scope: ToolScope,
  secrets: string[],
  read: (body: Json) => Found[] | Promise<Found[]>,
): Promise<{ title: string; url: string; snippet: string }[]> {
  if (response.status >= 300) throw statusFailure("web_search", response, secrets);
  const body = await contentOf("web_search", response, scope, secrets, true);
  try {
    return (await read(body)).map(({ title, url, snippet }) => ({
      title: String(title ?? ""),
      url: String(url ?? ""),
      snippet: String(snippet ?? ""),
    }));
  } catch (cause) {
    const why = "the search service answered in an unknown format";
    throw new OrchestratorError("tool_failed", `Cannot call web_search: ${why}.`, { cause });
  }
}

function unconfigured(): OrchestratorError {
  return new OrchestratorError(
    "tool_unconfigured",
    "Cannot call web_search: no search service is configured. Set BRAVE_API_KEY, TAVILY_API_KEY, " +
      "SERPER_API_KEY or SEARXNG_URL.",
  );
}
