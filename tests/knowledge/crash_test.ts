/** Documents under crashes: whatever commit is the last one, nothing is left half. */
import { expect } from "expect";
import type { Store } from "../../store/mod.ts";
import { library, LIMITS } from "./_setup.ts";
import { createKnowledge } from "../../knowledge/mod.ts";
import { LOCAL } from "../_caller.ts";

const TEXT = Array.from({ length: 120 }, (_, n) => `# Part ${n}\n\nText about fish.`).join("\n\n");
const NEVER = new AbortController().signal;

/** A worker over the same store whose process ends after some commits. */
function doomed(store: Store, commits: number) {
  let left = commits;
  const commit: Store["commit"] = (change) =>
    left-- > 0 ? store.commit(change) : Promise.reject(new Error("the process has ended"));
  const dying: Store = Object.create(store, {
    worker: { value: "dead" },
    commit: { value: commit },
  });
  let ids = 0;
  const newId = () => `dead${++ids}`;
  return createKnowledge({ store: dying, now: Date.now, newId, limits: LIMITS });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const url = "https://example.com/";

/** What is there of documents, by kind of key. */
function kinds(keys: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const key of keys) {
    const kind = key.split("/")[0]!;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

const WHOLE = { document: 1, document_of: 1, document_key: 2, passage: 120 };
const OLD = { document: 1, document_of: 1, document_key: 2, passage: 1 };

Deno.test("a crash while a document is added leaves it whole or not at all", async () => {
  const seen = new Set<number>();
  for (let commits = 0; commits < 8; commits++) {
    await using docs = await library();
    const adding = doomed(docs.store, commits).add(LOCAL, {
      bytes: bytes(TEXT),
      type: "text/markdown",
      url,
    }, NEVER);
    await adding.catch(() => {});
    const [collection] = await docs.knowledge.collections(LOCAL);
    const { results } = await docs.search("fish", { limit: 50 });
    expect(results.length).toBe(collection ? 50 : 0);
    await Array.fromAsync(docs.knowledge.tidy());
    expect(kinds(await docs.keys())).toEqual(collection ? WHOLE : {});
    seen.add(results.length);
    expect((await docs.add(TEXT, { url })).outcome).toBe(collection ? "unchanged" : "created");
    expect(kinds(await docs.keys())).toEqual(WHOLE);
  }
  expect([...seen]).toEqual([0, 50]);
});

Deno.test("a crash while a document is replaced leaves one of the two", async () => {
  const seen = new Set<string>();
  for (let commits = 0; commits < 8; commits++) {
    await using docs = await library();
    await docs.add("The old page about birds.", { url });
    await docs.search("birds");
    const adding = doomed(docs.store, commits).add(LOCAL, {
      bytes: bytes(TEXT),
      type: "text/markdown",
      url,
    }, NEVER);
    await adding.catch(() => {});
    await Array.fromAsync(docs.knowledge.tidy());
    const isOld = (await docs.search("birds")).results.length === 1;
    expect(kinds(await docs.keys())).toEqual(isOld ? OLD : WHOLE);
    expect((await docs.search("fish")).results.length).toBe(isOld ? 0 : 10);
    seen.add(isOld ? "old" : "new");
  }
  expect([...seen]).toEqual(["old", "new"]);
});

Deno.test("a crash while a document is removed leaves it whole or not at all", async () => {
  const seen = new Set<boolean>();
  for (let commits = 0; commits < 6; commits++) {
    await using docs = await library();
    const { document } = await docs.add(TEXT, { url });
    await docs.search("fish");
    await doomed(docs.store, commits).remove(LOCAL, document.id).catch(() => {});
    const isThere = (await docs.search("fish")).results.length > 0;
    await Array.fromAsync(docs.knowledge.tidy());
    expect(kinds(await docs.keys())).toEqual(isThere ? WHOLE : {});
    seen.add(isThere);
  }
  expect([...seen]).toEqual([true, false]);
});
