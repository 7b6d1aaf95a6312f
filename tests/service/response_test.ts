import { expect } from "expect";
import type { EventBody, JournalEvent, Json } from "../../pipeline/kernel/events.ts";
import { isResponseEvent, unifiedResponse } from "../../service/response.ts";
import { agentDone, USAGE } from "../routes/_setup.ts";

const RUN = { id: "run_1", pipeline: "p", version: "v", conversation_id: "c" };
const BEGIN: EventBody = { type: "run.started", pipeline: "p", version: "v", input: null };

function journal(...bodies: EventBody[]): JournalEvent[] {
  return bodies.map((body, index) => ({
    ...body,
    run_id: "run_1",
    seq: index + 1,
    at: new Date(index * 1000).toISOString(),
  } as JournalEvent));
}

function contentOf(output: Json): string | undefined {
  const events = journal(BEGIN, { type: "run.completed", output });
  return unifiedResponse(RUN, events).message?.content;
}

Deno.test("unifiedResponse() shows text as it is, content where there is one, JSON otherwise", () => {
  expect(contentOf("text")).toBe("text");
  expect(contentOf({ content: "c", other: 1 })).toBe("c");
  expect(contentOf({ content: 1 })).toBe('{"content":1}');
  expect(contentOf([1])).toBe("[1]");
  expect(contentOf(null)).toBe("null");
  expect(contentOf(0)).toBe("0");
});

Deno.test("unifiedResponse() takes sources, review and metadata from the output", () => {
  const output = {
    content: "c",
    sources: ["s"],
    review: { score: 3 },
    metadata: { words: 2, pipeline: "forged" },
  };
  const response = unifiedResponse(
    RUN,
    journal(BEGIN, { type: "run.completed", output, usage: USAGE }),
  );
  expect(response).toMatchObject({
    sources: ["s"],
    review: { score: 3, comments: [], edits: [], violations: [] },
    metadata: { words: 2, pipeline: "p", duration_ms: 1000 },
    usage: USAGE,
  });
});

Deno.test("unifiedResponse() adds up usage when the run did not", () => {
  const error = { code: "tool_failed", kind: "terminal", message: "m" } as const;
  const events = journal(BEGIN, agentDone("a", 1), agentDone("b", 2), {
    type: "run.failed",
    error,
  });
  expect(unifiedResponse(RUN, events)).toMatchObject({
    status: "failed",
    message: null,
    error,
    usage: { input_tokens: 20, output_tokens: 10, cost_usd: 0.02 },
  });
});

Deno.test("unifiedResponse() takes the last end of a run that was started again", () => {
  const error = { code: "tool_failed", kind: "terminal", message: "m" } as const;
  const events = journal(
    BEGIN,
    { type: "run.failed", error },
    { type: "run.resumed", reason: "redriven", worker: "w" },
    { type: "run.completed", output: "o" },
  );
  const response = unifiedResponse(RUN, events);
  expect([response.status, response.error]).toEqual(["completed", undefined]);
});

Deno.test("unifiedResponse() of a run that has not ended has no message", () => {
  const { conversation_id: _, ...run } = RUN;
  expect(unifiedResponse(run, journal(BEGIN)))
    .toMatchObject({ status: "running", message: null, conversation_id: null });
  expect(unifiedResponse(run, journal(BEGIN, { type: "run.cancelled" })).status).toBe("cancelled");
});

Deno.test("isResponseEvent() keeps all that the response is made of", () => {
  const events = journal(
    BEGIN,
    { type: "step.started", step: "a", attempt: 1 },
    agentDone("a", "x"),
    { type: "step.completed", step: "a", attempt: 1, output: "x", duration_ms: 1 },
    { type: "run.completed", output: "o" },
  );
  const kept = events.filter(isResponseEvent);
  expect(kept.length).toBe(3);
  expect(unifiedResponse(RUN, kept)).toEqual(unifiedResponse(RUN, events));
});

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
