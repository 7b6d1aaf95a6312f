/** What a run has spent, and what it may. @module */
import { OrchestratorError } from "../../errors.ts";
import { addUsage, type Usage } from "../../telemetry/mod.ts";
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

/** Counts what one run spends. */
export class Spending {
  private used: Usage;
  private calls: number;
  private limits?: Budget;

  constructor(
    private readonly run: RunRecord,
    history: History,
    private readonly now: () => number,
  ) {
    this.used = history.usage;
    this.calls = history.calls;
    if (run.budget) this.limits = { ...run.budget, ...history.raised };
  }

  get usage(): Usage {
    return this.used;
  }

  get isLimited(): boolean {
    return this.limits !== undefined;
  }

  /** Counts what a step spent. */
  add(usage: Usage): void {
    this.used = addUsage(this.used, usage);
  }

  /** Counts an attempt that does something outside. */
  call(): void {
    this.calls++;
  }

  /** Sets other limits. */
  raise(limits: Budget): void {
    this.limits = { ...this.limits, ...limits };
  }

  /** When its time is spent, in milliseconds since the epoch; `Infinity` without such a limit. */
  get ends(): number {
    return Date.parse(this.run.created_at) + (this.limits?.seconds ?? Infinity) * 1000;
  }

  /** What is left, for a run within the run. */
  get remaining(): RunBudget | undefined {
    if (!this.limits) return undefined;
    const left: RunBudget = {};
    for (const [name, limit] of Object.entries(this.limits)) {
      const budget = name as keyof Budget;
      if (typeof limit === "number") left[budget] = Math.max(0, limit - this.spent(budget));
    }
    return left;
  }

  /** The first limit that is reached; `key` is for what asks for more. */
  exceeded(key: string): Exceeded | undefined {
    const on_exceeded = this.run.budget?.on_exceeded ?? "fail";
    for (const [name, limit] of Object.entries(this.limits ?? {})) {
      if (typeof limit !== "number") continue;
      const budget = name as keyof Budget;
      const spent = this.spent(budget);
      if (spent >= limit) return { key, budget, limit, spent, on_exceeded };
    }
  }

  private spent(budget: keyof Budget): number {
    switch (budget) {
      case "tokens":
        return this.used.input_tokens + this.used.output_tokens;
      case "cost_usd":
        return this.used.cost_usd;
      case "steps":
        return this.calls;
      case "seconds":
        return (this.now() - Date.parse(this.run.created_at)) / 1000;
    }
  }
}

/** The error of a run that has nobody to ask for more. */
export function overBudget({ budget, limit, spent }: Exceeded): OrchestratorError {
  return new OrchestratorError(
    "budget_exceeded",
    `Cannot go on: the run has spent ${spent} of ${limit} ${budget}. Raise its budget and start it again.`,
    { details: { budget, limit, spent } },
  );
}
