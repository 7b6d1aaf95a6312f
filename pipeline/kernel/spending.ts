/** What a run has spent, and what it may. @module */
import { OrchestratorError } from "../../errors.ts";
import type { Clock } from "./clock.ts";
import type { RunContext } from "./context.ts";
import type { Budget } from "./events.ts";
import type { History } from "./history.ts";
import type { RunBudget, RunRecord } from "./runs.ts";

/** A run would spend more than it may. */
export interface Exceeded {
  /** Step key for what asks for more, unique for each time. */
  key: string;
  budget: keyof Budget;
  limit: number;
  spent: number;
  on_exceeded: "fail" | "approval";
}

/** Asks for more. @returns the raised limits @throws `budget_exceeded` */
export type BudgetGate = (ctx: RunContext, exceeded: Exceeded) => Promise<Budget>;

/** A run, as far as it spends. */
export interface Spender {
  record: Pick<RunRecord, "budget" | "created_at">;
  history: Pick<History, "usage" | "calls" | "raised">;
  world: { clock: Pick<Clock, "now"> };
}

/** The first limit that is reached; `key` is for what asks for more. */
export function exceeded(run: Spender, key: string): Exceeded | undefined {
  const on_exceeded = run.record.budget?.on_exceeded ?? "fail";
  for (const [budget, limit] of limitsOf(run)) {
    const spent = spentOf(run, budget);
    if (spent >= limit) return { key, budget, limit, spent, on_exceeded };
  }
}

/** When its time is spent, in milliseconds since the epoch; `Infinity` without such a limit. */
export function endsAt({ record: { budget, created_at }, history: { raised } }: Spender): number {
  const seconds = raised.seconds ?? budget?.seconds ?? Infinity;
  return Date.parse(created_at) + seconds * 1000;
}

/** What is left, for a run within the run. */
export function remaining(run: Spender): RunBudget | undefined {
  const { budget } = run.record;
  if (!budget) return undefined;
  const left = limitsOf(run).map(([budget, limit]) =>
    [budget, Math.max(0, limit - spentOf(run, budget))] as const
  );
  const { on_exceeded } = budget;
  return { ...Object.fromEntries(left), ...(on_exceeded ? { on_exceeded } : {}) };
}

function limitsOf({ record, history }: Spender): [keyof Budget, number][] {
  const limits = Object.entries({ ...record.budget, ...history.raised });
  return limits.filter(([, limit]) => typeof limit === "number") as [keyof Budget, number][];
}

function spentOf({ record, history, world }: Spender, budget: keyof Budget): number {
  const { usage, calls } = history;
  switch (budget) {
    case "tokens":
      return usage.input_tokens + usage.output_tokens;
    case "cost_usd":
      return usage.cost_usd;
    case "steps":
      return calls;
    case "seconds":
      return (world.clock.now() - Date.parse(record.created_at)) / 1000;
  }
}

/** The error of a run that cannot request more. */
export function overBudget({ budget, limit, spent }: Exceeded): OrchestratorError {
  return new OrchestratorError(
    "budget_exceeded",
    `The run has spent ${spent} of ${limit} ${budget}. Raise its budget and start it again.`,
    { details: { budget, limit, spent } },
  );
}
