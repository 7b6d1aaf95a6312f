/**
 * From a goal to its result: plan, request approval, carry out; replan after a failure.
 *
 * 1. Everything that decides how it continues is recorded: the capabilities, the planner's answers, the
 *    approvals, the outcome of each round. A replay goes the same way.
 * 2. A finished step is not run again, whatever the plans after it say.
 * 3. A failure that another plan took care of is recorded as a round's outcome, so that redriving the
 *    run repeats only what failed in the last one.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import type { Json } from "../../json/mod.ts";
import type { Agent } from "../agent/mod.ts";
import type { ApprovalDeps } from "../calls/approvals/mod.ts";
import { compileTemplate, type Scope } from "../language/mod.ts";
import type { RunContext } from "../kernel/mod.ts";
import { askForPlan } from "./approve.ts";
import type { Capabilities } from "./capabilities.ts";
import { dependenciesOf, lastSteps } from "./dependencies.ts";
import { execute, type RoundOutcome, type StepEnv } from "./execute.ts";
import type { AdoptedPlan, Plan, PlanStep } from "./plan.ts";
import { type Previous, propose } from "./propose.ts";

/** A goal and how it may be reached. */
export interface Assignment {
  /** Key of the node; what belongs to it has keys below. */
  key: string;
  goal: string;
  /** For the planner and for inputs; may be null. */
  context: Json;
  /** Whether people are asked before a plan is carried out. */
  approve: boolean;
  /** How often it may be replanned. */
  max_replans: number;
  concurrency: number;
  capabilities: Capabilities;
  /** What the run knows besides. */
  scope: Scope;
}

export type { StepEnv } from "./execute.ts";

/** What carrying out plans needs. */
export type PlanDeps = StepEnv & { planner: Agent; approvals: ApprovalDeps };

/** What a plan came to. */
export type PlanResult = {
  goal: string;
  summary: string;
  /** Plans that were made. */
  rounds: number;
  /** Outputs by step. */
  steps: Record<string, Json>;
  output: Json;
};

/**
 * Reaches a goal.
 *
 * @throws `plan_invalid`, `plan_failed`, `approval_rejected`, `budget_exceeded`, what a planner throws
 */
export async function carryOut(
  ctx: RunContext,
  assignment: Assignment,
  deps: PlanDeps,
): Promise<PlanResult> {
  const work = new Work(ctx, assignment, deps);
  for (let round = 1;; round++) {
    const isLast = round > assignment.max_replans;
    const result = await work.round(round, isLast);
    if (result) return result;
  }
}

class Work {
  private kept: PlanStep[] = [];
  private outputs: Record<string, Json> = {};
  private previous?: Previous;
  private readonly visits = new Map<string, number>();
  private readonly scope: Scope;

  constructor(
    private readonly ctx: RunContext,
    private readonly assignment: Assignment,
    private readonly deps: PlanDeps,
  ) {
    const { goal, context, scope } = assignment;
    this.scope = { ...scope, goal, context };
  }

  /** One plan; nothing when another one is needed. */
  async round(round: number, isLast: boolean): Promise<PlanResult | undefined> {
    const plan = await this.decide(round, isLast);
    if (!plan) return;
    const { capabilities, concurrency } = this.assignment;
    const { scope, outputs } = this;
    const key = this.keyOf("steps", round);
    const outcome = await execute(
      this.ctx,
      { key, plan, capabilities, outputs, concurrency, isLast, scope },
      this.deps,
    );
    this.keep(plan, outcome);
    return Object.keys(outcome.failures).length > 0 ? undefined : await this.result(plan);
  }

  /** The plan to carry out; nothing when it was rejected with a comment. */
  private async decide(round: number, isLast: boolean): Promise<AdoptedPlan | undefined> {
    const { ctx, deps, kept, outputs, previous } = this;
    const { goal, context, capabilities, approve } = this.assignment;
    const rules = { capabilities, kept };
    const proposal = { goal, context, rules, outputs, ...(previous ? { previous } : {}) };
    const plan = await propose(ctx, this.keysOf("planner"), proposal, deps.planner, deps);
    const adopted = await this.adopt(round, plan);
    if (!approve) return adopted;
    const question = { goal, plan, rules };
    const verdict = await askForPlan(ctx, this.keysOf("approval"), question, deps.approvals);
    if ("plan" in verdict) {
      const isEdited = verdict.plan !== plan &&
        JSON.stringify(verdict.plan) !== JSON.stringify(plan);
      return isEdited ? await this.adopt(round, verdict.plan) : adopted;
    }
    const { comment } = verdict;
    if (isLast) throw tooOften(goal, comment);
    this.previous = { steps: plan.steps, failures: {}, comment };
  }

  /** Records a plan with the steps that are kept, each with all that it needs. */
  private async adopt(round: number, plan: Plan): Promise<AdoptedPlan> {
    const { goal } = this.assignment;
    const needs = await dependenciesOf(plan.steps);
    const steps = plan.steps.map((step) => ({ ...step, depends_on: [...needs.get(step.id)!] }));
    const kept = this.kept.map(({ id }) => id);
    const adopted: AdoptedPlan = { ...plan, goal, round, steps: [...this.kept, ...steps], kept };
    const options = { effect: "none", kind: "plan" } as const;
    return await this.ctx.step(this.keysOf("plan")(), () => adopted, options);
  }

  private keep({ steps }: AdoptedPlan, { outputs, failures }: RoundOutcome): void {
    this.kept = steps.filter(({ id }) => Object.hasOwn(outputs, id));
    this.outputs = outputs;
    this.previous = { steps, failures };
  }

  private async result(plan: AdoptedPlan): Promise<PlanResult> {
    const { goal, summary, round: rounds } = plan;
    const { outputs: steps } = this;
    return { goal, summary, rounds, steps, output: await this.outputOf(plan) };
  }

  private async outputOf({ output, steps }: AdoptedPlan): Promise<Json> {
    const { outputs } = this;
    if (output !== undefined) {
      const known = Object.entries(outputs).map(([id, output]) => [id, { output }]);
      return await compileTemplate(output)({ ...this.scope, steps: Object.fromEntries(known) }) ??
        null;
    }
    const last = lastSteps(new Map(steps.map(({ id, depends_on }) => [id, depends_on])));
    if (last.length === 1) return outputs[last[0]!]!;
    return Object.fromEntries(last.map((id) => [id, outputs[id]!]));
  }

  private keysOf(name: string): () => string {
    return () => {
      const visit = (this.visits.get(name) ?? 0) + 1;
      this.visits.set(name, visit);
      return this.keyOf(name, visit);
    };
  }

  private keyOf(name: string, visit: number): string {
    return `${this.assignment.key}/${name}${visit === 1 ? "" : `#${visit}`}`;
  }
}

function tooOften(goal: string, comment: string): OrchestratorError {
  return new OrchestratorError(
    "approval_rejected",
    `Cannot reach the goal ${JSON.stringify(goal.slice(0, 100))}: the plan was rejected ` +
      `(${comment}), and max_replans is reached. Raise max_replans.`,
    { details: { comment } },
  );
}
