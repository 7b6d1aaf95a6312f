import { expect } from "expect";
import type { Caller } from "../../guard/mod.ts";
import { createSearchDocuments, type DocumentQuery } from "../../tools/search_documents.ts";
import type { ToolScope } from "../../tools/tool.ts";
import { callerOf } from "../_caller.ts";

Deno.test("search_documents asks for passages of the caller's tenant", async () => {
  const asked: [Caller, DocumentQuery, AbortSignal][] = [];
  const tool = createSearchDocuments({
    search(...args) {
      asked.push(args);
      return Promise.resolve({ results: [], mode: "bm25" });
    },
  });
  expect(tool).toMatchObject({ capability: "read", untrusted: true, effect: "none" });
  const { signal } = new AbortController();
  const caller = callerOf("t1");
  const scope = { caller, signal } as ToolScope;
  expect(await tool.run({ query: "cats" }, scope)).toEqual({ results: [], mode: "bm25" });
  await tool.run({ query: "dogs", collection: "c", limit: 7 }, scope);
  expect(asked).toEqual([
    [caller, { query: "cats", limit: 5 }, signal],
    [caller, { query: "dogs", limit: 7, collection: "c" }, signal],
  ]);
});
