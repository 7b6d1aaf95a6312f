/**
 * What a plan has come to, from its run's journal and nothing else.
 *
 * @module
 */
import type { Json } from "../../json/mod.ts";
import { isTerminal, type JournalEvent } from "../kernel/mod.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Failure } from "./execute.ts";
import type { AdoptedPlan, PlanStep } from "./plan.ts";

/**
 * `skipped`: it will not begin, because something that it needs failed or the plan has ended.
 * `cancelled`: the plan ended while it was at work.
 */
export type StepStatus = "pending" | "running" | "completed" | "failed" | "skipped" | "cancelled";

/** A step and its outcome. */
export type StepState = PlanStep & {
  status: StepStatus;
  /** The plan that it was carried out with, 1 for the first; absent before it began. */
  round?: number;
  attempts?: number;
  /** RFC 3339 UTC. */
  started_at?: string;
  ended_at?: string;
  output?: Json;
  error?: Failure;
  /** The run of a step that is a pipeline. */
  run_id?: string;
};

/** A plan that another one took the place of. */
export interface EarlierPlan {
  round: number;
  summary: string;
  /** The steps that failed with it. */
  failed: { id: string; title: string; error: Failure }[];
}

/** A plan and how far it is. */
export interface PlanState {
  /** Absent until there is a plan. */
  plan?: AdoptedPlan;
  /** `ended`: its run has. */
  phase: "planning" | "carrying_out" | "ended";
  steps: StepState[];
  earlier: EarlierPlan[];
  /** What plans may use; absent until it was looked up. */
  capabilities?: Capabilities;
}

/** What happened to the steps of one round, by id. */
type Visits = Map<string, Partial<StepState>>;

/**
 * Reads a plan from a journal.
 *
 * @param node key of the plan's node
 */
export function planState(journal: JournalEvent[], node = "plan"): PlanState {
  const plans: AdoptedPlan[] = [];
  const rounds = new Map<number, Visits>();
  let capabilities: Capabilities | undefined;
  for (const event of journal) {
    if (!("step" in event) || event.step === undefined) continue;
    if (event.type === "step.completed" && event.kind === "plan") {
      if (isKey(node, "plan", event.step)) plans.push(event.output as AdoptedPlan);
    } else if (event.type === "step.completed" && event.step === `${node}/capabilities`) {
      capabilities = event.output as unknown as Capabilities;
    } else note(rounds, node, event);
  }
  const plan = plans.at(-1);
  const hasEnded = isTerminal(journal.at(-1) ?? { type: "" });
  const begun = plan !== undefined && rounds.has(plan.round);
  return {
    ...(plan ? { plan } : {}),
    phase: hasEnded ? "ended" : begun ? "carrying_out" : "planning",
    steps: plan ? stepStates(plan, rounds, hasEnded) : [],
    earlier: plan ? earlierPlans(plans, rounds, plan.round) : [],
    ...(capabilities ? { capabilities } : {}),
  };
}

function isKey(node: string, name: string, step: string): boolean {
  return step === `${node}/${name}` || step.startsWith(`${node}/${name}#`);
}

/** `plan/steps`, `plan/steps#2/fetch`, `plan/steps/fetch~2`, `plan/steps/index/pipeline`. */
const STEP = /^steps(?:#(\d+))?(?:\/([a-z][a-z0-9_]*)(?:~(\d+))?(\/pipeline)?)?$/;

function note(rounds: Map<number, Visits>, node: string, event: JournalEvent): void {
  if (!("step" in event) || !event.step?.startsWith(`${node}/`)) return;
  const found = STEP.exec(event.step.slice(node.length + 1));
  if (!found) return;
  const [, round = "1", id, attempt = "1", child] = found;
  const visits: Visits = rounds.get(Number(round)) ?? new Map();
  rounds.set(Number(round), visits);
  if (id === undefined) return;
  const before = visits.get(id) ?? { round: Number(round) };
  if (child) {
    const run_id = event.type === "step.started" ? event.child : undefined;
    if (run_id) visits.set(id, { ...before, run_id });
  } else visits.set(id, { ...before, ...change(event, before, Number(attempt)) });
}

function change(event: JournalEvent, before: Partial<StepState>, attempts: number) {
  const { started_at = event.at } = before;
  switch (event.type) {
    case "step.started":
      return { status: "running" as const, attempts, started_at, ended_at: undefined };
    case "step.completed": {
      const { output, at: ended_at } = event;
      return { status: "completed" as const, ended_at, output, error: undefined };
    }
    case "step.failed": {
      const { code, message } = event.error;
      return { status: "failed" as const, ended_at: event.at, error: { code, message } };
    }
    default:
      return {};
  }
}

function stepStates(
  plan: AdoptedPlan,
  rounds: Map<number, Visits>,
  hasEnded: boolean,
): StepState[] {
  const latest = (step: PlanStep): StepState => {
    const isKept = plan.kept.includes(step.id);
    const visits = isKept
      ? [...rounds.values()].map((visits) => visits.get(step.id))
        .findLast((visit) => visit?.status === "completed")
      : rounds.get(plan.round)?.get(step.id);
    return { ...step, status: "pending", ...visits };
  };
  const states = plan.steps.map(latest);
  const stuck = new Set(states.filter(({ status }) => status === "failed").map(({ id }) => id));
  for (let before = -1; before < stuck.size;) {
    before = stuck.size;
    for (const { id, depends_on } of states) {
      if (depends_on.some((needed) => stuck.has(needed))) stuck.add(id);
    }
  }
  return states.map((state) =>
    state.status === "pending" && (hasEnded || stuck.has(state.id))
      ? { ...state, status: "skipped" }
      : state.status === "running" && hasEnded
      ? { ...state, status: "cancelled" }
      : state
  );
}

function earlierPlans(
  plans: AdoptedPlan[],
  rounds: Map<number, Visits>,
  current: number,
): EarlierPlan[] {
  // A plan that was edited before it was carried out is the last one of its round.
  const last = new Map(plans.map((plan) => [plan.round, plan]));
  return [...last.values()].filter(({ round }) => round < current).map((plan) => ({
    round: plan.round,
    summary: plan.summary,
    failed: plan.steps.flatMap(({ id, title }) => {
      const visit = rounds.get(plan.round)?.get(id);
      return visit?.status === "failed" ? [{ id, title, error: visit.error! }] : [];
    }),
  }));
}
