/** The node kinds there are. A new kind is one file here and one line in `kinds`. @module */
import { agent, type AgentEnv } from "./agent.ts";
import { approval, type ApprovalEnv } from "./approval.ts";
import { call, type CallEnv } from "./call.ts";
import { choose } from "./choose.ts";
import type { GraphEnv, NodeKind } from "./kind.ts";
import { map } from "./map.ts";
import { parallel } from "./parallel.ts";
import { pipeline, type PipelineEnv } from "./pipeline.ts";
import { plan, type PlanEnv } from "./plan.ts";
import { retrieve, type RetrieveEnv } from "./retrieve.ts";
import { task, type Tasks } from "./task.ts";
import { tool, type ToolEnv } from "./tool.ts";
import { transform } from "./transform.ts";
import { wait } from "./wait.ts";

export type { Task, Tasks } from "./task.ts";
export type { CompiledNode, NodeKind } from "./kind.ts";

/** What nodes need from outside. */
export type NodeEnv =
  & AgentEnv
  & ApprovalEnv
  & CallEnv
  & PipelineEnv
  & PlanEnv
  & RetrieveEnv
  & ToolEnv
  & GraphEnv
  & {
    tasks: Tasks;
  };

/** Every kind, in the order in which documents describe them. */
// deno-lint-ignore no-explicit-any -- each kind knows its own nodes; its schema has checked them
export const kinds: NodeKind<any, NodeEnv>[] = [
  agent,
  task,
  tool,
  call,
  retrieve,
  approval,
  transform,
  choose,
  wait,
  parallel,
  map,
  pipeline,
  plan,
];

/** The kind whose field a node has. */
export function kindOf(node: object): (typeof kinds)[number] | undefined {
  return kinds.find(({ kind }) => kind in node);
}
