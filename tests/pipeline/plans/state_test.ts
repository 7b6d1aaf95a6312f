import { expect } from "expect";
import type { EventBody, JournalEvent, Json } from "../../../pipeline/kernel/events.ts";
import { planState } from "../../../pipeline/plans/mod.ts";
import { step } from "./_plans.ts";

function journal(...events: EventBody[]): JournalEvent[] {
  return events.map((event, index) => ({
    ...event,
    run_id: "run_1",
    seq: index + 1,
    at: new Date(index * 1_000).toISOString(),
  }));
}

const started = (step: string, more = {}): EventBody => ({
  type: "step.started",
  step,
  attempt: 1,
  ...more,
});
const done = (step: string, output: Json, kind = "plan_step"): EventBody => ({
  type: "step.completed",
  step,
  attempt: 1,
  kind,
  output,
  duration_ms: 1,
});
const failed = (step: string): EventBody => ({
  type: "step.failed",
  step,
  attempt: 1,
  error: { code: "call_failed", kind: "terminal", message: "Broken." },
});

const plan = (round: number, kept: string[], ...steps: ReturnType<typeof step>[]) => ({
  goal: "x",
  summary: `Plan ${round}.`,
  round,
  kept,
  steps,
});
const FIRST = plan(1, [], step("a"), step("b", { depends_on: ["a"] }), step("c"));
const statuses = (events: JournalEvent[]) =>
  Object.fromEntries(planState(events).steps.map(({ id, status }) => [id, status]));

Deno.test("planState() knows nothing of a plan before there is one", () => {
  expect(planState([])).toEqual({ phase: "planning", steps: [], earlier: [] });
  const offers = { agents: [], tools: [], pipelines: [] };
  expect(planState(journal(done("plan/capabilities", offers, "capabilities"))))
    .toMatchObject({ phase: "planning", capabilities: offers });
});

Deno.test("planState() shows a plan before it runs, and how far it is", () => {
  const shown = [done("plan/plan", FIRST, "plan")];
  expect(planState(journal(...shown))).toMatchObject({ phase: "planning", plan: FIRST });
  expect(statuses(journal(...shown))).toEqual({ a: "pending", b: "pending", c: "pending" });
  const begun = [...shown, started("plan/steps"), started("plan/steps/a"), started("plan/steps/c")];
  const child = started("plan/steps/c/pipeline", { child: "run_1.x" });
  const events = journal(...begun, child, done("plan/steps/c", { b: 1 }));
  expect(planState(events)).toMatchObject({
    phase: "carrying_out",
    steps: [
      { id: "a", status: "running", round: 1, attempts: 1, started_at: "1970-01-01T00:00:02.000Z" },
      { id: "b", status: "pending" },
      { id: "c", status: "completed", output: { b: 1 }, run_id: "run_1.x" },
    ],
  });
});

Deno.test("planState() says what a failure stops, and that another attempt is made", () => {
  const begun = [done("plan/plan", FIRST, "plan"), started("plan/steps"), started("plan/steps/a")];
  const broken = [...begun, failed("plan/steps/a")];
  expect(statuses(journal(...broken))).toEqual({ a: "failed", b: "skipped", c: "pending" });
  const again = [...broken, started("plan/steps/a~2")];
  expect(statuses(journal(...again))).toEqual({ a: "running", b: "pending", c: "pending" });
  const [a] = planState(journal(...again, done("plan/steps/a~2", 1))).steps;
  expect(a).toMatchObject({ status: "completed", attempts: 2, output: 1 });
  expect(a!.error).toBeUndefined();
});

Deno.test("planState() shows the latest plan with what was kept, and those before it", () => {
  const edited = { ...FIRST, summary: "Plan 1, edited." };
  const events = journal(
    done("plan/plan", FIRST, "plan"),
    done("plan/plan#2", edited, "plan"),
    started("plan/steps"),
    started("plan/steps/a"),
    started("plan/steps/c"),
    done("plan/steps/c", 3),
    failed("plan/steps/a"),
    done("plan/plan#3", plan(2, ["c"], step("c"), step("a"), step("d")), "plan"),
    started("plan/steps#2"),
    started("plan/steps#2/a"),
  );
  expect(planState(events)).toMatchObject({
    phase: "carrying_out",
    steps: [
      { id: "c", status: "completed", round: 1, output: 3 },
      { id: "a", status: "running", round: 2 },
      { id: "d", status: "pending" },
    ],
    earlier: [{
      round: 1,
      summary: "Plan 1, edited.",
      failed: [{ id: "a", title: "a", error: { code: "call_failed", message: "Broken." } }],
    }],
  });
});

Deno.test("planState() leaves nothing open when the run has ended", () => {
  const events = journal(
    done("plan/plan", FIRST, "plan"),
    started("plan/steps"),
    started("plan/steps/a"),
    started("plan/steps/a/agent/llm#1"),
    { type: "tool.called", step: "plan/steps/a", tool: "t", arguments: {} },
    { type: "run.cancelled" },
  );
  expect(planState(events).phase).toBe("ended");
  expect(statuses(events)).toEqual({ a: "cancelled", b: "skipped", c: "skipped" });
});
