import * as z from "zod";
import { OrchestratorError, sentence } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import { compileTemplate, isTemplate, type Scope } from "../language/mod.ts";
import { childId, type Json, type RunContext, type RunResult } from "../kernel/mod.ts";
import { unknownName } from "../../json/mod.ts";
import { isTainted, taint } from "../calls/mod.ts";
import {
  common,
  compileInput,
  inputTemplate,
  next,
  nextTarget,
  type NodeKind,
  withInput,
} from "./kind.ts";

/** Runs within runs, at most, where the pipeline is chosen by an expression. */
const MAX_DEPTH = 5;

interface PipelineNode {
  pipeline: string;
  with?: unknown;
  next?: string;
}

/** What nodes that run other pipelines need. */
export interface PipelineEnv {
  /** Versions of the pipelines within the definition's, by name. */
  pipelines?: Record<string, string>;
  /**
   * The current version of a pipeline for a new run with `input`; without it names must be known
   * beforehand.
   *
   * @throws `not_found`, `validation_failed`, and `pipeline_invalid` and the like
   */
  resolvePipeline?: (caller: Caller, name: string, input: Json) => Promise<string>;
}

/** `pipeline: name` runs another pipeline as a run of its own. */
export const pipeline: NodeKind<PipelineNode, PipelineEnv> = {
  kind: "pipeline",
  personal: true,
  recorded: { outputOf: outputOfRun },
  loosens: false,
  schema: z.strictObject({
    pipeline: z.string().describe(
      "Name of another pipeline, or an ${ expression } that returns it when the node runs.",
    ),
    ...common,
    ...withInput,
    ...next,
  }),
  templates: (node) => [{ path: ["pipeline"], value: node.pipeline }, ...inputTemplate(node)],
  targets: nextTarget,
  references: ({ pipeline: value }) =>
    isTemplate(value) ? [] : [{ to: "pipeline", path: ["pipeline"], value }],
  compile(node, env) {
    const choose = isTemplate(node.pipeline) ? chosen(node.pipeline, env) : fixed(node, env);
    const evaluate = compileInput(node);
    return {
      async run(ctx, key, scope) {
        const input = await evaluate(scope) ?? null;
        const { name, version } = await choose(ctx, key, scope, input);
        const tainted = isTainted(ctx.run) ? { tainted: true } : {};
        const result = await ctx.child(key, { pipeline: name, version, input, ...tainted });
        // What comes back may hold what the other run has read.
        taint(ctx);
        if (result.status === "completed") return result.output;
        throw childFailed(name, { step: key, run_id: childId(ctx.run.id, key) }, result);
      },
      next: () => node.next,
    };
  },
};

/** The record is the signal of the run's end. A run that did not complete has no output. */
function outputOfRun(record: Json): Json | undefined {
  const { signal } = record as { signal?: { result: RunResult } };
  if (signal === undefined) return record;
  return signal.result.status === "completed" ? signal.result.output : undefined;
}

/** Which pipeline a visit runs. */
type Choose = (
  ctx: RunContext,
  key: string,
  scope: Scope,
  input: Json,
) => Promise<{ name: string; version: string }>;

/** A pipeline that is known beforehand: the run keeps the version that it was started with. */
function fixed({ pipeline: name }: PipelineNode, { pipelines = {} }: PipelineEnv): Choose {
  const version = Object.hasOwn(pipelines, name) ? pipelines[name] : undefined;
  if (version === undefined) {
    const why = unknownName("pipeline", name, Object.keys(pipelines));
    throw new OrchestratorError(
      "pipeline_invalid",
      `Cannot run pipeline "${name}": ${sentence(why)}`,
    );
  }
  return () => Promise.resolve({ name, version });
}

/** A pipeline that is named when the node runs: what was found is recorded as `KEY/resolve`. */
function chosen(template: string, { resolvePipeline }: PipelineEnv): Choose {
  const evaluate = compileTemplate(template);
  return async (ctx, key, scope, input) => {
    const name = await evaluate(scope);
    refuseDepth(ctx, key);
    return await ctx.step(`${key}/resolve`, async () => {
      if (typeof name !== "string" || !resolvePipeline) throw noName(key, name);
      return { name, version: await resolvePipeline(ctx.run.caller, name, input) };
    }, { effect: "none", kind: "resolve" });
  };
}

/** A pipeline that is chosen late may choose its own one again: somewhere that has to end. */
function refuseDepth({ run: { ancestors = [] } }: RunContext, key: string): void {
  if (ancestors.length < MAX_DEPTH) return;
  throw new OrchestratorError(
    "step_limit_exceeded",
    `Cannot start ${key}: runs may be nested ${MAX_DEPTH} levels deep. Check which pipelines choose each other.`,
    { details: { max_depth: MAX_DEPTH } },
  );
}

function noName(key: string, name: Json | undefined): OrchestratorError {
  return new OrchestratorError(
    "not_found",
    `Cannot start ${key}: its expression returned ${
      JSON.stringify(name ?? null).slice(0, 100)
    }, not the name of a pipeline. Fix the expression.`,
  );
}

/** What may pass in the child may pass here. */
function childFailed(
  name: string,
  { step, run_id }: { step: string; run_id: string },
  result: Exclude<RunResult, { status: "completed" }>,
): OrchestratorError {
  const { code, message, kind } = result.status === "failed" ? result.error : {
    code: "run_cancelled",
    message: result.reason ?? "it was cancelled",
    kind: "terminal",
  };
  return new OrchestratorError(
    "child_failed",
    `Cannot finish ${step}: the run of pipeline ${name} ended with ${code}: ${
      sentence(message)
    } See run ${run_id}.`,
    { kind: kind === "retryable" ? kind : "terminal", details: { step, run_id, code, message } },
  );
}
