import { expect } from "expect";
import { createEgress } from "../../guard/egress.ts";
import { createQdrant } from "../../knowledge/qdrant.ts";
import { unit } from "../../knowledge/vectors.ts";
import { startQdrant } from "./_qdrant.ts";
import { library, NEVER, topicEmbedder } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

const PLACE = { tenant: "default", collection: "c" };

function connected(key?: string) {
  const server = startQdrant("secret");
  const egress = createEgress({ allowed_hosts: [] });
  const options = { egress, url: server.url, model: "org/topics:1" };
  const db = createQdrant({ ...options, apiKey: key ?? "secret" });
  return {
    db,
    server,
    async [Symbol.asyncDispose]() {
      await egress.close();
      await server.close();
    },
  };
}

Deno.test("vectors are put into Qdrant, found again, and removed", async () => {
  await using it = connected();
  const { db, server } = it;
  await db.put(PLACE, "doc_1", [unit([1, 0]), unit([0, 1])], NEVER);
  await db.put(PLACE, "doc_2", [unit([1, 1])], NEVER);
  await db.put({ ...PLACE, tenant: "other" }, "doc_3", [unit([1, 0])], NEVER);
  expect([...server.collections.keys()]).toEqual(["orchestrator-org-topics-1-2"]);
  const found = await db.search(PLACE, unit([1, 0.1]), { limit: 2 }, NEVER);
  expect(found.map(({ document, n }) => [document, n])).toEqual([["doc_1", 0], ["doc_2", 0]]);
  expect(found[0]!.score).toBeGreaterThan(0.9);
  const among = { limit: 2, documents: ["doc_2"] };
  expect(await db.search(PLACE, unit([1, 0]), among, NEVER)).toHaveLength(1);
  await db.put(PLACE, "doc_1", [unit([1, 0]), unit([0, 1])], NEVER);
  expect(server.points()).toBe(4);
  await db.remove(PLACE, "doc_1", NEVER);
  await db.remove(PLACE, "doc_1", NEVER);
  expect(server.points()).toBe(2);
});

Deno.test("points have UUIDs, and what they are filtered by is indexed", async () => {
  await using it = connected();
  await it.db.put(PLACE, "doc_1", [unit([1, 0])], NEVER);
  const [collection] = it.server.collections.values();
  expect([...collection!.points.keys()][0]).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(collection!.indexes).toEqual(["tenant", "collection", "document"]);
});

Deno.test("a Qdrant that refuses or is gone is vector_db_failed", async () => {
  await using it = connected("wrong");
  const search = it.db.search(PLACE, unit([1, 0]), { limit: 2 }, NEVER);
  await expect(search).rejects.toMatchObject({ code: "vector_db_failed", kind: "terminal" });
  const egress = createEgress({ allowed_hosts: [] });
  const gone = createQdrant({ egress, url: "http://127.0.0.1:9", model: "m" });
  await expect(gone.remove(PLACE, "doc_1", NEVER)).rejects.toMatchObject({
    code: "vector_db_failed",
    kind: "retryable",
  });
  await egress.close();
});

Deno.test("documents are searched by meaning with Qdrant in place of the store", async () => {
  await using it = connected();
  const { embedder } = topicEmbedder();
  await using docs = await library({ meaning: { embedder, db: it.db } });
  const { document } = await docs.add("The cat sleeps.", { url: "https://example.com/" });
  await docs.add("The invoice is paid by bank.", { metadata: { year: 2024 } });
  const { mode, results } = await docs.search("puppy");
  expect(mode).toBe("hybrid");
  expect(results[0]!.document.id).toBe(document.id);
  const filtered = await docs.search("puppy", { filter: { year: 2024 } });
  expect(filtered.results.map(({ text }) => text)).toEqual(["The invoice is paid by bank."]);
  expect((await docs.keys()).filter((key) => key.startsWith("vector"))).toEqual([]);
  await docs.add("The cat sleeps all day.", { url: "https://example.com/" });
  expect(it.server.points()).toBe(2);
  it.server.failing = true;
  const words = await docs.search("cat");
  expect(words.mode).toBe("bm25");
  expect(words.degraded?.code).toBe("vector_db_failed");
  const late = await docs.add("The dog barks.");
  expect(late.degraded?.code).toBe("vector_db_failed");
  expect(late.document.embedding).toBeUndefined();
  it.server.failing = false;
  await docs.knowledge.embed(LOCAL, late.document.id, NEVER);
  expect(it.server.points()).toBe(3);
  await docs.knowledge.remove(LOCAL, late.document.id);
  expect(it.server.points()).toBe(2);
});
