import { expect } from "expect";
import type { EventBody, JournalEvent } from "../../pipeline/kernel/events.ts";
import { watchWaiting } from "../../service/waiting.ts";

const AT = "2026-01-02T03:04:05.000Z";
const ASKED: EventBody = { type: "approval.requested", step: "a", approval: "apr_1", title: "?" };
const DECIDED: EventBody = {
  type: "approval.decided",
  step: "a",
  approval: "apr_1",
  decision: "approved",
};
const CHILD: EventBody = { type: "run.waiting", for: [{ step: "a", signal: "child/run_2" }] };
const RESUMED: EventBody = { type: "run.resumed", reason: "signal", worker: "w" };

function times(...events: EventBody[]): number {
  let count = 0;
  const watch = watchWaiting(() => count++);
  for (const body of events) watch({ ...body, run_id: "r", seq: 1, at: AT } as JournalEvent);
  return count;
}

Deno.test("a run waits for somebody when it needs a signal, a pause's end or a long time", () => {
  const until = (ms: number): EventBody => ({
    type: "run.waiting",
    for: [{ step: "a", until: new Date(Date.parse(AT) + ms).toISOString() }],
  });
  expect(times({ type: "run.waiting", for: [{ step: "a", signal: "go" }] })).toBe(1);
  expect(times({ type: "run.paused" })).toBe(1);
  expect(times(until(61_000))).toBe(1);
  expect(times(until(60_000))).toBe(0);
  expect(times(CHILD)).toBe(0);
  expect(times(ASKED)).toBe(0);
});

Deno.test("what a run within the run asks counts while both wait", () => {
  expect(times(CHILD, ASKED)).toBe(1);
  expect(times(ASKED, CHILD)).toBe(1);
  expect(times(ASKED, DECIDED, CHILD)).toBe(0);
  expect(times(CHILD, RESUMED, ASKED)).toBe(0);
});
