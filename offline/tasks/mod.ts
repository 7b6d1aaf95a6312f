/**
 * The task planner: parts of the goal become steps of what is on offer. Pages are fetched, data sets
 * profiled and calculations made by tools; research, outline, draft and review by the agents that
 * say they take such work; what is named is used by its name.
 *
 * A plan that failed is made again by the same rules, so that finished steps come out as they were.
 * What failed and may pass is tried again more often; what cannot work is done without.
 *
 * @module
 */
import { type Material, record } from "../material.ts";
import { plural, shorten } from "../text.ts";
import { readOffers } from "./offers.ts";
import { readParts } from "./parts.ts";
import { type DoneStep, type Step, StepBuilder } from "./steps.ts";

/** A plan, as the planner's profile has it. */
export interface TaskPlan {
  summary: string;
  steps: Step[];
  output?: unknown;
}

/** Attempts of a step that failed with something that may pass. */
const TRIES = 3;
const MAY_PASS =
  /^(?:step_timeout|tool_timeout|model_(?:unavailable|timeout|rate_limited)|call_failed|circuit_open|egress_failed|child_failed)$/;
const LEAVE_OUT = /\b(?:skip|without|no|drop|omit|leave out)\b[^.;]{0,40}\b(review|research)/gi;

/** Plans how a goal is reached. */
export function planTasks({ fields, context }: Material): TaskPlan {
  const goal = typeof fields.goal === "string" ? literal(fields.goal) : "";
  const previous = record(fields.previous);
  const failed = failuresOf(previous);
  const comment = typeof previous.comment === "string" ? literal(previous.comment) : "";
  const parts = partsOf(goal, comment);
  const finished = listOf(fields.finished) as unknown as DoneStep[];
  const build = (without: ReadonlySet<string>) =>
    new StepBuilder({
      offers: readOffers(fields, without),
      unusable: [...without].map((offer) => offer.slice(offer.indexOf(" ") + 1)),
      goal,
      hasContext: fields.context !== undefined,
      hasDocuments: Array.isArray(context.documents) && context.documents.length > 0,
      finished,
      tries: new Map(failed.filter(mayPass).map(({ id }) => [id, TRIES])),
    }).build(parts);
  const hopeless = failed.filter((step) => !mayPass(step)).map(({ kind, name }) =>
    `${kind} ${name}`
  );
  const made = build(new Set(hopeless));
  const isEmpty = made.steps.length + finished.length === 0;
  const plan = isEmpty ? build(new Set()) : made;
  const without = isEmpty ? "" : withoutText(hopeless);
  const count = plural(plan.steps.length, "step");
  return { summary: `${shorten(goal, 20)}: ${count}${without}.`, ...plan };
}

function partsOf(goal: string, comment: string) {
  const unwanted = [...comment.matchAll(LEAVE_OUT)].map(([, work]) => work!.toLowerCase());
  const more = comment.replace(LEAVE_OUT, "").replace(/^\W+$/, "");
  return [...readParts(goal), ...readParts(more)].filter(({ work }) => !unwanted.includes(work));
}

/** Text that means itself where inputs may hold expressions. */
function literal(text: string): string {
  return text.replaceAll("${", () => "$${");
}

interface FailedStep {
  id: string;
  kind: string;
  name: string;
  code: string;
  attempts: number;
}

function failuresOf(previous: Record<string, unknown>): FailedStep[] {
  return listOf(previous.steps).flatMap((step) => {
    const { code } = record(step.error);
    if (typeof code !== "string") return [];
    const { id, kind, name, max_attempts } = step;
    const attempts = typeof max_attempts === "number" ? max_attempts : 1;
    return [{ id: String(id), kind: String(kind), name: String(name), code, attempts }];
  });
}

function mayPass({ code, attempts }: FailedStep): boolean {
  return attempts < TRIES && MAY_PASS.test(code);
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(record) : [];
}

function withoutText(hopeless: string[]): string {
  return hopeless.length === 0 ? "" : `, without ${hopeless.join(" and ")}, which failed`;
}
