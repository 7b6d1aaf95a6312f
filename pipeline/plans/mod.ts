/** Plans: goals that agents break into steps, and how those are carried out. @module */
export type { Capabilities, PipelineOffer, PipelineOffers } from "./capabilities.ts";
export { plan, type PlanEnv } from "./node.ts";
export { createPipelineOffers } from "./offers.ts";
export { type AdoptedPlan, type Plan, planSchema, type PlanStep } from "./plan.ts";
export { type PlanState, planState, type StepState } from "./state.ts";
export { capabilitiesTask } from "./task.ts";
export { planIssues } from "./validate.ts";
