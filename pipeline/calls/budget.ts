/** Budgets that are spent: the run fails, or people are asked for more. @module */
import { OrchestratorError } from "../../errors.ts";
import { type ApprovalDeps, requestApproval } from "./approvals/mod.ts";
import type { Budget, BudgetGate, Exceeded } from "../kernel/mod.ts";

/**
 * Makes the gate that the kernel asks before a call that the budget does not allow.
 *
 * @returns the limits that were raised; it throws `budget_exceeded` when none is
 */
export function createBudgetGate(deps: ApprovalDeps): BudgetGate {
  return async (ctx, exceeded) => {
    const { key, budget, limit, spent, on_exceeded } = exceeded;
    if (on_exceeded === "fail") throw spentUp(exceeded);
    // Less than what is spent would only ask again.
    const least = Math.max(limit, spent);
    const { decision, payload, by, comment } = await requestApproval(ctx, key, {
      title: `Raise the budget of ${NAMES[budget]}?`,
      preview: `The run may use ${limit} ${NAMES[budget]} and has used ${spent}. ` +
        "Approve to continue with the limit in the payload.",
      payload: { raise: { [budget]: least * 2 || 1 } },
      schema: raiseSchema(budget, least),
      editable: true,
    }, deps);
    if (decision === "approved") {
      return (payload as { raise: Budget & Record<string, number> }).raise;
    }
    throw spentUp(exceeded, { decision, by, ...(comment ? { comment } : {}) });
  };
}

const NAMES: Record<keyof Budget, string> = {
  tokens: "tokens",
  cost_usd: "US dollars",
  steps: "steps",
  seconds: "seconds",
};

function raiseSchema(budget: keyof Budget, least: number) {
  return object("raise", object(budget, { type: "number", exclusiveMinimum: least }));
}

function object(name: string, schema: object) {
  const properties = { [name]: schema };
  return { type: "object", required: [name], additionalProperties: false, properties };
}

function spentUp({ budget, limit, spent }: Exceeded, asked: object = {}): OrchestratorError {
  return new OrchestratorError(
    "budget_exceeded",
    `Cannot make the next call: the run may use ${limit} ${
      NAMES[budget]
    } and has used ${spent}. Start it again with a larger budget.`,
    { details: { budget, limit, spent, ...asked } },
  );
}
