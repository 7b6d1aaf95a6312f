/** Has a planner make a plan, until one is sound. @module */
import { type Issue, OrchestratorError, sentence } from "../../errors.ts";
import type { Json } from "../../json/mod.ts";
import { type Agent, type AgentDeps, runAgent } from "../agent/mod.ts";
import type { RunContext } from "../kernel/mod.ts";
import type { Failure } from "./execute.ts";
import { MAX_STEPS, type Plan, type PlanStep } from "./plan.ts";
import { planIssues, type PlanRules, withoutKept } from "./validate.ts";

/** Answers of a planner, at most, until one is sound. */
const MAX_TRIES = 3;

/** What is to be planned. */
export interface Proposal {
  goal: string;
  context: Json;
  rules: PlanRules;
  /** Outputs of the finished steps, by id. */
  outputs: Record<string, Json>;
  /** The previous plan and why it is replanned. */
  previous?: Previous;
}

/** A plan that was not carried out to its end. */
export interface Previous {
  steps: PlanStep[];
  failures: Record<string, Failure>;
  /** What the one who rejected it said. */
  comment?: string;
}

/**
 * Asks a planner for a plan.
 *
 * @param nextKey keys of the planner's calls, another one each time
 * @throws `plan_invalid` when none of its answers can be carried out; what an agent throws
 */
export async function propose(
  ctx: RunContext,
  nextKey: () => string,
  proposal: Proposal,
  planner: Agent,
  deps: AgentDeps,
): Promise<Plan> {
  let issues: Issue[] = [];
  let answer: Json = null;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const input = plannerInput(proposal, answer, issues);
    const call = { key: nextKey(), agent: planner, input, messages: [] };
    answer = await runAgent(ctx, call, deps);
    issues = await planIssues(answer, proposal.rules);
    if (issues.length === 0) return withoutKept(answer as Plan, proposal.rules.kept);
  }
  const [{ location, message }] = issues as [Issue];
  throw new OrchestratorError(
    "plan_invalid",
    `Cannot carry out the plan: ${location}: ${
      sentence(message)
    } The planner did not correct it. ` +
      "Rephrase the goal, or use a better model.",
    { issues },
  );
}

/** What the planner's prompt is made from. */
function plannerInput(proposal: Proposal, answer: Json, issues: Issue[]): Json {
  const { goal, context, rules: { capabilities, kept }, outputs, previous } = proposal;
  const finished = kept.map((step) => ({ ...step, result: outputs[step.id] ?? null }));
  return {
    goal,
    ...(context === null ? {} : { context }),
    ...capabilities,
    max_steps: MAX_STEPS,
    finished,
    ...(previous ? { previous: previousView(previous, outputs) } : {}),
    ...(issues.length > 0
      ? {
        unsound: answer,
        problems: issues.map(({ location, message }) => `${location}: ${message}`),
      }
      : {}),
  } as unknown as Json;
}

function previousView({ steps, failures, comment }: Previous, outputs: Record<string, Json>) {
  const open = steps.filter(({ id }) => !Object.hasOwn(outputs, id));
  return {
    steps: open.map((step) => ({
      ...step,
      ...(Object.hasOwn(failures, step.id) ? { error: failures[step.id]! } : {}),
    })),
    ...(comment === undefined ? {} : { comment }),
  };
}
