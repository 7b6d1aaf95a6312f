/** Node kinds, one file each. @module */
export { agent, type AgentEnv, conversation } from "./agent.ts";
export { approval, type ApprovalEnv } from "./approval.ts";
export { call, type CallEnv } from "./call.ts";
export { choose } from "./choose.ts";
export { compileInput } from "./input.ts";
export {
  anyNode,
  common,
  type CompiledNode,
  type Graph,
  type GraphEnv,
  next,
  nextTarget,
  type NodeKind,
  nodeName,
  type Placed,
  type PlacedGraph,
  type Policies,
  type RunNode,
} from "./kind.ts";
export { map } from "./map.ts";
export { parallel } from "./parallel.ts";
export { pipeline, type PipelineEnv } from "./pipeline.ts";
export { caught, failureOf, limited } from "./policy.ts";
export { retrieve, type RetrieveEnv, type Search } from "./retrieve.ts";
export { type Task, task, type Tasks } from "./task.ts";
export { tool, type ToolEnv } from "./tool.ts";
export { transform } from "./transform.ts";
export { wait } from "./wait.ts";
