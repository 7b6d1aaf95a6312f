/**
 * What a node kind is. A kind is one file in this folder and one line in `table.ts`: everything else
 * (schema, validation, interpreter, caches, views of runs) works from this description.
 *
 * @module
 */
import * as z from "zod";
import type { AgentProfile } from "../agent/mod.ts";
import type { Json, RetryPolicy, RunContext, StepOptions } from "../kernel/mod.ts";
import { compileTemplate, type Evaluate, type Scope, type Walk } from "../language/mod.ts";
import type { Path } from "../../json/mod.ts";

/** A value with its place in the node. */
export interface Placed<T> {
  path: Path;
  value: T;
}

/** Runs one visit under step key `key` and gives the node's output. */
export type RunNode = (
  ctx: RunContext,
  key: string,
  scope: Scope,
  /** What the walk hands to nodes with graphs inside. */
  walk?: Walk,
) => Promise<Json>;

/** A node that is ready to run. */
export interface CompiledNode {
  run: RunNode;
  /** Which node comes after an output; nothing at the end. */
  next(output: Json): string | undefined;
}

declare const isOneStep: unique symbol;

/** A node whose visit is one step. Only `oneStep()` makes one, so the step is always made. */
export interface StepNode extends CompiledNode {
  readonly [isOneStep]: true;
}

/** Nodes and edges: a pipeline's, or those inside a node. */
export interface Graph {
  start: string;
  nodes: Record<string, Record<string, Json | undefined>>;
  /** Template of the graph's output; without it: the last node's output. */
  output?: Json;
}

/** What nodes with graphs inside need. */
export interface GraphEnv {
  /** The graphs inside the node, in the order of {@linkcode NodeKind.graphs}. */
  graphs?: RunNode[];
}

/**
 * What a visit of node `a` leaves in the journal under its key.
 *
 * - `group`: several steps. The walk makes a group `a` around them, retries it and ends it in time.
 *   Right for every kind, and costs two events. Example: `map`, whose nodes are the steps
 *   `a[0]/fetch`, `a[1]/fetch`.
 * - `step`: the step `a`, whose result is the output. `oneStep()` makes it and gives it the node's
 *   limits; the compiler takes nothing else. Example: `transform`.
 * - `own`: steps that the code behind the node makes. That code gets {@linkcode stepLimits}: without
 *   them `retry` and `timeout_seconds` do nothing. Example: `agent`, whose loop makes the steps
 *   `a/llm#1`, `a/tool#1`.
 * - `outputOf`: one wait, group or run of its own. The walk retries it and ends it in time (what the
 *   node does has the key `a/KIND` then). `outputOf` reads the node's output from the record; wrong,
 *   the state of a run shows what no expression sees. Nothing: the visit has no output. Example:
 *   `wait`, which records `{ signal: payload }` and whose output is the payload.
 */
export type Recorded = "group" | "step" | "own" | { outputOf(record: Json): Json | undefined };

/** Agents by name. */
export type Agents = Record<string, AgentProfile>;

/** Something outside the document that a node names; a tool's name may end in `*` for anything. */
export interface Reference extends Placed<string> {
  to: "agent" | "task" | "tool" | "pipeline" | "service";
}

/** A kind of node. `Env` is what its nodes need from outside. */
export type NodeKind<Node, Env> = StepKind<Node, Env> | OtherKind<Node, Env>;

interface StepKind<Node, Env> extends KindFields<Node> {
  readonly recorded: "step";
  compile(node: Node, env: Env): StepNode;
}

interface OtherKind<Node, Env> extends KindFields<Node> {
  readonly recorded: Exclude<Recorded, "step">;
  compile(node: Node, env: Env): CompiledNode;
}

/** What kinds have in common. */
interface KindFields<Node> {
  /** The field that identifies the kind: `agent`, `task`, … Also the `kind` of its steps. */
  readonly kind: string;
  /** A strict object schema of the whole node. */
  readonly schema: z.ZodObject;
  /**
   * Whether the output may depend on who started the run, or on what someone answered it. The `cache`
   * of a node keeps such an output for that user alone. `true` is right for every kind; wrongly
   * `false`, one user is given what was made for another.
   */
  readonly personal: boolean | ((node: Node, agents: Agents) => boolean);
  readonly recorded: Recorded;
  /**
   * The fields by which it does without an approval what takes one by default: whoever stores such a
   * node needs a grant. Wrongly `false`, any author lets tools act on what strangers wrote.
   */
  readonly loosens: false | ((node: Node) => string[]);
  /** Its templates. */
  templates(node: Node): Placed<unknown>[];
  /** Where it leads; empty at the end. */
  targets(node: Node): Placed<string>[];
  /** The graphs inside it. */
  graphs?(node: Node): PlacedGraph[];
  /** What it names outside the document, where the document says which; runs keep that. */
  references?(node: Node): Reference[];
  /** Whether it may use every agent that takes tasks, not only those that it names. */
  usesAnyAgent?(node: Node): boolean;
}

/** A graph inside a node. */
export interface PlacedGraph extends Placed<Graph> {
  /** Names that its expressions may use besides those of the graph around it. */
  variables?: string[];
}

/** Nodes inside a node. They are read one by one, kind by kind, for better messages. */
export const anyNode = z.unknown().describe("A node.");

/** Names of nodes, branches and variables. */
export const nodeName = z.string().regex(
  /^[A-Za-z][A-Za-z0-9_]*$/,
  "a node's name consists of letters, digits and _, so that ${ nodes.name } works",
);

/** A graph inside a node. */
export const graph = z.strictObject({
  start: z.string().describe("The first node."),
  nodes: z.record(nodeName, anyNode).describe("The nodes by name."),
  output: z.unknown().optional().describe(
    "The graph's output: any value with ${ expressions }. Without it: the last node's.",
  ),
});

/** How many branches may fail. */
export const tolerated = z.union([z.int().min(0).max(10_000), z.literal("all")], {
  error: 'must be a number of branches, or "all"',
}).optional().describe("Branches that may fail; their output is { error: { code, message } }.");

const seconds = z.number().min(0).max(86_400 * 365);
const errors = z.array(
  z.string().regex(/^[a-z][a-z0-9_]*$/, "a code consists of lower-case letters, digits and _"),
).min(1);

const retryPolicy = z.strictObject({
  errors: errors.optional().describe(
    'Codes of the errors to retry; "all" for every code. Default: transient errors.',
  ),
  max_attempts: z.int().min(1).max(100).optional()
    .describe("Maximum number of attempts, including the first."),
  interval_seconds: seconds.optional().describe("Delay before the second attempt."),
  backoff_rate: z.number().min(1).max(100).optional().describe("Factor by which the delay grows."),
  max_delay_seconds: seconds.optional().describe("Longest delay."),
  jitter: z.enum(["full", "none"]).optional()
    .describe("full: a random part of the computed delay. none: exactly that delay."),
}).meta({ id: "retry" });

/** How often and how long a node may try. */
export const limits = {
  retry: z.union([retryPolicy, z.array(retryPolicy).min(1)], {
    error: "must be a policy or a list of policies",
  }).optional().describe(
    "How failures are retried. Of several policies, the first one that matches the error applies.",
  ),
  timeout_seconds: z.number().positive().max(86_400 * 365).optional().describe(
    "Time limit for one attempt, or for everything inside a node with steps of its own.",
  ),
};

/** Fields of every node. */
export const common = {
  description: z.string().optional().describe("What this node is for."),
  ...limits,
  catch: z.array(
    z.strictObject({
      errors: errors.describe('Codes of the errors to catch; "all" for every code.'),
      next: z.string().describe("The next node after such an error."),
    }).meta({ id: "catch" }),
  ).min(1).optional().describe(
    "Where to continue after an error. The node's output is then { error: { code, message } }.",
  ),
  cache: z.strictObject({
    ttl_seconds: seconds.describe("How long an output may be reused."),
    key: z.string().optional().describe("The cache key. Default: the node's with."),
  }).meta({ id: "cache" }).optional().describe("Reuses an output of an earlier run."),
  on_fail: z.array(z.string()).min(1).optional().describe(
    "Nodes that undo what this one did, if the run fails.",
  ),
  on_cancel: z.array(z.string()).min(1).optional().describe(
    "Nodes that undo what this one did, if the run is cancelled.",
  ),
};

/** The edge of every node that leads to one place. */
export const next = {
  next: z.string().optional().describe("The next node. Without it, the run ends here."),
};

/** The input of nodes that take one. */
export const withInput = {
  with: z.unknown().optional().describe(
    "The node's input: any value with ${ expressions }. Without it: the fields of the run's input and the outputs of the nodes so far, by name.",
  ),
};

/** What {@linkcode limits} holds once read. */
export interface Limits {
  retry?: z.infer<typeof limits.retry>;
  timeout_seconds?: number;
}

/** What {@linkcode common} holds once read. */
export interface Policies extends Limits {
  catch?: { errors: string[]; next: string }[];
  cache?: { ttl_seconds: number; key?: string };
  on_fail?: string[];
  on_cancel?: string[];
}

/** The limits of a node as options of a step; absent ones are left to the kernel's defaults. */
export function stepLimits(node: Limits): Pick<StepOptions, "retry" | "timeout_ms"> {
  const { retry, timeout_seconds } = node;
  return {
    ...(retry ? { retry: Array.isArray(retry) ? retry.map(kernelRetry) : kernelRetry(retry) } : {}),
    ...(timeout_seconds === undefined ? {} : { timeout_ms: timeout_seconds * 1_000 }),
  };
}

function kernelRetry(retry: z.infer<typeof retryPolicy>): Partial<RetryPolicy> {
  const { errors, max_attempts, interval_seconds, backoff_rate, max_delay_seconds, jitter } = retry;
  return {
    ...(errors ? { errors } : {}),
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

/** Prepares a node's `with`; without one the input is {@linkcode defaultInput}. */
export function compileInput(node: { with?: unknown }): Evaluate {
  const evaluate = node.with === undefined ? defaultInput : compileTemplate(node.with as Json);
  return (scope) => scope.given === undefined ? evaluate(scope) : scope.given;
}

/** A node's `with`, as a kind's list of templates has it. */
export function inputTemplate(node: { with?: unknown }): Placed<unknown>[] {
  return node.with === undefined ? [] : [{ path: ["with"], value: node.with }];
}

/**
 * The run's input (its fields, or `input` when it is no object), the outputs so far by node name,
 * and a map's item and index.
 */
function defaultInput({ input, nodes, run: _run, given: _given, ...variables }: Scope): Json {
  const fields = typeof input === "object" && input !== null && !Array.isArray(input)
    ? input
    : { input };
  return { ...fields, ...nodes, ...variables };
}
