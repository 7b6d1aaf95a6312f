/** Shows a plan to people before it is carried out. @module */
import { type Issue, OrchestratorError } from "../../errors.ts";
import { type ApprovalDeps, requestApproval } from "../calls/approvals/mod.ts";
import type { RunContext } from "../kernel/mod.ts";
import { type Plan, planSchema } from "./plan.ts";
import { planIssues, type PlanRules, withoutKept } from "./validate.ts";

/** What was decided: the plan as it was approved, or what is to be different. */
export type PlanVerdict = { plan: Plan } | { comment: string };

/** A plan to decide about. */
export interface PlanQuestion {
  goal: string;
  plan: Plan;
  rules: PlanRules;
}

/**
 * Asks whether a plan may be carried out. A plan that was edited so that it cannot be is asked about
 * again, with what is wrong.
 *
 * @param nextKey keys of the approvals, another one each time
 * @throws `approval_rejected` when it was rejected without a comment; as `requestApproval`
 */
export async function askForPlan(
  ctx: RunContext,
  nextKey: () => string,
  { goal, plan, rules }: PlanQuestion,
  deps: ApprovalDeps,
): Promise<PlanVerdict> {
  let issues: Issue[] = [];
  for (let payload = plan;;) {
    const { decision, by, comment, payload: decided } = await requestApproval(ctx, nextKey(), {
      title: `Carry out this plan? ${goal.slice(0, 200)}`,
      preview: previewOf(payload, rules, issues),
      payload,
      schema: planSchema,
      editable: true,
    }, deps);
    if (decision !== "approved") {
      if (comment) return { comment };
      throw rejected(goal, by);
    }
    issues = await planIssues(decided, rules);
    payload = decided as Plan;
    if (issues.length === 0) return { plan: withoutKept(payload, rules.kept) };
  }
}

function previewOf({ summary, steps }: Plan, { kept }: PlanRules, issues: Issue[]): string {
  const lines = steps.map(({ id, title, kind, name, depends_on }) => {
    const after = depends_on.length === 0 ? "" : `, after ${depends_on.join(", ")}`;
    return `- ${id}: ${title} (${kind} ${name}${after})`;
  });
  const done = kept.map(({ id, title }) => `- ${id}: ${title} (finished)`);
  const wrong = issues.map(({ location, message }) => `- ${location}: ${message}`);
  return [
    ...(wrong.length > 0 ? ["The edited plan is invalid:", ...wrong, ""] : []),
    summary,
    "",
    ...done,
    ...lines,
  ].join("\n");
}

function rejected(goal: string, by: string[]): OrchestratorError {
  return new OrchestratorError(
    "approval_rejected",
    `Cannot reach the goal ${JSON.stringify(goal.slice(0, 100))}: ${by.join(", ")} rejected the ` +
      "plan. Reject with a comment to have it replanned.",
    { details: { by } },
  );
}
