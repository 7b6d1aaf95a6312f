import * as z from "zod";
import { OrchestratorError, sentence } from "../../errors.ts";
import type { Json } from "../../json/mod.ts";
import { type AgentProfile, createAgent, takesTasks } from "../agent/mod.ts";
import { compileTemplate, type Evaluate, type Scope } from "../language/mod.ts";
import { capabilitiesOf, type PipelineOffers } from "./capabilities.ts";
import { carryOut } from "./carry_out.ts";
import type { StepEnv } from "./execute.ts";
import {
  common,
  next,
  nextTarget,
  type NodeKind,
  type Placed,
  type Reference,
} from "../nodes/mod.ts";

/** Makes plans unless the node names another agent. */
export const PLANNER = "task_planner";
/** How often it is replanned unless the node sets its own limit. */
const DEFAULT_REPLANS = 2;
const MOST_REPLANS = 10;
/** Steps at work at the same time unless the node says otherwise. */
const DEFAULT_CONCURRENCY = 4;

interface PlanNode {
  plan: {
    goal: string;
    context?: unknown;
    planner?: string;
    agents?: string[];
    tools?: string[];
    pipelines?: string[];
    approve?: boolean | string;
    max_replans?: number | string;
    concurrency?: number;
  };
  next?: string;
}

/** What plan nodes need. */
export interface PlanEnv extends StepEnv {
  /** The installed pipelines; without it plans use none. */
  plans?: PipelineOffers;
}

const TEMPLATES = ["goal", "context", "approve", "max_replans"] as const;
const expression = z.string().regex(/\$\{/, "must be a value or an ${ expression }");
const names = z.array(z.string().min(1));

/** `plan:` has an agent plan how a goal is reached, and carries the plan out. */
export const plan: NodeKind<PlanNode, PlanEnv> = {
  kind: "plan",
  personal: true,
  recorded: "group",
  loosens: false,
  schema: z.strictObject({
    plan: z.strictObject({
      goal: z.string().min(1).describe("The goal to achieve."),
      context: z.unknown().optional()
        .describe("What the planner and the steps may use: any value with ${ expressions }."),
      planner: z.string().optional().describe(`The agent that plans. Default ${PLANNER}.`),
      agents: names.optional().describe(
        "Agents that steps may use. Default: all that declare their input, or have no prompt.",
      ),
      tools: names.optional().describe(
        "Tools that steps may use; a name may end in *. Default: all.",
      ),
      pipelines: names.optional().describe(
        "Pipelines that steps may use; a name may end in *. Default: all.",
      ),
      approve: z.union([z.boolean(), expression]).optional()
        .describe("Whether a plan needs approval before it is carried out. Default false."),
      max_replans: z.union([z.int().min(0).max(MOST_REPLANS), expression]).optional()
        .describe(`How often it may be replanned. Default ${DEFAULT_REPLANS}.`),
      concurrency: z.int().min(1).max(50).optional()
        .describe(`How many steps run at the same time. Default ${DEFAULT_CONCURRENCY}.`),
    }),
    ...common,
    ...next,
  }),
  templates: ({ plan }) =>
    TEMPLATES.filter((name) => plan[name] !== undefined)
      .map((name): Placed<unknown> => ({ path: ["plan", name], value: plan[name] })),
  targets: nextTarget,
  references: ({ plan: { planner = PLANNER, agents = [], tools = [] } }) => [
    { to: "agent", path: ["plan", "planner"], value: planner },
    ...listed("agent", "agents", agents),
    ...listed("tool", "tools", tools),
  ],
  usesAnyAgent: ({ plan }) => plan.agents === undefined,
  compile({ plan, next }, env) {
    const { planner: name = PLANNER, tools, pipelines, concurrency = DEFAULT_CONCURRENCY } = plan;
    const planner = prepareAgent(name, env);
    const agents = (plan.agents?.map((name) => agentOf(name, env)) ??
      Object.values(env.agents).filter(takesTasks)).filter((profile) => profile.name !== name);
    const read = compileAssignment(plan);
    return {
      async run(ctx, key, scope) {
        const asked = await read(key, scope);
        const deps = { ...env, agents };
        const allowed = { tools, pipelines };
        const capabilities = await capabilitiesOf(ctx, `${key}/capabilities`, allowed, deps);
        const assignment = { ...asked, key, concurrency, capabilities, scope };
        return await carryOut(ctx, assignment, { ...env, planner });
      },
      next: () => next,
    };
  },
};

function listed(to: Reference["to"], field: string, names: string[]): Reference[] {
  return names.map((value, index) => ({ to, path: ["plan", field, index], value }));
}

function agentOf(name: string, { agents }: PlanEnv): AgentProfile {
  const profile = Object.hasOwn(agents, name) ? agents[name] : undefined;
  if (profile) return profile;
  const why = "the definition does not contain it";
  throw new OrchestratorError(
    "pipeline_invalid",
    `Cannot plan with agent "${name}": ${sentence(why)}`,
  );
}

function prepareAgent(name: string, env: PlanEnv) {
  const profile = agentOf(name, env);
  const { prompt } = profile;
  return createAgent(profile, prompt === undefined ? undefined : env.prompts[prompt]);
}

function compileAssignment(plan: PlanNode["plan"]) {
  const compiled = Object.fromEntries(
    TEMPLATES.map((name) => [name, compileTemplate((plan[name] ?? null) as Json)]),
  ) as Record<typeof TEMPLATES[number], Evaluate>;
  return async (key: string, scope: Scope) => {
    const [goal, context, approve, replans] = await Promise.all(
      TEMPLATES.map((name) => compiled[name](scope)),
    );
    return {
      goal: goalOf(key, goal),
      context: context ?? null,
      approve: approve === true,
      max_replans: typeof replans === "number"
        ? Math.max(0, Math.min(MOST_REPLANS, Math.floor(replans)))
        : DEFAULT_REPLANS,
    };
  };
}

function goalOf(key: string, goal: Json | undefined): string {
  if (typeof goal === "string" && goal.trim() !== "") return goal;
  throw new OrchestratorError(
    "validation_failed",
    `Cannot plan in ${key}: the goal is ${
      JSON.stringify(goal ?? null).slice(0, 60)
    }, not a text. ` +
      "Fix the node's expression or its input.",
    { details: { step: key } },
  );
}
