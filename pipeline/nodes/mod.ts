/** Node kinds, one file each, and the table of them. @module */
export { agent, type AgentEnv, conversation } from "./agent.ts";
export {
  anyNode,
  common,
  type CompiledNode,
  compileInput,
  type Graph,
  next,
  nextTarget,
  type NodeKind,
  nodeName,
  type Placed,
  type PlacedGraph,
  type Policies,
  type Reference,
  type RunNode,
} from "./kind.ts";
export { pipeline } from "./pipeline.ts";
export { caught, failureOf, limited } from "./policy.ts";
export type { Search } from "./retrieve.ts";
export { nodeKinds } from "./table.ts";
export type { Task, Tasks } from "./task.ts";
export { tool, type ToolEnv } from "./tool.ts";
