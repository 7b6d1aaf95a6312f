import { expect } from "expect";
import { library, LIMITS } from "../knowledge/_setup.ts";
import { expectProblem, setup } from "./_setup.ts";

const COMPLETED = { crawled: true };

/** The app over a library in memory and a scripted engine. */
async function app() {
  const docs = await library({ limits: { ...LIMITS, max_bytes: 1_000 } });
  const fixture = setup({
    deps: { knowledge: docs.knowledge },
    settings: { max_document_bytes: 1_000 },
    scripts: {
      "documents/crawl": () => COMPLETED,
      "documents/reindex": () => ({ documents: 0, embedded: 0 }),
    },
  });
  return { ...fixture, [Symbol.asyncDispose]: () => docs[Symbol.asyncDispose]() };
}

Deno.test("a text is uploaded as JSON, listed, searched and deleted", async () => {
  await using it = await app();
  const upload = { text: "# Cats\n\nThey sleep.", type: "text/markdown", metadata: { year: 2024 } };
  const created = await it.post("/v1/documents", upload);
  expect(created.status).toBe(201);
  const document = await created.json();
  expect(document).toMatchObject({
    title: "Cats",
    collection: "default",
    passages: 1,
    outcome: "created",
    links: { self: `/v1/documents/${document.id}` },
  });
  expect(created.headers.get("location")).toBe(document.links.self);
  const again = await it.post("/v1/documents", upload);
  expect([again.status, (await again.json()).outcome]).toEqual([200, "unchanged"]);

  const search = { query: "sleeping", filter: { year: { gte: 2024 } }, limit: 3 };
  const found = await (await it.post("/v1/documents/search", search)).json();
  expect(found).toMatchObject({ mode: "bm25", results: [{ document: { id: document.id } }] });

  const { outcome: _, ...view } = document;
  expect(await (await it.app.request(view.links.self)).json()).toEqual(view);
  const { passages } = await (await it.app.request(`${view.links.passages}?limit=5`)).json();
  expect(passages).toEqual([
    { n: 0, text: "They sleep.", heading: ["Cats"], location: { offset: 8 } },
  ]);
  const list = await (await it.app.request("/v1/documents?collection=default")).json();
  expect(list).toEqual({ documents: [view], next_cursor: null });
  const collections = await (await it.app.request("/v1/documents/collections")).json();
  expect(collections).toEqual({ collections: [{ name: "default", documents: 1, passages: 1 }] });

  expect((await it.app.request(view.links.self, { method: "DELETE" })).status).toBe(204);
  await expectProblem(await it.app.request(view.links.self), 404, "not_found");
});

Deno.test("a file is uploaded as it is, what is known of it in the query", async () => {
  await using it = await app();
  const metadata = encodeURIComponent('{"lang":"en"}');
  const response = await it.app.request(
    `/v1/documents?name=people.csv&collection=tables&title=People&metadata=${metadata}`,
    { method: "POST", body: new TextEncoder().encode("name,age\nAnn,3\n") },
  );
  expect(response.status).toBe(201);
  expect(await response.json()).toMatchObject({
    type: "text/csv",
    title: "People",
    collection: "tables",
    metadata: { lang: "en" },
  });
});

Deno.test("a file is uploaded in a form", async () => {
  await using it = await app();
  const form = new FormData();
  form.set("file", new File(["<title>T</title><p>Hello</p>"], "page.html", { type: "text/html" }));
  form.set("url", "https://example.com/page");
  const response = await it.app.request("/v1/documents", { method: "POST", body: form });
  expect(response.status).toBe(201);
  expect(await response.json()).toMatchObject({
    type: "text/html",
    title: "T",
    url: "https://example.com/page",
  });
});

Deno.test("uploads that cannot be taken are refused with their reason", async () => {
  await using it = await app();
  const send = (body: BodyInit, type: string, query = "") =>
    it.app.request(`/v1/documents${query}`, {
      method: "POST",
      body,
      headers: { "content-type": type },
    });
  const cases: [Promise<Response> | Response, number, string][] = [
    [send("x", "image/png"), 415, "unsupported_media_type"],
    [send("x".repeat(1_001), "text/plain"), 413, "payload_too_large"],
    [
      send(JSON.stringify({ text: "x".repeat(1_001) }), "application/json"),
      413,
      "payload_too_large",
    ],
    [send(" ", "text/plain"), 422, "document_unreadable"],
    [send("x", "text/plain", "?collection=a/b"), 422, "validation_failed"],
    [send("x", "text/plain", "?nonsense=1"), 422, "validation_failed"],
    [send("x", "text/plain", "?metadata={"), 400, "invalid_request"],
    [send("--x\r\n", "multipart/form-data; boundary=y"), 400, "invalid_request"],
    [it.post("/v1/documents", { title: "no text" }), 422, "validation_failed"],
    [it.post("/v1/documents", { text: "x", metadata: { a: { b: 1 } } }), 422, "validation_failed"],
    [it.post("/v1/documents/search", { query: "" }), 422, "validation_failed"],
    [it.post("/v1/documents/search", { query: "x", filter: { a: {} } }), 422, "validation_failed"],
    [it.post("/v1/documents/search", { query: "x", collection: "none" }), 404, "not_found"],
    [it.app.request("/v1/documents?cursor=doc_gone"), 400, "invalid_request"],
    [it.app.request("/v1/documents/doc_gone/passages"), 404, "not_found"],
  ];
  for (const [response, status, code] of cases) {
    await expectProblem(await response, status, code as never);
  }
});

Deno.test("metadata of a form that is not JSON is named", async () => {
  await using it = await app();
  const form = new FormData();
  form.set("file", new File(["x"], "a.txt", { type: "text/plain" }));
  form.set("metadata", "{");
  const response = await it.app.request("/v1/documents", { method: "POST", body: form });
  expect([response.status, (await response.json()).detail]).toEqual([
    400,
    "Cannot read the JSON of the part `metadata`: it is not valid at line 1, column 2. Fix it and resend the request.",
  ]);
});

Deno.test("a form without a file is refused", async () => {
  await using it = await app();
  const form = new FormData();
  form.set("title", "x");
  const response = await it.app.request("/v1/documents", { method: "POST", body: form });
  await expectProblem(response, 400, "invalid_request");
});

Deno.test("crawls and reindexes are runs", async () => {
  await using it = await app();
  const input = { url: "https://example.com/", depth: 2 };
  const crawl = await it.post("/v1/documents/crawl", input, { prefer: "wait=5" });
  expect(crawl.status).toBe(200);
  expect(await crawl.json()).toMatchObject({ pipeline: "documents/crawl", output: COMPLETED });
  expect(it.engine.started[0]).toMatchObject({ pipeline: "documents/crawl", input });
  const reindex = await it.post("/v1/documents/reindex", {});
  expect(reindex.status).toBe(202);
  expect(reindex.headers.get("location")).toMatch(/^\/v1\/runs\/run/);
});
