/** Plans: goals that agents break into steps, and how those are carried out. @module */
export { type Capabilities, type PipelineOffer, type PipelineOffers } from "./capabilities.ts";
export { createPipelineOffers } from "./offers.ts";
export { type AdoptedPlan, type Plan, planSchema, type PlanStep } from "./plan.ts";
export { type PlanState, planState, type StepState } from "./state.ts";
export { planIssues } from "./validate.ts";
