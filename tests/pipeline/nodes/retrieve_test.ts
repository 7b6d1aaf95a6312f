import { expect } from "expect";
import type { Caller } from "../../../guard/mod.ts";
import type { SearchRequest } from "../../../knowledge/mod.ts";
import type { Scope } from "../../../pipeline/language/scope.ts";
import { parsePipeline, validatePipeline } from "../../../pipeline/document/parse.ts";
import { retrieve } from "../../../pipeline/nodes/retrieve.ts";
import { isTainted } from "../../../pipeline/calls/taint.ts";
import { FakeContext, RUN } from "../_fake_context.ts";

const SCOPE: Scope = {
  input: { question: "Which cat?", n: 3, filter: { year: { gte: 2020 } }, empty: " " },
  nodes: {},
  run: { id: RUN.id, pipeline: RUN.pipeline, created_at: RUN.created_at },
};
const RESULT = {
  id: "doc_1#2",
  score: 1.5,
  text: "The cat.",
  heading: ["A"],
  location: { page: 4 },
  document: { id: "doc_1", title: "Cats", url: "https://example.com/" },
  passage: 2,
};

function searching() {
  const asked: [string, SearchRequest][] = [];
  const search = ({ tenant }: Caller, request: SearchRequest) => {
    asked.push([tenant, request]);
    return Promise.resolve({ results: [RESULT], mode: "bm25" as const });
  };
  return { asked, search };
}

Deno.test("retrieve is one step without effect that gives passages as documents", async () => {
  const { asked, search } = searching();
  const ctx = new FakeContext();
  const node = {
    retrieve: {
      query: "${ input.question }",
      collection: "c",
      limit: "${ input.n }",
      filter: "${ input.filter }",
    },
    next: "b",
  };
  const compiled = retrieve.compile(node, { search });
  expect(isTainted(ctx.run)).toBe(false);
  expect(await compiled.run(ctx, "find", SCOPE)).toEqual({
    passages: [{
      id: "doc_1#2",
      score: 1.5,
      text: "The cat.",
      heading: ["A"],
      location: { page: 4 },
      passage: 2,
      document: "doc_1",
      title: "Cats",
      url: "https://example.com/",
    }],
    mode: "bm25",
  });
  expect(compiled.next(null)).toBe("b");
  expect(asked).toEqual([["default", {
    query: "Which cat?",
    collection: "c",
    limit: 3,
    filter: { year: { gte: 2020 } },
  }]]);
  expect(ctx.steps[0]!.options).toMatchObject({ kind: "retrieve", effect: "none" });
  expect(isTainted(ctx.run)).toBe(true);
});

Deno.test("a replayed retrieve does not search again, and taints the run as well", async () => {
  const { asked, search } = searching();
  const compiled = retrieve.compile({ retrieve: { query: "cat" } }, { search });
  const first = new FakeContext();
  await compiled.run(first, "find", SCOPE);
  const again = new FakeContext(first.steps);
  await compiled.run(again, "find", SCOPE);
  expect(asked).toHaveLength(1);
  expect(asked[0]![1].limit).toBe(6);
  expect(isTainted(again.run)).toBe(true);
});

Deno.test("a retrieve whose values do not fit, or that has no documents, fails", async () => {
  const { search } = searching();
  const wrong = [
    { query: "${ input.empty }" },
    { query: "${ input.n }" },
    { query: "x", limit: "${ input.question }" },
    { query: "x", filter: { year: { above: 3 } } },
    { query: "x", collection: "${ input.question }" },
  ];
  for (const node of wrong) {
    const run = retrieve.compile({ retrieve: node }, { search }).run(new FakeContext(), "a", SCOPE);
    await expect(run).rejects.toMatchObject({ code: "expression_failed" });
  }
  const none = retrieve.compile({ retrieve: { query: "x" } }, {}).run(
    new FakeContext(),
    "a",
    SCOPE,
  );
  await expect(none).rejects.toThrow("documents are not available");
});

Deno.test("a document's retrieve nodes are checked", async () => {
  const issues = (node: object) =>
    validatePipeline({ name: "p", version: 1, start: "a", nodes: { a: node } }, {});
  expect(await issues({ retrieve: { query: "${ input.q }" } })).toEqual([]);
  expect((await issues({ retrieve: { limit: 3 } })).length).toBeGreaterThan(0);
  expect((await issues({ retrieve: { query: "x", limit: 99 } })).length).toBeGreaterThan(0);
  expect((await issues({ retrieve: { query: "${ input.( }" } })).length).toBeGreaterThan(0);
});

Deno.test("the pipeline of docs/knowledge.md is sound", async () => {
  const docs = await Deno.readTextFile(new URL("../../../docs/knowledge.md", import.meta.url));
  const [, source = ""] = /```yaml\n([\s\S]*?)```/.exec(docs) ?? [];
  const known = { agents: ["researcher"], tasks: [], name: "ask" };
  const { nodes } = await parsePipeline(source, "ask.yaml", known);
  expect(Object.keys(nodes)).toEqual(["find", "answer"]);
});
