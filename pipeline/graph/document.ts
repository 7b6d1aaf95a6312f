/**
 * What a pipeline document is: a zod schema, published as JSON Schema for editors.
 *
 * @module
 */
import { z } from "zod";
import type { JsonSchema } from "../../llm/model.ts";
import type { AgentProfile } from "../agent/profile.ts";
import type { Json } from "../kernel/events.ts";
import { kinds } from "../steps/mod.ts";

/** Visits of nodes that a run may make unless its pipeline says otherwise. */
export const DEFAULT_MAX_STEPS = 1_000;

/** A node: plain JSON that fits the schema of its kind. */
export type PipelineNode = Record<string, Json | undefined>;

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
}

/** Everything a run keeps of what it was started with. Plain JSON. */
export interface Definition {
  pipeline: Pipeline;
  agents: Record<string, AgentProfile>;
  prompts: Record<string, string>;
}

const nodeName = z.string().regex(
  /^[A-Za-z][A-Za-z0-9_]*$/,
  "a node's name is letters, digits and _, so that ${ nodes.name } works",
);

const [first, ...rest] = kinds.map(({ schema }) => schema);

/** The schema of a pipeline document. */
export const pipelineSchema = z.strictObject({
  name: z.string().regex(
    /^[a-z0-9][a-z0-9_-]*$/,
    "a name is lower-case letters, digits, _ and -",
  ).describe("The file's name without .yaml."),
  description: z.string().optional().describe("What the pipeline is for."),
  version: z.int().min(1).describe("Raise it with every change."),
  input: z.record(z.string(), z.unknown()).optional()
    .describe("JSON Schema of the run's input."),
  start: z.string().describe("The first node."),
  nodes: z.record(nodeName, z.union([first!, ...rest])).describe("The nodes by name."),
  output: z.unknown().optional()
    .describe("The run's output: any value with ${ expressions }. Without it: the last node's."),
  max_steps: z.int().min(1).max(100_000).optional().describe(
    `How many nodes a run may visit, loops included. Default ${DEFAULT_MAX_STEPS}.`,
  ),
});

/** The document without its nodes, which are read kind by kind for better messages. */
export const outlineSchema = pipelineSchema.extend({ nodes: z.record(nodeName, z.unknown()) });

/** The JSON Schema of pipeline documents. */
export function pipelineJsonSchema(): JsonSchema {
  return {
    ...z.toJSONSchema(pipelineSchema, { target: "draft-2020-12", io: "input" }),
    title: "Orchestrator pipeline",
  };
}
