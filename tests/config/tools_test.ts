import { expect } from "expect";
import { readConfig } from "../../config.ts";

const read = (env: Record<string, string>) => readConfig(env).tools;

Deno.test("readConfig() lets tools reach public hosts only, and sets no search service up", () => {
  expect(read({})).toEqual({ egress_allowed_hosts: [], sandbox_concurrency: 2, secrets: {} });
});

Deno.test("readConfig() reads hosts that may be private, ports included", () => {
  const text = "wiki.internal, localhost:9000,*.corp.example.com,[::1]:8080";
  expect(read({ EGRESS_ALLOWED_HOSTS: text }).egress_allowed_hosts)
    .toEqual(["wiki.internal", "localhost:9000", "*.corp.example.com", "[::1]:8080"]);
  for (const wrong of ["http://a.test", "*", "a.test/x", "a b", "*.*.test"]) {
    expect(() => read({ EGRESS_ALLOWED_HOSTS: wrong })).toThrow(/EGRESS_ALLOWED_HOSTS must be/);
  }
});

Deno.test("readConfig() chooses the search service that is set up", () => {
  const provider = (env: Record<string, string>) => read(env).search?.provider;
  expect(provider({ SEARXNG_URL: "http://localhost:8080" })).toBe("searxng");
  expect(provider({ SEARXNG_URL: "http://localhost:8080", SERPER_API_KEY: "k" })).toBe("serper");
  expect(provider({ TAVILY_API_KEY: "k", BRAVE_API_KEY: "k" })).toBe("brave");
  const chosen = read({
    TAVILY_API_KEY: "tvly-1",
    BRAVE_API_KEY: "k",
    WEB_SEARCH_PROVIDER: "Tavily",
    WEB_SEARCH_URL: "https://gateway.example.com/",
  });
  expect(chosen.search).toMatchObject({
    provider: "tavily",
    base_url: "https://gateway.example.com",
  });
  expect(chosen.search?.api_key?.reveal()).toBe("tvly-1");
  expect(read({ SEARXNG_URL: "http://s.test/", WEB_SEARCH_URL: "http://other.test" }).search)
    .toEqual({ provider: "searxng", base_url: "http://s.test" });
  expect(() => read({ WEB_SEARCH_PROVIDER: "brave" }))
    .toThrow(/BRAVE_API_KEY is not set, but WEB_SEARCH_PROVIDER=brave needs it/);
});

Deno.test("readConfig() keeps secrets of tools, and shows none", () => {
  const tools = read({ TOOL_SECRET_GITHUB: " canary ", TOOL_SECRET_EMPTY: " ", OTHER: "x" });
  expect(Object.keys(tools.secrets)).toEqual(["github"]);
  expect(tools.secrets.github?.reveal()).toBe("canary");
  expect(JSON.stringify(tools) + Deno.inspect(tools)).not.toContain("canary");
});
