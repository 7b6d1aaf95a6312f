/** The fold of a journal, against what each of its fields means. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { toErrorJson } from "../../../errors.ts";
import { type EventBody, isTerminal, type JournalEvent } from "../../../pipeline/kernel/mod.ts";
import { forgetFailures, type History, readHistory } from "../../../pipeline/kernel/history.ts";
import { addUsage, NO_USAGE } from "../../../telemetry/mod.ts";
import { flaky } from "./_harness.ts";

const AT = Date.parse("2026-01-01T00:00:00Z");

/** A journal of these events, one each second. */
function journal(bodies: EventBody[]): JournalEvent[] {
  return bodies.map((body, index) => ({
    ...body,
    run_id: "run_1",
    seq: index + 1,
    at: new Date(AT + index * 1000).toISOString(),
  }));
}

const steps = ["a", "b", "a/llm#1"];
const step = fc.constantFrom(...steps);
const attempt = fc.integer({ min: 1, max: 3 });
const usage = { input_tokens: 3, output_tokens: 2, cost_usd: 0.25 };
const error = toErrorJson(flaky());
const maybe = <T>(value: T) => fc.constantFrom(value, undefined);

const anyEvent: fc.Arbitrary<EventBody> = fc.oneof(
  fc.record({
    type: fc.constant("step.started" as const),
    step,
    attempt,
    passive: maybe(true as const),
  }),
  fc.record({
    type: fc.constant("step.completed" as const),
    step,
    attempt,
    output: fc.nat(9),
    duration_ms: fc.constant(1),
    usage: maybe(usage),
    calls: maybe(2),
    signal: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    binding: maybe(true as const),
    kind: fc.constantFrom("wait", "approval", undefined),
  }),
  fc.record({
    type: fc.constant("step.failed" as const),
    step,
    attempt,
    error: fc.constant(error),
    usage: maybe(usage),
    retry_at: maybe("2026-01-01T01:00:00.000Z"),
  }),
  fc.record({
    type: fc.constant("step.skipped" as const),
    step,
    reason: fc.constant("branch_stopped"),
    usage: maybe(usage),
  }),
  fc.record({
    type: fc.constant("run.resumed" as const),
    reason: fc.constantFrom("crashed", "released", "signal", "unpaused"),
    worker: fc.constant("w"),
    suspect: maybe(true as const),
  }),
  fc.record({
    type: fc.constant("signal.received" as const),
    name: fc.constantFrom("go", "stop"),
    payload: fc.nat(9),
  }),
  fc.record({ type: fc.constant("run.paused" as const) }),
  fc.record({ type: fc.constant("run.cancelling" as const), reason: maybe("why") }),
  fc.record({ type: fc.constant("run.waiting" as const), for: fc.constant([]) }),
  fc.record({ type: fc.constant("run.tainted" as const) }),
  fc.record({ type: fc.constant("test.noted" as const), step, text: fc.constant("x") }),
  fc.record({
    type: fc.constant("budget.raised" as const),
    step,
    budget: fc.record({ tokens: maybe(9), steps: maybe(4) }, { requiredKeys: [] }),
  }),
) as fc.Arbitrary<EventBody>;

const anyJournal = fc.array(anyEvent, { maxLength: 60, size: "max" })
  .map((bodies) =>
    journal([{ type: "run.started", pipeline: "p", version: "v", input: { q: 1 } }, ...bodies])
  );

const last = <T>(all: T[]): T | undefined => all.at(-1);
const ofType = <K extends EventBody["type"]>(events: JournalEvent[], ...types: K[]) =>
  events.filter((event) => types.includes(event.type as K)) as (JournalEvent & { type: K })[];

/** Every field by its meaning, each read from the whole journal. */
function expected(events: JournalEvent[]): History {
  const completed = ofType(events, "step.completed");
  const progress = events.findLastIndex(({ type }) =>
    ["step.completed", "step.failed", "run.waiting"].includes(type)
  );
  const since = ofType(events.slice(progress + 1), "run.resumed");
  const taken = (seq: number, after: number) =>
    completed.some((event) => event.signal === seq && event.seq > after);
  const pauses = events.filter((event) =>
    event.type === "run.paused" || event.type === "run.cancelling" ||
    event.type === "run.resumed" && event.reason === "unpaused"
  );
  const cancelling = last(ofType(events, "run.cancelling"));
  const raised = ofType(events, "budget.raised").map(({ budget }) => budget);
  return {
    seq: events.length,
    input: { q: 1 },
    steps: new Map(
      [...new Set(stepEvents(events).map((event) => event.step))]
        .map((key) => [key, expectedStep(stepEvents(events).filter((e) => e.step === key))]),
    ),
    signals: ofType(events, "signal.received").filter(({ seq }) => !taken(seq, seq))
      .map(({ seq, name, payload }) => ({ seq, name, payload })),
    emitted: new Set([
      ...ofType(events, "run.tainted").map(({ type }) => type),
      ...ofType(events, "test.noted", "step.skipped").map(({ type, step }) => `${type} ${step}`),
    ]),
    usage: ofType(events, "step.completed", "step.failed", "step.skipped")
      .reduce((sum, one) => addUsage(sum, one.usage ?? NO_USAGE), NO_USAGE),
    calls: ofType(events, "step.started").filter(({ passive }) => !passive).length +
      completed.reduce((sum, { calls = 0 }) => sum + calls, 0),
    raised: Object.assign({}, ...raised),
    paused: last(pauses)?.type === "run.paused",
    ...(cancelling ? { cancelling: { reason: cancelling.reason } } : {}),
    bound: completed.some(({ binding, kind }) => binding || kind === "approval"),
    crashes: since.filter(({ reason }) => reason === "crashed").length,
    suspicions: since.filter(({ suspect }) => suspect).length,
  };
}

function stepEvents(events: JournalEvent[]) {
  return ofType(events, "step.started", "step.completed", "step.failed");
}

function expectedStep(events: ReturnType<typeof stepEvents>) {
  const counted = ofType(events, "step.started", "step.failed");
  const done = last(ofType(events, "step.completed"));
  const failed = last(ofType(events, "step.started", "step.failed"));
  return {
    attempts: last(counted)?.attempt ?? 0,
    began: Date.parse(events[0]!.at),
    open: last(events)!.type === "step.started",
    ...(done ? { done: { output: done.output } } : {}),
    failed: failed?.type === "step.failed"
      ? { error: failed.error, retry_at: failed.retry_at }
      : undefined,
  };
}

/** Without the fields that say nothing. */
function plain({ steps, ...history }: History) {
  const known = [...steps].map(([key, { failed, ...step }]) => [
    key,
    { ...step, ...(failed ? { failed } : {}) },
  ]);
  return { ...history, steps: Object.fromEntries(known) };
}

Deno.test("readHistory() finds in any journal what each of its fields means", () => {
  fc.assert(
    fc.property(anyJournal, (events) => {
      assert.deepEqual(plain(readHistory(events)), plain(expected(events)));
    }),
    { numRuns: 400 },
  );
});

Deno.test("a step that has a result keeps it, whatever else the journal says of it", () => {
  fc.assert(fc.property(anyJournal, fc.nat(60), (events, cut) => {
    const before = readHistory(events.slice(0, 1 + cut % events.length));
    const after = readHistory(events);
    for (const [key, { done }] of before.steps) {
      if (done) assert(after.steps.get(key)!.done, key);
    }
  }));
});

Deno.test("a redriven run forgets its final failures, the cancel and the crashes, and nothing else", () => {
  fc.assert(fc.property(anyJournal, (events) => {
    const redriven: EventBody = { type: "run.resumed", reason: "redriven", worker: "w" };
    const before = readHistory(events);
    const known = [...before.steps].filter(([, { failed }]) => !failed || failed.retry_at);
    const after = readHistory(journal([...events, redriven]));
    const { cancelling: _, ...kept } = before;
    const forgotten = { seq: before.seq + 1, crashes: 0, suspicions: 0, cancelling: undefined };
    assert.deepEqual(after, { ...kept, ...forgotten, steps: new Map(known) });
    assert.deepEqual(plain(forgetFailures(before)), plain({ ...after, seq: before.seq }));
  }));
});

Deno.test("three events end a run, and no other does", () => {
  const ends = ["run.completed", "run.failed", "run.cancelled"];
  for (const type of ends) assert(isTerminal({ type }));
  fc.assert(fc.property(anyEvent, (event) => void assert(!isTerminal(event))));
});
