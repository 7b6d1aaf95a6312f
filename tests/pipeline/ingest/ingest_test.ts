import { expect } from "expect";
import { OrchestratorError } from "../../../errors.ts";
import { createEgress } from "../../../guard/egress.ts";
import { createCrawler } from "../../../knowledge/crawler.ts";
import { ingestPrograms } from "../../../pipeline/ingest/ingest.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import { library, topicEmbedder } from "../../knowledge/_setup.ts";
import { FakeContext } from "../_fake_context.ts";
import { LOCAL } from "../../_caller.ts";

type Pages = Record<string, (request: Request) => Response>;

const html = (body: string, head = "") => () =>
  new Response(`<html><head>${head}</head><body>${body}</body></html>`, {
    headers: { "content-type": "text/html" },
  });
const SITE: Pages = {
  "/robots.txt": () => new Response("User-agent: *\nDisallow: /private\nCrawl-delay: 2\n"),
  "/": html(
    '<p>Home of cats.</p><a href="/a#x">a</a><a href="b">b</a><a href="/private/x">p</a>' +
      '<a href="http://elsewhere.test/">e</a><a href="mailto:x@y">m</a>' +
      '<a rel="nofollow" href="/no">n</a>',
    "<title>Home</title>",
  ),
  "/a": html('<p>About dogs.</p><a href="/deep">deep</a><a href="/">home</a>'),
  "/b": () => new Response(null, { status: 302, headers: { location: "/moved" } }),
  "/moved": html("<p>Moved here.</p>"),
  "/deep": html("<p>Deep page.</p>"),
  "/hidden": html("<p>Hidden.</p><a href='/deep'>d</a>", "<meta name=robots content=noindex>"),
  "/image": () => new Response("x", { headers: { "content-type": "image/png" } }),
  "/list": html('<p>List.</p><a href="/hidden">h</a><a href="/image">i</a><a href="/gone">g</a>'),
};

/** A site, a library and the programs over them; pauses take no time and are kept. */
async function world(pages: Pages, options: { meaning?: false } = {}) {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    return pages[pathname]?.(request) ?? new Response("gone", { status: 404 });
  });
  const { port } = server.addr;
  const egress = createEgress({ allowed_hosts: [`127.0.0.1:${port}`] });
  const { embedder, state } = topicEmbedder();
  const docs = await library(options.meaning === false ? {} : { meaning: { embedder } });
  const pauses: number[] = [];
  const visit = createCrawler({
    egress,
    knowledge: docs.knowledge,
    max_bytes: 100_000,
    now: Date.now,
    sleep: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
  });
  const programs = ingestPrograms({ visit, knowledge: docs.knowledge });
  const url = `http://127.0.0.1:${port}`;
  return {
    asked,
    docs,
    embedder: state,
    pauses,
    programs,
    url,
    async run(name: string, input: Json, ctx = new FakeContext()) {
      const program = programs.find((one) => one.name === name)!;
      program.check(input);
      return await program.run(ctx, input) as Record<string, Json>;
    },
    async [Symbol.asyncDispose]() {
      await egress.close();
      await server.shutdown();
      await docs[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a crawl keeps the pages that are near, allowed and on the same host", async () => {
  await using it = await world(SITE);
  const output = await it.run("documents/crawl", {
    url: `${it.url}/#top`,
    metadata: { from: "site" },
  });
  expect(output).toMatchObject({ stored: 3, skipped: 1, failed: 0, unchanged: 0, not_visited: 0 });
  const pages = output.pages as { url: string; outcome: string; reason?: string; title?: string }[];
  expect(pages.map(({ url, outcome }) => [url.replace(it.url, ""), outcome])).toEqual([
    ["/", "created"],
    ["/a", "created"],
    ["/moved", "created"],
    ["/private/x", "skipped"],
  ]);
  expect(pages[0]!.title).toBe("Home");
  expect(pages[3]!.reason).toContain("robots.txt");
  expect(it.asked).not.toContain("/private/x");
  expect(it.asked).not.toContain("/no");
  expect(it.asked.filter((path) => path === "/robots.txt")).toHaveLength(1);
  expect(it.pauses).toEqual([2_000, 2_000, 2_000]);
  const { results } = await it.docs.search("dog", { filter: { from: "site" } });
  expect(results[0]!.document.url).toBe(`${it.url}/a`);
});

Deno.test("depth and max_pages end a crawl; a second one finds everything unchanged", async () => {
  await using it = await world(SITE);
  const input = { url: `${it.url}/`, depth: 3, max_pages: 2 };
  const first = await it.run("documents/crawl", input);
  expect(first).toMatchObject({ stored: 2, not_visited: 3 });
  expect(await it.run("documents/crawl", input)).toMatchObject({ stored: 0, unchanged: 2 });
  const flat = await it.run("documents/crawl", { url: `${it.url}/a`, depth: 0 });
  expect(flat).toMatchObject({ unchanged: 1, not_visited: 0 });
});

Deno.test("pages that are no documents, do not want to be or are gone are skipped", async () => {
  await using it = await world(SITE);
  const { pages, stored } = await it.run("documents/crawl", { url: `${it.url}/list` });
  expect(stored).toBe(1);
  const reasons = (pages as { reason?: string }[]).map(({ reason }) => reason);
  expect(reasons).toEqual([
    undefined,
    "it asks not to be indexed",
    "its type is not supported",
    "the site answered 404",
  ]);
});

Deno.test("a crawl that is resumed asks for no page twice", async () => {
  await using it = await world(SITE);
  const first = new FakeContext();
  const output = await it.run("documents/crawl", { url: `${it.url}/` }, first);
  const before = it.asked.length;
  const second = new FakeContext(first.steps);
  expect(await it.run("documents/crawl", { url: `${it.url}/` }, second)).toEqual(output);
  expect(it.asked.length).toBe(before);
});

Deno.test("a site whose rules cannot be had is left alone", async () => {
  await using it = await world({
    ...SITE,
    "/robots.txt": () => new Response("busy", { status: 503 }),
  });
  const { pages } = await it.run("documents/crawl", { url: `${it.url}/` });
  expect(pages).toEqual([
    expect.objectContaining({ outcome: "skipped", reason: "the site's robots.txt forbids it" }),
  ]);
});

Deno.test("a crawl whose first page cannot be had fails, a later one is told of", async () => {
  await using it = await world({
    ...SITE,
    "/a": () => new Response("busy", { status: 503 }),
  });
  await expect(it.run("documents/crawl", { url: `${it.url}/a` })).rejects.toMatchObject({
    code: "egress_failed",
  });
  const { failed, stored } = await it.run("documents/crawl", { url: `${it.url}/` });
  expect([failed, stored]).toEqual([1, 2]);
  await expect(it.run("documents/crawl", { url: "http://169.254.169.254/" })).rejects.toThrow(
    "first page",
  );
});

Deno.test("a crawl refuses inputs that do not fit", async () => {
  await using it = await world(SITE);
  const crawl = it.programs.find(({ name }) => name === "documents/crawl")!;
  for (
    const input of [{}, { url: "ftp://x" }, { url: "http://x", depth: 99 }, {
      url: "http://x",
      y: 1,
    }]
  ) {
    expect(() => crawl.check(input)).toThrow(
      expect.objectContaining({ code: "validation_failed" }),
    );
  }
});

Deno.test("a reindex makes the vectors that are missing", async () => {
  await using it = await world(SITE);
  it.embedder.fail = new OrchestratorError("model_unavailable", "Cannot embed: it is down.");
  await it.docs.add("The invoice.");
  const gone = await it.docs.add("The storm.");
  it.embedder.fail = undefined;
  await it.docs.add("The cat.");
  const ctx = new FakeContext();
  const step = ctx.step.bind(ctx);
  // One of them is deleted after the list was made.
  ctx.step = async (key, fn, options) => {
    if (key === "document[1]") await it.docs.knowledge.remove(LOCAL, gone.document.id);
    return await step(key, fn, options);
  };
  const output = await it.run("documents/reindex", { collection: "default" }, ctx);
  expect(output).toEqual({ documents: 2, embedded: 1, mode: "hybrid" });
  expect((await it.docs.search("salary")).results[0]!.text).toBe("The invoice.");
});

Deno.test("a reindex without an embedding model has nothing to do, and says so", async () => {
  await using it = await world(SITE, { meaning: false });
  await it.docs.add("The invoice.");
  const output = await it.run("documents/reindex", {});
  expect(output).toEqual({
    documents: 0,
    embedded: 0,
    mode: "bm25",
    reason: expect.stringContaining("EMBEDDING_MODEL"),
  });
});
