/** Calls that reach outside: the gate before tools, taint, budgets, services. @module */
export { createBudgetGate } from "./budget.ts";
export { keepsEvent } from "./events.ts";
export type { AskPolicy } from "./gate.ts";
export { select } from "./select.ts";
export { callService, failed, type Fetch, type ServiceRequest, type Services } from "./services.ts";
export { isTainted, nameUrls, taint } from "./taint.ts";
export {
  admit,
  callTool,
  describeTool,
  type ToolCallDeps,
  type ToolOutcome,
  type ToolRequest,
  type Tools,
  tryTool,
} from "./tool_call.ts";
