import { expect } from "expect";
import type { EventBody, JournalEvent } from "../../pipeline/kernel/events.ts";
import { isResponseEvent, unifiedResponse } from "../../service/response.ts";

const RUN = { id: "run_1", pipeline: "ask", version: "v1" };
const passage = {
  id: "doc_1#0",
  text: "The cat.",
  passage: 0,
  heading: ["A"],
  location: { page: 1 },
};
const source = {
  id: "doc_1#0",
  title: "Cats",
  url: "https://example.com/",
  excerpt: "The cat.",
  document: "doc_1",
  passage: 0,
  heading: ["A"],
  location: { page: 1 },
};

function journal(...bodies: EventBody[]): JournalEvent[] {
  return bodies.map((body, index) => ({
    ...body,
    run_id: RUN.id,
    seq: index + 1,
    at: "2026-01-02T03:04:05Z",
  }));
}

const retrieved: EventBody = {
  type: "step.completed",
  step: "find",
  attempt: 1,
  kind: "retrieve",
  duration_ms: 1,
  output: {
    passages: [{ ...passage, document: "doc_1", title: "Cats", url: "https://example.com/" }],
    mode: "bm25",
  },
};
const found: EventBody = {
  type: "tool.returned",
  step: "agent/tool#1",
  tool: "search_documents",
  output: {
    results: [
      { ...passage, document: { id: "doc_1", title: "Cats", url: "https://example.com/" } },
      { ...passage, id: "doc_2#1", passage: 1, document: { id: "doc_2", title: "Notes" } },
      "no result",
    ],
    mode: "bm25",
  },
};

Deno.test("what nodes and agents retrieved are the sources, each passage once", () => {
  const events = journal(retrieved, found, { type: "run.completed", output: "It is a cat." });
  expect(events.every(isResponseEvent)).toBe(true);
  expect(unifiedResponse(RUN, events).sources).toEqual([
    source,
    { ...source, id: "doc_2#1", title: "Notes", url: null, document: "doc_2", passage: 1 },
  ]);
});

Deno.test("a pipeline that names its sources itself has these and no others", () => {
  const output = { content: "x", sources: [{ id: "mine" }] };
  const events = journal(retrieved, { type: "run.completed", output });
  expect(unifiedResponse(RUN, events).sources).toEqual([{ id: "mine" }]);
});

Deno.test("other steps and tools are no sources", () => {
  const events = journal(
    { ...retrieved, kind: "transform" },
    { ...found, tool: "http_get" },
    { ...retrieved, output: null },
    { type: "run.completed", output: "x" },
  );
  expect(unifiedResponse(RUN, events).sources).toEqual([]);
});
