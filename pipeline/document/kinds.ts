/** The node kinds there are. A new kind is one file in `nodes/` and one line in `kinds`. @module */
import {
  agent,
  type AgentEnv,
  approval,
  type ApprovalEnv,
  call,
  type CallEnv,
  choose,
  type GraphEnv,
  map,
  type NodeKind,
  parallel,
  pipeline,
  type PipelineEnv,
  retrieve,
  type RetrieveEnv,
  task,
  type Tasks,
  tool,
  type ToolEnv,
  transform,
  wait,
} from "../nodes/mod.ts";
import { plan, type PlanEnv } from "../plans/mod.ts";

export type { CompiledNode, NodeKind, Task, Tasks } from "../nodes/mod.ts";

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
