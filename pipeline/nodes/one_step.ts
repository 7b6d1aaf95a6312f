/** Makes the nodes of kinds that are recorded as `step`. @module */
import type { Json, RunInfo, StepOptions, StepScope } from "../kernel/mod.ts";
import type { Scope } from "../language/mod.ts";
import { type CompiledNode, type Limits, stepLimits, type StepNode } from "./kind.ts";

/** What a visit does. It runs again until it is recorded, then never. */
export type Work = (scope: Scope, step: StepScope, run: RunInfo) => Json | Promise<Json>;

/** How a node's step is made, besides what `node` says of retries and time. */
export interface OneStep extends Pick<StepOptions, "effect" | "timeout_ms"> {
  kind: string;
  node: Limits;
  next: CompiledNode["next"];
}

/** A node whose every visit is one step, with the node's limits; its result is the output. */
export function oneStep({ node, next, ...rest }: OneStep, work: Work): StepNode {
  const options = { ...rest, ...stepLimits(node) };
  const compiled: CompiledNode = {
    run: (ctx, key, scope) => ctx.step(key, (step) => work(scope, step, ctx.run), options),
    next,
  };
  return compiled as StepNode;
}
