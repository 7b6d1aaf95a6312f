/**
 * What nodes say of trying again, of time limits and of errors, for every kind alike.
 *
 * Nodes that are one step, or make their own, leave tries and time to the kernel. For the others a visit `name` is tried
 * again as `name~2`, after the wait `name~2/pause`; a time limit makes it a group. What a node has
 * recorded decides all of it, so a replay goes the same way.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type OrchestratorError, toOrchestratorError } from "../../errors.ts";
import {
  type Json,
  retryDelay,
  type RunContext,
  type RunInfo,
  type StepOptions,
  type StepScope,
} from "../kernel/mod.ts";
import type { Scope } from "../language/mod.ts";
import {
  type CompiledNode,
  type Limits,
  type NodeKind,
  type Policies,
  type RunNode,
  stepLimits,
  type StepNode,
} from "./kind.ts";

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

/** Puts a node's limits around its run. Gives `run` itself when the kernel does all of it. */
export function limited(
  node: Limits,
  kind: Pick<NodeKind<never, never>, "kind" | "recorded">,
  run: RunNode,
): RunNode {
  if (kind.recorded === "step" || kind.recorded === "own") return run;
  const { retry, timeout_ms } = stepLimits(node);
  const hasGroup = kind.recorded === "group" || timeout_ms !== undefined;
  const visit = hasGroup ? grouped(run, kind, timeout_ms) : run;
  return retry ? retried(visit, retry) : visit;
}

function grouped(
  run: RunNode,
  { kind, recorded }: Pick<NodeKind<never, never>, "kind" | "recorded">,
  timeout_ms: number | undefined,
): RunNode {
  const inner = recorded === "group" ? "" : `/${kind}`;
  const options = { kind, ...(timeout_ms === undefined ? {} : { timeout_ms }) };
  return (ctx, key, scope, walk) =>
    ctx.group(key, (within) => run(within, key + inner, scope, walk), options);
}

/** Only time ends it. */
const PAUSE = { kind: "pause", reusable: true };

function retried(run: RunNode, retry: StepOptions["retry"]): RunNode {
  return async (ctx, key, scope, walk) => {
    for (let attempt = 1;; attempt++) {
      try {
        return await run(ctx, attempt === 1 ? key : `${key}~${attempt}`, scope, walk);
      } catch (thrown) {
        const error = failureOf(ctx, thrown);
        const visit = `${key}~${attempt + 1}`;
        const pause = error && retryDelay(retry, attempt, error, () => drawn(ctx.run.id, visit));
        if (pause === undefined) throw thrown;
        await ctx.wait(`${visit}/pause`, { ...PAUSE, timeout_ms: pause });
      }
    }
  };
}

/** A number from 0 to 1: the same one on a replay, another one for each visit of each run. */
function drawn(run: string, visit: string): number {
  return createHash("sha256").update(`${run}/${visit}`).digest().readUInt32BE() / 2 ** 32;
}

/** Where a node's `catch` leads after an error, and the node's output. Throws what it does not catch. */
export function caught(
  ctx: RunContext,
  ways: NonNullable<Policies["catch"]>,
  thrown: unknown,
): { output: Json; next: string } {
  const error = failureOf(ctx, thrown);
  const way = error && ways.find(({ errors }) => isMeant(errors, error));
  if (!way) throw thrown;
  const { code, message, issues } = error;
  return {
    output: { error: { code, message, ...(issues ? { issues: issues as unknown as Json } : {}) } },
    next: way.next,
  };
}

/**
 * An error that belongs to the pipeline. Nothing when the branch was stopped or nothing can be
 * recorded. A cancelled run that is replayed still takes the ways that it took, so an error counts
 * for what it is, not for the state of the branch.
 */
export function failureOf(ctx: RunContext, thrown: unknown): OrchestratorError | undefined {
  const error = toOrchestratorError(thrown);
  const isForeign = thrown === ctx.signal.reason || error.kind === "cancelled" ||
    error.code === "store_unavailable";
  return isForeign ? undefined : error;
}

/** A spent budget is spent for what comes next, too: only those who name it catch it. */
function isMeant(errors: string[], { code }: OrchestratorError): boolean {
  return errors.includes(code) || (errors.includes("all") && code !== "budget_exceeded");
}
