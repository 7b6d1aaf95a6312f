/**
 * What a plan is: steps that depend on each other, each done by an agent, a tool or a pipeline.
 *
 * @module
 */
import type { Json, JsonSchema } from "../../json/mod.ts";

/** Steps of one plan, at most, finished ones included. */
export const MAX_STEPS = 50;

/** What does a step. */
export type Doer = "agent" | "tool" | "pipeline";

/** One piece of work. */
export type PlanStep = {
  /** Unique in the plan: `[a-z][a-z0-9_]{0,39}`. */
  id: string;
  /** What it is for, for people. */
  title: string;
  kind: Doer;
  /** Of the agent, tool or pipeline. */
  name: string;
  /** What it gets: values with `${ expressions }` over `goal`, `context` and `steps.ID.output`. */
  input: Record<string, Json>;
  /** Ids of the steps that must be finished first, besides those that `input` names. */
  depends_on: string[];
  /** Attempts in all; default 1. */
  max_attempts?: number;
  timeout_seconds?: number;
};

/** What a planner proposes: the steps that are still to be done. */
export type Plan = {
  /** One sentence: how the goal is reached. */
  summary: string;
  steps: PlanStep[];
  /** Template of the result; without it: the outputs of the steps that no other one needs. */
  output?: Json;
};

/** A plan that was adopted: what runs, and what is kept of plans before it. Plain JSON. */
export type AdoptedPlan = Plan & {
  goal: string;
  /** 1 for the first plan of a run, 2 after the first replanning, … */
  round: number;
  /** Ids of the steps that were finished before. They are among `steps`. */
  kept: string[];
};

/** The plan's schema: the planner's output, and what an approver may put in its place. */
export const planSchema: JsonSchema = {
  type: "object",
  additionalProperties: false,
  required: ["summary", "steps"],
  properties: {
    summary: { type: "string", description: "One sentence: how the goal is reached." },
    steps: {
      type: "array",
      maxItems: MAX_STEPS,
      description: "The work that is to be done, each step once.",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["id", "title", "kind", "name", "input", "depends_on"],
        properties: {
          id: {
            type: "string",
            pattern: "^[a-z][a-z0-9_]{0,39}$",
            description: "Unique in the plan; other steps refer to it.",
          },
          title: { type: "string", description: "What the step is for, in a few words." },
          kind: { type: "string", enum: ["agent", "tool", "pipeline"] },
          name: { type: "string", description: "Of the agent, tool or pipeline that does it." },
          input: {
            type: "object",
            description:
              "What it gets. ${ goal }, ${ context } and ${ steps.ID.output } stand for values.",
          },
          depends_on: {
            type: "array",
            description: "Ids of the steps that must be finished first.",
            items: { type: "string" },
          },
          max_attempts: { type: "integer", minimum: 1, maximum: 5 },
          timeout_seconds: { type: "number", exclusiveMinimum: 0, maximum: 86400 },
        },
      },
    },
    output: {
      description:
        "The result, with ${ steps.ID.output }. Without it: the outputs of the last steps.",
    },
  },
};
