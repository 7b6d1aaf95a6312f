/**
 * What a node kind is. A kind is one file in this folder plus one line in `mod.ts`: everything else
 * (schema, validation, interpreter) works from this description.
 *
 * @module
 */
import { z } from "zod";
import type { RetryPolicy, RunContext } from "../kernel/context.ts";
import type { Json } from "../kernel/events.ts";
import type { Scope } from "../graph/scope.ts";
import type { Path } from "../graph/yaml.ts";

/** A value with its place in the node. */
export interface Placed<T> {
  path: Path;
  value: T;
}

/** A node that is ready to run. */
export interface CompiledNode {
  /** Runs one visit under step key `key` and gives the node's output. */
  run(ctx: RunContext, key: string, scope: Scope): Promise<Json>;
  /** Which node comes after an output; nothing at the end. */
  next(output: Json): string | undefined;
}

/** A kind of node. `Env` is what its nodes need from outside. */
export interface NodeKind<Node, Env> {
  /** The field that tells the kind: `agent`, `task`, … */
  readonly kind: string;
  /** A strict object schema of the whole node. */
  readonly schema: z.ZodObject;
  /** What the value of the kind's field names, where it names something outside the document. */
  readonly names?: "agent" | "task";
  /** Its templates. */
  templates(node: Node): Placed<unknown>[];
  /** Where it leads; empty at the end. */
  targets(node: Node): Placed<string>[];
  compile(node: Node, env: Env): CompiledNode;
}

/** Fields of every node. */
export const common = {
  description: z.string().optional().describe("What this node is for."),
};

/** The edge of every node that leads to one place. */
export const next = {
  next: z.string().optional().describe("The node that comes next. Without it the run ends here."),
};

/** The input of nodes that take one. */
export const withInput = {
  with: z.unknown().optional().describe(
    "The node's input: any value with ${ expressions }. Without it: the fields of the run's input and the outputs of the nodes so far, by name.",
  ),
};

const seconds = z.number().min(0).max(86_400 * 365);

/** How often and how long a node may try. */
export const limits = {
  retry: z.strictObject({
    max_attempts: z.int().min(1).max(100).optional()
      .describe("Attempts in all, the first included."),
    interval_seconds: seconds.optional().describe("Pause before the second attempt."),
    backoff_rate: z.number().min(1).max(100).optional().describe("Factor between pauses."),
    max_delay_seconds: seconds.optional().describe("Longest pause."),
    jitter: z.enum(["full", "none"]).optional()
      .describe("full: a random part of the computed pause. none: exactly that pause."),
  }).optional().describe("Trying again after errors that may pass."),
  timeout_seconds: z.number().positive().max(86_400).optional()
    .describe("Longest time of one attempt."),
};

/** What {@linkcode limits} holds once read. */
export interface Limits {
  retry?: z.infer<typeof limits.retry>;
  timeout_seconds?: number;
}

/** The limits of a node as options of a step; absent ones are left to the kernel's defaults. */
export function stepLimits(
  node: Limits,
): { retry?: Partial<RetryPolicy>; timeout_ms?: number } {
  const { retry, timeout_seconds } = node;
  return {
    ...(retry ? { retry: retryPolicy(retry) } : {}),
    ...(timeout_seconds === undefined ? {} : { timeout_ms: timeout_seconds * 1_000 }),
  };
}

function retryPolicy(retry: NonNullable<Limits["retry"]>): Partial<RetryPolicy> {
  const { max_attempts, interval_seconds, backoff_rate, max_delay_seconds, jitter } = retry;
  return {
    ...(max_attempts === undefined ? {} : { max_attempts }),
    ...(interval_seconds === undefined ? {} : { interval_ms: interval_seconds * 1_000 }),
    ...(backoff_rate === undefined ? {} : { backoff_rate }),
    ...(max_delay_seconds === undefined ? {} : { max_delay_ms: max_delay_seconds * 1_000 }),
    ...(jitter === undefined ? {} : { jitter }),
  };
}

/** The edge of a node with one `next`, as {@linkcode NodeKind.targets} gives it. */
export function nextTarget(node: { next?: string }): Placed<string>[] {
  return node.next === undefined ? [] : [{ path: ["next"], value: node.next }];
}
