import { expect } from "expect";
import type { EventBody, JournalEvent, Json } from "../../pipeline/kernel/events.ts";
import { runState } from "../../service/run_state.ts";
import { agentDone } from "../routes/_setup.ts";

function journal(...events: EventBody[]): JournalEvent[] {
  return events.map((event, index) => ({ ...event, run_id: "run_1", seq: index + 1, at: "" }));
}

const began = (step: string): EventBody => ({ type: "step.started", step, attempt: 1 });
const done = (step: string, output: Json): EventBody => ({
  type: "step.completed",
  step,
  attempt: 1,
  output,
  duration_ms: 1,
});
const failed = (step: string, retry_at?: string): EventBody => ({
  type: "step.failed",
  step,
  attempt: 1,
  error: { code: "call_failed", kind: "retryable", message: "Cannot." },
  ...(retry_at ? { retry_at } : {}),
});

Deno.test("runState() of a run that has not begun is empty", () => {
  expect(runState([])).toEqual({ nodes: {}, current_steps: [] });
});

Deno.test("runState() keeps the latest output of each node, over visits and attempts", () => {
  const events = journal(done("a", 1), began("b"), done("a#2", 2), done("c~2", 3));
  expect(runState(events)).toEqual({
    nodes: { a: 2, c: 3 },
    current_steps: ["b"],
    last_step: "c",
  });
});

Deno.test("runState() takes what happens within a node for that node's work", () => {
  const events = journal(began("research/llm#1"), done("research/llm#1", 1), began("map[3]/x"));
  expect(runState(events)).toMatchObject({ nodes: {}, current_steps: ["research", "map"] });
  const { step: _step, ...rest } = agentDone("researcher", "notes") as { step: string };
  const agent = { ...rest, step: "research" } as EventBody;
  expect(runState(journal(began("research/llm#1"), agent)))
    .toMatchObject({ nodes: { research: "notes" }, current_steps: [] });
});

Deno.test("runState() knows a node that is tried again from one that failed for good", () => {
  expect(runState(journal(began("a"), failed("a", "soon"))).current_steps).toEqual(["a"]);
  expect(runState(journal(began("a"), failed("a"))).current_steps).toEqual([]);
  const ended = journal(began("a"), { type: "run.cancelled" });
  expect(runState(ended)).toEqual({ nodes: {}, current_steps: [], last_step: "a" });
});

Deno.test("runState() shows a wait and a run within the run as expressions see them", () => {
  const ended = (step: string, kind: string, output: Json): EventBody => (
    { ...done(step, output), kind } as EventBody
  );
  const child = (result: Json) => ({ signal: { result, usage: {} } });
  const events = journal(
    ended("paid", "wait", { signal: { by: "card" } }),
    ended("late", "wait", { timed_out: true }),
    ended("write", "pipeline", child({ status: "completed", output: { text: "hi" } })),
    ended("broken", "pipeline", child({ status: "failed", error: {} })),
    ended("made", "transform", { signal: 1 }),
  );
  expect(runState(events).nodes).toEqual({
    paid: { by: "card" },
    late: { timed_out: true },
    write: { text: "hi" },
    made: { signal: 1 },
  });
});

Deno.test("runState() takes what a wait with a time limit gave as it is", () => {
  const payload = { signal: "SIGTERM" };
  const events = journal(
    { ...done("stopped/wait", { signal: payload }), kind: "wait" } as EventBody,
    { ...done("stopped", payload), kind: "wait" } as EventBody,
  );
  expect(runState(events).nodes).toEqual({ stopped: payload });
});
