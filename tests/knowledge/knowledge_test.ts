import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import { keys, setJson } from "../../store/mod.ts";
import { library, LIMITS, NEVER, topicEmbedder } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";
import { callerOf } from "../_caller.ts";

const OTHER = callerOf("other");

const GUIDE = "# Guide\n\nDogs are running in the park.\n\n## Food\n\nCats eat fish every evening.";

Deno.test("a document is found by its words, in other forms, with the way to the passage", async () => {
  await using docs = await library();
  const { document } = await docs.add(GUIDE, { url: "https://example.com/guide" });
  const { results, mode } = await docs.search("Which cat was eating a fish?");
  expect(mode).toBe("bm25");
  expect(results[0]).toEqual({
    id: `${document.id}#1`,
    score: expect.any(Number),
    text: "Cats eat fish every evening.",
    heading: ["Guide", "Food"],
    location: { offset: GUIDE.indexOf("Cats") },
    document: { id: document.id, title: "Guide", url: "https://example.com/guide" },
    passage: 1,
  });
  expect((await docs.search("submarine")).results).toEqual([]);
});

Deno.test("the example of docs/knowledge.md has the score that the page shows", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/knowledge.md", import.meta.url));
  await using docs = await library();
  await docs.add("The museum opens at nine.", { title: "Museum", type: "text/plain" });
  const { results } = await docs.search("When does the museum open?");
  const [, shown] = /"score": ([\d.]+)/.exec(page) ?? [];
  expect(results[0]?.score.toPrecision(2)).toBe(Number(shown).toPrecision(2));
});

Deno.test("the same bytes in a collection are kept once, in another one again", async () => {
  await using docs = await library();
  const first = await docs.add(GUIDE);
  const again = await docs.add(GUIDE, { title: "Another title" });
  const other = await docs.add(GUIDE, { collection: "other" });
  expect([first.outcome, again.outcome, other.outcome]).toEqual([
    "created",
    "unchanged",
    "created",
  ]);
  expect(again.document).toEqual(first.document);
  expect(other.document.id).not.toBe(first.document.id);
  expect(await docs.knowledge.collections(LOCAL)).toEqual([
    { name: "default", documents: 1, passages: 2 },
    { name: "other", documents: 1, passages: 2 },
  ]);
});

Deno.test("the same bytes at the same time are kept once", async () => {
  await using docs = await library();
  const added = await Promise.all([docs.add(GUIDE), docs.add(GUIDE), docs.add(GUIDE)]);
  expect(added.map(({ outcome }) => outcome).sort()).toEqual(["created", "unchanged", "unchanged"]);
  expect(new Set(added.map(({ document }) => document.id)).size).toBe(1);
  expect((await docs.knowledge.list(LOCAL, { limit: 10 })).documents).toHaveLength(1);
  expect((await docs.keys()).filter((key) => key.startsWith("unfinished"))).toEqual([]);
  expect((await docs.keys()).filter((key) => key.startsWith("passage"))).toHaveLength(2);
});

Deno.test("a document from an address replaces the one that was there", async () => {
  await using docs = await library();
  const url = "https://example.com/page";
  const old = await docs.add("The museum opens at nine.", { url });
  expect((await docs.search("museum")).results).toHaveLength(1);
  const now = await docs.add("The gallery opens at ten.", { url });
  expect(now.outcome).toBe("replaced");
  expect((await docs.search("museum")).results).toEqual([]);
  expect((await docs.search("gallery")).results).toHaveLength(1);
  await expect(docs.knowledge.get(LOCAL, old.document.id)).rejects.toMatchObject({
    code: "not_found",
  });
  expect((await docs.keys()).some((key) => key.includes(old.document.id))).toBe(false);
});

Deno.test("remove() leaves nothing of a document, and later searches do not find it", async () => {
  await using docs = await library();
  const { document } = await docs.add(GUIDE);
  expect((await docs.search("fish")).results).toHaveLength(1);
  await docs.knowledge.remove(LOCAL, document.id);
  expect((await docs.search("fish")).results).toEqual([]);
  expect(await docs.keys()).toEqual([]);
  expect(await docs.knowledge.collections(LOCAL)).toEqual([]);
  await expect(docs.knowledge.remove(LOCAL, document.id)).rejects.toMatchObject({
    code: "not_found",
  });
});

Deno.test("tenants do not see each other's documents", async () => {
  await using docs = await library();
  const { document } = await docs.add(GUIDE);
  const { results } = await docs.knowledge.search(OTHER, { query: "fish" }, NEVER);
  expect(results).toEqual([]);
  await expect(docs.knowledge.get(OTHER, document.id)).rejects.toMatchObject({
    code: "not_found",
  });
  await expect(docs.knowledge.remove(OTHER, document.id)).rejects.toMatchObject({
    code: "not_found",
  });
  expect((await docs.knowledge.list(OTHER, { limit: 10 })).documents).toEqual([]);
});

Deno.test("a collection that is not there is 404 with those that are", async () => {
  await using docs = await library();
  await docs.add(GUIDE, { collection: "manuals" });
  const error = await docs.search("fish", { collection: "manual" }).catch((e) => e);
  expect(error).toBeInstanceOf(OrchestratorError);
  expect(error.code).toBe("not_found");
  expect(error.message).toContain("manuals");
});

Deno.test("filters look at metadata by equality, choice and range", async () => {
  await using docs = await library();
  const add = (n: number, metadata: Record<string, string | number | boolean | string[]>) =>
    docs.add(`Report number ${n} about fish.`, { title: `r${n}`, metadata });
  await add(1, { year: 2023, lang: "en", tags: ["a", "b"], final: true });
  await add(2, { year: 2024, lang: "de", tags: ["b"] });
  await add(3, { year: 2025, lang: "en" });
  const titles = async (filter: Record<string, unknown>) =>
    (await docs.search("fish report", { filter })).results.map((r) => r.document.title).sort();
  expect(await titles({ lang: "en" })).toEqual(["r1", "r3"]);
  expect(await titles({ year: { gte: 2024 } })).toEqual(["r2", "r3"]);
  expect(await titles({ year: { gte: 2024, lte: 2024 } })).toEqual(["r2"]);
  expect(await titles({ year: { in: [2023, 2025] }, lang: "en" })).toEqual(["r1", "r3"]);
  expect(await titles({ tags: "b" })).toEqual(["r1", "r2"]);
  expect(await titles({ tags: ["a", "b"] })).toEqual(["r1"]);
  expect(await titles({ final: true })).toEqual(["r1"]);
  expect(await titles({ year: "2023" })).toEqual([]);
  expect(await titles({ year: { gte: "2000" } })).toEqual([]);
  expect(await titles({ constructor: "x" })).toEqual([]);
});

Deno.test("a query is words, whatever it looks like", async () => {
  await using docs = await library();
  await docs.add("The fish swims.");
  const found = async (query: string) => (await docs.search(query)).results.length;
  for (
    const query of ["-fish", "^fish*", "text:fish", "{fish}", '"fish', "fish) OR (", "a\0b fish"]
  ) {
    expect([query, await found(query)]).toEqual([query, 1]);
  }
  for (const query of ['"', "NEAR(a b, 3)", "* AND *"]) {
    expect([query, await found(query)]).toEqual([query, 0]);
  }
  expect(await found(`fish ${Array.from({ length: 5_000 }, (_, n) => `w${n}`).join(" ")}`)).toBe(1);
});

Deno.test("limits are typed errors, and nothing of what was refused is kept", async () => {
  const limits = { ...LIMITS, max_documents: 1, max_passages: 3, max_bytes: 100 };
  await using docs = await library({ limits });
  await expect(docs.add("x".repeat(101))).rejects.toMatchObject({ code: "payload_too_large" });
  await expect(docs.add("  \n ")).rejects.toMatchObject({ code: "document_unreadable" });
  await expect(docs.add("x", { type: "image/png" })).rejects.toMatchObject({
    code: "unsupported_media_type",
  });
  await expect(docs.add("# a\n\nb\n\n# c\n\nd\n\n# e\n\nf\n\n# g\n\nh")).rejects.toMatchObject({
    code: "document_limit",
  });
  expect(await docs.keys()).toEqual([]);
  await docs.add("first");
  await expect(docs.add("second")).rejects.toMatchObject({ code: "document_limit" });
});

Deno.test("lists are paged, by collection; passages are read in order", async () => {
  await using docs = await library();
  const added = [];
  for (let n = 0; n < 5; n++) added.push((await docs.add(`# T${n}\n\nText ${n}`)).document);
  const first = await docs.knowledge.list(LOCAL, { limit: 2 });
  expect(first.documents).toEqual(added.slice(0, 2));
  const cursor = first.next_cursor!;
  const second = await docs.knowledge.list(LOCAL, { limit: 3, cursor, collection: "default" });
  expect(second).toEqual({ documents: added.slice(2) });
  await expect(docs.knowledge.list(LOCAL, { limit: 3, cursor: "doc_x" })).rejects.toMatchObject(
    { code: "invalid_request" },
  );
  const { document } = await docs.add("# A\n\none\n\n# B\n\ntwo\n\n# C\n\nthree");
  const passages = await docs.knowledge.passages(LOCAL, document.id, { from: 1, limit: 5 });
  expect(passages.map(({ n, text }) => [n, text])).toEqual([[1, "two"], [2, "three"]]);
});

Deno.test("what a dead worker left half done is cleared away, and nothing else", async () => {
  await using docs = await library();
  const { document } = await docs.add(GUIDE);
  const half = { ...document, id: "doc_half" };
  const passage = { text: "lost", heading: [], location: {} };
  const mark = (worker: string) => ({ collection: "default", worker });
  await docs.store.commit({
    checks: [],
    mutations: [
      setJson(keys.passage("default", "default", half.id, 0), passage),
      setJson(keys.unfinished("default", half.id), mark("dead")),
      setJson(keys.unfinished("default", document.id), mark("dead")),
      setJson(keys.unfinished("default", "doc_busy"), mark("w1")),
    ],
  });
  expect((await docs.search("lost")).results).toEqual([]);
  await Array.fromAsync(docs.knowledge.tidy());
  const left = await docs.keys();
  expect(left.filter((key) => key.includes("doc_half"))).toEqual([]);
  expect(left.filter((key) => key.startsWith("unfinished"))).toEqual([
    "unfinished/default/doc_busy",
  ]);
  expect((await docs.search("fish")).results).toHaveLength(1);
});

Deno.test("documents are still there after a restart", async () => {
  const directory = await Deno.makeTempDir();
  const topics = topicEmbedder();
  {
    await using docs = await library({ directory, meaning: { embedder: topics.embedder } });
    await docs.add(GUIDE);
    await docs.add("# Money\n\nThe invoice is paid by bank.");
  }
  await using docs = await library({
    directory,
    worker: "w2",
    meaning: { embedder: topics.embedder },
  });
  const { mode, results } = await docs.search("feline");
  expect(mode).toBe("hybrid");
  expect(results[0]!.document.title).toBe("Guide");
  await Deno.remove(directory, { recursive: true });
});

Deno.test("with a model passages are found by meaning, too", async () => {
  const { embedder } = topicEmbedder();
  await using docs = await library({ meaning: { embedder } });
  const { document } = await docs.add(GUIDE);
  await docs.add("The invoice is paid by bank transfer.");
  expect(document.embedding).toBe("topics");
  const { mode, results } = await docs.search("my salary");
  expect(mode).toBe("hybrid");
  expect(results[0]!.text).toContain("invoice");
});

Deno.test("an embedder that fails at a search costs the meaning, not the answer", async () => {
  const { embedder, state } = topicEmbedder();
  await using docs = await library({ meaning: { embedder } });
  await docs.add(GUIDE);
  state.fail = new OrchestratorError("model_unavailable", "Cannot embed: it is down.");
  const answer = await docs.search("fish");
  expect(answer.mode).toBe("bm25");
  expect(answer.results).toHaveLength(1);
  expect(answer.degraded).toEqual({
    code: "model_unavailable",
    message: "Cannot embed: it is down.",
  });
});

Deno.test("what was added while the embedder failed is embedded later", async () => {
  const { embedder, state } = topicEmbedder();
  await using docs = await library({ meaning: { embedder } });
  state.fail = new OrchestratorError("model_unavailable", "Cannot embed: it is down.");
  const { document, degraded } = await docs.add("The invoice is paid.");
  expect(degraded?.code).toBe("model_unavailable");
  expect(document.embedding).toBeUndefined();
  await expect(docs.knowledge.embed(LOCAL, document.id, NEVER)).rejects.toMatchObject({
    kind: "retryable",
  });
  state.fail = undefined;
  expect(await docs.knowledge.stale(LOCAL)).toEqual([document.id]);
  expect((await docs.search("salary")).results).toEqual([]);
  await docs.knowledge.embed(LOCAL, document.id, NEVER);
  expect(await docs.knowledge.stale(LOCAL)).toEqual([]);
  expect((await docs.search("salary")).results[0]!.text).toBe("The invoice is paid.");
});

Deno.test("without a model there is nothing to embed", async () => {
  await using docs = await library();
  expect(await docs.knowledge.stale(LOCAL)).toBeNull();
  const { document } = await docs.add("The cat.");
  await expect(docs.knowledge.embed(LOCAL, document.id, NEVER)).rejects.toMatchObject({
    code: "conflict",
  });
});

Deno.test("a search that is aborted throws its reason", async () => {
  const { embedder } = topicEmbedder();
  await using docs = await library({ meaning: { embedder } });
  await docs.add(GUIDE);
  const reason = new Error("gone");
  const search = docs.knowledge.search(LOCAL, { query: "fish" }, AbortSignal.abort(reason));
  await expect(search).rejects.toBe(reason);
});
