/**
 * What a pipeline document is: a zod schema, published as JSON Schema for editors.
 *
 * @module
 */
import * as z from "zod";
import type { JsonSchema } from "../../llm/mod.ts";
import type { AgentProfile } from "../agent/mod.ts";
import type { Concurrency, Json, RunBudget } from "../kernel/mod.ts";
import { anyNode, nodeName } from "../nodes/mod.ts";
import { kinds } from "./kinds.ts";

/** Visits of nodes that a run may make unless its pipeline says otherwise. */
export const DEFAULT_MAX_STEPS = 1_000;

/** A node: plain JSON that fits the schema of its kind. */
export type PipelineNode = Record<string, Json | undefined>;

/** When runs of a pipeline start by themselves. */
export interface Schedule {
  /** Five fields, or a name such as `@daily`. */
  cron: string;
  /** A name such as `Europe/Vienna`; default UTC. */
  timezone?: string;
  input?: Json;
  /** What happens with times that came while no service was running; default `skip`. */
  missed?: "skip" | "once";
}

/** A pipeline document. */
export interface Pipeline {
  name: string;
  description?: string;
  version: number;
  /** JSON Schema of the run's input. */
  input?: JsonSchema;
  start: string;
  nodes: Record<string, PipelineNode>;
  /** Template of the run's output; without it: the last node's output. */
  output?: Json;
  max_steps?: number;
  /** How many runs with the same key may execute at a time. `key` is a template over the run's input. */
  concurrency?: { key: string; limit: number; on_busy?: Concurrency["on_busy"] };
  budget?: RunBudget;
  /** How long a chat response of it may be given again. */
  cache?: { ttl_seconds: number };
  priority?: number;
  schedule?: Schedule[];
}

/** Everything a run keeps of what it was started with. Plain JSON. */
export interface Definition {
  pipeline: Pipeline;
  agents: Record<string, AgentProfile>;
  prompts: Record<string, string>;
  /** Versions of the pipelines that it runs, by name; absent if it runs none. */
  pipelines?: Record<string, string>;
}

const concurrency = z.strictObject({
  key: z.string().min(1).describe(
    "The key that runs share: a text with ${ expressions } over the input.",
  ),
  limit: z.int().min(1).max(10_000).describe(
    "How many runs with the same key may execute at a time.",
  ),
  on_busy: z.enum(["enqueue", "reject", "interrupt"]).optional().describe(
    "What a run beyond the limit does. enqueue: it waits for its turn. reject: it does not start. interrupt: it cancels the earlier runs. Default enqueue.",
  ),
});

const budget = z.strictObject({
  tokens: z.int().min(1).optional().describe("Input and output tokens together."),
  cost_usd: z.number().positive().optional().describe("US dollars."),
  steps: z.int().min(1).optional().describe("Steps that have an effect outside."),
  seconds: z.number().positive().optional().describe(
    "Seconds since the start, including time spent waiting.",
  ),
  on_exceeded: z.enum(["fail", "approval"]).optional().describe(
    "What happens before the call that would exceed the budget. fail: the run fails. approval: the run requests more. Default fail.",
  ),
});

const schedule = z.strictObject({
  cron: z.string().describe("Five fields, such as 0 9 * * 1-5, or a name such as @daily."),
  timezone: z.string().optional().describe("A name such as Europe/Vienna. Default UTC."),
  input: z.unknown().optional().describe("The run's input. Default: an empty object."),
  missed: z.enum(["skip", "once"]).optional().describe(
    "What to do about ticks that passed while no service was running. once: one run for all of them. Default skip.",
  ),
});

/** The schema of a pipeline document. Its nodes are read kind by kind, for better messages. */
export const pipelineSchema = z.strictObject({
  name: z.string().regex(
    /^[a-z0-9][a-z0-9_-]*$/,
    "a name consists of lower-case letters, digits, _ and -",
  ).describe("The file's name without .yaml."),
  description: z.string().optional().describe("What the pipeline is for."),
  version: z.int().min(1).describe("Raise it with every change."),
  input: z.record(z.string(), z.unknown()).optional()
    .describe("JSON Schema of the run's input."),
  start: z.string().describe("The first node."),
  nodes: z.record(nodeName, anyNode).describe("The nodes by name."),
  output: z.unknown().optional()
    .describe("The run's output: any value with ${ expressions }. Without it: the last node's."),
  max_steps: z.int().min(1).max(100_000).optional().describe(
    `How many nodes a run may visit, loops included. Default ${DEFAULT_MAX_STEPS}.`,
  ),
  concurrency: concurrency.optional().describe("How many runs may execute at a time."),
  budget: budget.optional().describe("What a run may spend."),
  cache: z.strictObject({
    ttl_seconds: z.number().min(0).max(86_400 * 365)
      .describe("For how long; 0 disables it. Without cache: RESPONSE_CACHE_TTL."),
  }).optional().describe(
    "Reuses a chat response for the same request, if nothing that it depends on has changed.",
  ),
  priority: z.int().min(-100).max(100).optional()
    .describe("Runs with a higher priority get a free slot first. Default 0."),
  schedule: z.array(schedule).min(1).max(20).optional()
    .describe("When runs start automatically."),
});

const nodeSchemas = z.union(kinds.map(({ schema }) => schema));

/** The JSON Schema of pipeline documents. */
export function pipelineJsonSchema(): JsonSchema {
  const { $defs, ...document } = jsonSchemaOf(pipelineSchema);
  const { $schema: _, $defs: more, ...node } = jsonSchemaOf(nodeSchemas);
  return {
    ...document,
    title: "Orchestrator pipeline",
    $defs: { ...$defs as JsonSchema, ...more as JsonSchema, node },
  };
}

/** Nodes hold graphs that hold nodes: each place for a node refers to one schema of them all. */
function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    target: "draft-2020-12",
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === anyNode) jsonSchema.$ref = "#/$defs/node";
    },
  }) as JsonSchema;
}
