/**
 * Carries out a plan's steps: each as soon as what it needs is finished, several at the same time.
 *
 * 1. A step that ends starts those for which it was the last dependency; no step waits for a slot
 *    outside of the kernel's sight, so a run whose steps all wait leaves memory.
 * 2. A step that fails stops only those that need it. Which steps begin depends on outcomes alone, so
 *    a replay begins the same ones.
 *
 * @module
 */
import { type ErrorJson, OrchestratorError, toErrorJson } from "../../errors.ts";
import type { Json } from "../../json/mod.ts";
import {
  agent,
  type AgentEnv,
  failureOf,
  limited,
  pipeline,
  type RunNode,
  tool,
  type ToolEnv,
} from "../nodes/mod.ts";
import type { Scope } from "../language/mod.ts";
import type { RunContext } from "../kernel/mod.ts";
import type { Capabilities } from "./capabilities.ts";
import type { AdoptedPlan, PlanStep } from "./plan.ts";

/** What carrying out steps needs: what their kinds of nodes need. */
export type StepEnv = AgentEnv & ToolEnv;

/** One go at a plan. */
export interface Round {
  /** Its steps have keys such as `KEY/fetch`. */
  key: string;
  plan: AdoptedPlan;
  capabilities: Capabilities;
  /** Of the kept steps, by id. */
  outputs: Record<string, Json>;
  /** Steps at work at the same time. */
  concurrency: number;
  /** A failure is the end: there is no other plan after this one. */
  isLast: boolean;
  /** What inputs may refer to besides the outputs of steps. */
  scope: Scope;
}

/** How a round ended. */
export type RoundOutcome = {
  /** Of all finished steps, kept ones included, by id. */
  outputs: Record<string, Json>;
  /** Why steps failed for good, by id. */
  failures: Record<string, Failure>;
};

/** What planners and people see of an error. */
export type Failure = { code: string; message: string };

/**
 * Carries out a plan's steps that are not finished yet.
 *
 * @throws `plan_failed` when a step failed in the last round; `budget_exceeded`; what ends the run
 */
export function execute(ctx: RunContext, round: Round, env: StepEnv): Promise<RoundOutcome> {
  return ctx.group(round.key, async (ctx) => {
    const outcome = await new Steps(round, env).walk(ctx);
    if (round.isLast && Object.keys(outcome.failures).length > 0) {
      throw planFailed(round.plan, outcome);
    }
    return outcome;
  }, { kind: "plan_steps" });
}

class Steps {
  private readonly outputs: Record<string, Json>;
  private readonly failures: Record<string, Failure> = {};
  private readonly ready: PlanStep[] = [];
  private pending: PlanStep[];
  private active = 0;

  constructor(private readonly round: Round, private readonly env: StepEnv) {
    this.outputs = { ...round.outputs };
    this.pending = round.plan.steps.filter(({ id }) => !round.plan.kept.includes(id));
  }

  async walk(ctx: RunContext): Promise<RoundOutcome> {
    this.release();
    await this.advance(ctx);
    return { outputs: this.outputs, failures: this.failures };
  }

  /** Fills the free places. Each step that ends calls it again. */
  private async advance(ctx: RunContext): Promise<void> {
    while (this.ready.length > 0 && this.active < this.round.concurrency) {
      const batch = this.ready.splice(0, this.round.concurrency - this.active);
      this.active += batch.length;
      await ctx.all(batch.map((step) => async (ctx: RunContext) => {
        await this.visit(ctx, step);
        this.active--;
        await this.advance(ctx);
      }));
    }
  }

  private async visit(ctx: RunContext, step: PlanStep): Promise<void> {
    const { key, scope } = this.round;
    const steps = Object.fromEntries(
      Object.entries(this.outputs).map(([id, output]) => [id, { output }]),
    );
    try {
      const run = compileStep(step, this.round.capabilities, this.env);
      this.outputs[step.id] = await run(ctx, `${key}/${step.id}`, { ...scope, steps });
      this.release();
    } catch (thrown) {
      const error = failureOf(ctx, thrown);
      if (!error || error.code === "budget_exceeded") throw thrown;
      this.failures[step.id] = failure(toErrorJson(error));
    }
  }

  /** Moves the steps that need nothing any more to those that are ready. */
  private release(): void {
    const isFree = ({ depends_on }: PlanStep) =>
      depends_on.every((id) => Object.hasOwn(this.outputs, id));
    this.ready.push(...this.pending.filter(isFree));
    this.pending = this.pending.filter((step) => !isFree(step));
  }
}

/** A step as a node of its kind. */
function compileStep(
  step: PlanStep,
  { pipelines, tools }: Capabilities,
  env: StepEnv,
): RunNode {
  const { kind, name, input, max_attempts, timeout_seconds } = step;
  const compile = {
    agent: () => agent.compile({ agent: name, with: input }, env),
    tool: () => tool.compile({ tool: name, with: input }, env),
    pipeline: () => {
      const versions = Object.fromEntries(pipelines.map(({ name, version }) => [name, version]));
      return pipeline.compile({ pipeline: name, with: input }, { pipelines: versions });
    },
  }[kind];
  const node = compile();
  // A planner's word is not enough to do twice what may happen once only.
  const once = kind === "tool" &&
    tools.some((tool) => tool.name === name && tool.effect === "at_most_once");
  return limited(
    {
      ...(max_attempts === undefined || once ? {} : { retry: { max_attempts } }),
      ...(timeout_seconds === undefined ? {} : { timeout_seconds }),
    },
    { kind: "plan_step", recorded: "group" },
    (ctx, key, scope) => node.run(ctx, `${key}/${kind}`, scope),
  );
}

function failure({ code, message }: ErrorJson): Failure {
  return { code, message };
}

function planFailed({ goal, steps }: AdoptedPlan, outcome: RoundOutcome): OrchestratorError {
  const failed = Object.entries(outcome.failures);
  const [id, { code, message }] = failed[0]!;
  const more = failed.length === 1 ? "" : ` (and ${failed.length - 1} more)`;
  return new OrchestratorError(
    "plan_failed",
    `Cannot reach the goal ${
      JSON.stringify(goal.slice(0, 100))
    }: step ${id} failed with ${code}: ` +
      `${message}${more} The limit of replans is reached. Fix the cause, then redrive the run.`,
    {
      details: {
        failed: Object.fromEntries(failed),
        finished: Object.keys(outcome.outputs),
        steps: steps.length,
      },
    },
  );
}
