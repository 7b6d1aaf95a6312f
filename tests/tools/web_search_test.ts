import { expect } from "expect";
import { Secret } from "../../config/secret.ts";
import type { SearchServiceName } from "../../tools/search_services.ts";
import { createWebSearch } from "../../tools/web_search.ts";
import { expectError, test } from "../guard/_setup.ts";
import { run, scopeOf, type Seen, withApi } from "./http/_setup.ts";

const KEY = "key-canary-1";

/** The services' own request and answer forms. */
const SERVICES: Record<SearchServiceName, { asked: (seen: Seen) => unknown; answer: unknown }> = {
  brave: {
    asked: ({ method, url, headers }) => [
      method,
      url.pathname,
      Object.fromEntries(url.searchParams),
      headers.get("x-subscription-token"),
    ],
    answer: {
      type: "search",
      query: { original: "heat pumps" },
      web: {
        type: "search",
        results: [
          {
            title: "Heat &amp; pumps",
            url: "https://a.example/1",
            description: "About <strong>heat pumps</strong> &lt;now&gt;",
          },
          { title: "Two", url: "https://a.example/2", description: "2" },
        ],
      },
    },
  },
  tavily: {
    asked: ({ method, url, headers, body }) => [
      method,
      url.pathname,
      JSON.parse(body),
      headers.get("authorization"),
    ],
    answer: {
      query: "heat pumps",
      answer: null,
      results: [
        {
          title: "Heat & pumps",
          url: "https://a.example/1",
          content: "About heat pumps <now>",
          score: 0.9,
        },
        { title: "Two", url: "https://a.example/2", content: "2", score: 0.8 },
      ],
    },
  },
  serper: {
    asked: ({ method, url, headers, body }) => [
      method,
      url.pathname,
      JSON.parse(body),
      headers.get("x-api-key"),
    ],
    answer: {
      searchParameters: { q: "heat pumps", type: "search" },
      organic: [
        {
          title: "Heat & pumps",
          link: "https://a.example/1",
          snippet: "About heat pumps <now>",
          position: 1,
        },
        { title: "Two", link: "https://a.example/2", snippet: "2", position: 2 },
      ],
    },
  },
  searxng: {
    asked: ({ method, url }) => [method, url.pathname, Object.fromEntries(url.searchParams), null],
    answer: {
      query: "heat pumps",
      number_of_results: 0,
      results: [
        {
          title: "Heat & pumps",
          url: "https://a.example/1",
          content: "About heat pumps <now>",
          engine: "x",
        },
        { title: "Two", url: "https://a.example/2", content: "2" },
        { title: "Three", url: "https://a.example/3", content: "3" },
      ],
    },
  },
};

const ASKED: Record<SearchServiceName, unknown> = {
  brave: ["GET", "/res/v1/web/search", { q: "heat pumps", count: "2" }, KEY],
  tavily: ["POST", "/search", { query: "heat pumps", max_results: 2 }, `Bearer ${KEY}`],
  serper: ["POST", "/search", { q: "heat pumps", num: 2 }, KEY],
  searxng: ["GET", "/search", { q: "heat pumps", format: "json" }, null],
};

/** A tool that asks a server of one's own. */
function withService(
  provider: SearchServiceName,
  answer: () => Response,
  use: (search: (query: string) => Promise<unknown>, seen: Seen[]) => Promise<void>,
): Promise<void> {
  return withApi(answer, async ({ url, seen, egress }) => {
    const api_key = provider === "searxng" ? undefined : new Secret(KEY);
    const tool = createWebSearch({ egress, service: { provider, base_url: url, api_key } });
    await use((query) => run(tool, { query, count: 2 }), seen);
  });
}

for (const [name, { asked, answer }] of Object.entries(SERVICES)) {
  const provider = name as SearchServiceName;

  test(`web_search asks ${name} as it wants to be asked, and reads its answer`, () =>
    withService(provider, () => Response.json(answer), async (search, seen) => {
      expect(await search("heat pumps")).toEqual({
        results: [
          { title: "Heat & pumps", url: "https://a.example/1", snippet: "About heat pumps <now>" },
          { title: "Two", url: "https://a.example/2", snippet: "2" },
        ],
      });
      expect(seen.map(asked)).toEqual([ASKED[provider]]);
    }));

  test(`web_search tells failures of ${name} without its key`, () =>
    withService(
      provider,
      () =>
        new Response(`${KEY} is over its limit`, { status: 429, headers: { "retry-after": "3" } }),
      async (search) => {
        const error = await expectError(search("x"), "tool_failed", "retryable");
        expect(error.retry_after_ms).toBe(3000);
        if (provider !== "searxng") expect(JSON.stringify(error.details)).not.toContain(KEY);
      },
    ));

  test(`web_search refuses answers that ${name} does not give`, () =>
    withService(
      provider,
      () => Response.json(name === "brave" ? { web: { results: 1 } } : { other: [] }),
      async (search) => {
        const error = await expectError(search("x"), "tool_failed");
        expect(error.message).toContain("the search service answered in an unknown format");
      },
    ));
}

test("web_search finds nothing where Brave finds nothing, and leaves out odd addresses", async () => {
  await withService("brave", () => Response.json({ type: "search" }), async (search) => {
    expect(await search("x")).toEqual({ results: [] });
  });
  const results = [{ title: "x", url: "javascript:alert(1)", content: "" }, {
    url: "https://a.example",
  }];
  await withService("tavily", () => Response.json({ results }), async (search) => {
    expect(await search("x")).toEqual({
      results: [{ title: "", url: "https://a.example", snippet: "" }],
    });
  });
});

test("web_search says what to set when no service is set up", () =>
  withApi(() => new Response(), async ({ egress }) => {
    const tool = createWebSearch({ egress });
    const error = await expectError(tool.run({ query: "x" }, scopeOf()), "tool_unconfigured");
    expect(error.message).toMatch(/BRAVE_API_KEY, TAVILY_API_KEY, SERPER_API_KEY or SEARXNG_URL/);
  }));
