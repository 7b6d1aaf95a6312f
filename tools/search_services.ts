/** The search services that `web_search` can ask, as each of them speaks. @module */
import type { Json } from "../json/mod.ts";

/** The names of the services. */
export type SearchServiceName = "brave" | "tavily" | "serper" | "searxng";

/** One request to a service. */
export interface SearchRequest {
  url: string;
  method: "GET" | "POST";
  headers?: Record<string, string>;
  secret_headers: Record<string, string>;
  body?: string;
}

/** One result, as far as the service gives it. */
export interface Found {
  title?: unknown;
  url?: unknown;
  snippet?: unknown;
}

/** A service: how it is asked, and what its answers hold. */
export interface SearchService {
  base_url: string;
  ask(base: string, key: string, query: string, count: number): SearchRequest;
  /** Throws for a body of another form. */
  read(body: Json): Found[] | Promise<Found[]>;
}

const json = (value: Json): Pick<SearchRequest, "method" | "headers" | "body"> => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

/** All of them. */
export const SEARCH_SERVICES: Record<SearchServiceName, SearchService> = {
  brave: {
    base_url: "https://api.search.brave.com",
    ask: (base, key, query, count) => ({
      method: "GET",
      url: `${base}/res/v1/web/search?${new URLSearchParams({ q: query, count: String(count) })}`,
      secret_headers: { "x-subscription-token": key },
    }),
    // Without results there is no `web` at all. Its texts are HTML.
    read: async (body) => {
      const { convert } = await import("html-to-text");
      const plain = (html: unknown) => convert(String(html ?? ""), { wordwrap: false });
      return listAt((body as Fields).web ? body : { web: { results: [] } }, "web", "results")
        .map(({ title, url, description }) => ({
          title: plain(title),
          url,
          snippet: plain(description),
        }));
    },
  },
  tavily: {
    base_url: "https://api.tavily.com",
    ask: (base, key, query, count) => ({
      ...json({ query, max_results: count }),
      url: `${base}/search`,
      secret_headers: { authorization: `Bearer ${key}` },
    }),
    read: (body) =>
      listAt(body, "results").map(({ title, url, content }) => ({ title, url, snippet: content })),
  },
  serper: {
    base_url: "https://google.serper.dev",
    ask: (base, key, query, count) => ({
      ...json({ q: query, num: count }),
      url: `${base}/search`,
      secret_headers: { "x-api-key": key },
    }),
    read: (body) =>
      listAt(body, "organic").map(({ title, link, snippet }) => ({ title, url: link, snippet })),
  },
  searxng: {
    base_url: "http://localhost:8080",
    ask: (base, _key, query) => ({
      method: "GET",
      url: `${base}/search?${new URLSearchParams({ q: query, format: "json" })}`,
      secret_headers: {},
    }),
    read: (body) =>
      listAt(body, "results").map(({ title, url, content }) => ({ title, url, snippet: content })),
  },
};

type Fields = Record<string, unknown>;

/** The list at a path. @throws Error if it is missing */
function listAt(body: unknown, ...path: string[]): Fields[] {
  const found = path.reduce<unknown>((at, name) => (at as Fields | undefined)?.[name], body);
  if (!Array.isArray(found)) throw new Error(`the response has no list at ${path.join(".")}`);
  return found as Fields[];
}
