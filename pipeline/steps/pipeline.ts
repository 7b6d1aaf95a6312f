import { z } from "zod";
import { OrchestratorError } from "../../errors.ts";
import { childId } from "../kernel/child.ts";
import type { RunResult } from "../kernel/runs.ts";
import { unknownName } from "../../json/suggest.ts";
import { compileInput, inputTemplate } from "./input.ts";
import { common, next, nextTarget, type NodeKind, withInput } from "./kind.ts";

interface PipelineNode {
  pipeline: string;
  with?: unknown;
  next?: string;
}

/** What nodes that run other pipelines need. */
export interface PipelineEnv {
  /** Versions of the pipelines within the definition's, by name. */
  pipelines?: Record<string, string>;
}

/** `pipeline: name` runs another pipeline as a run of its own. */
export const pipeline: NodeKind<PipelineNode, PipelineEnv> = {
  kind: "pipeline",
  names: "pipeline",
  composite: "wait",
  schema: z.strictObject({
    pipeline: z.string().describe("Name of another pipeline."),
    ...common,
    ...withInput,
    ...next,
  }),
  templates: inputTemplate,
  targets: nextTarget,
  compile(node, { pipelines = {} }) {
    const version = Object.hasOwn(pipelines, node.pipeline) ? pipelines[node.pipeline] : undefined;
    if (version === undefined) {
      const why = unknownName("pipeline", node.pipeline, Object.keys(pipelines));
      throw new OrchestratorError(
        "pipeline_invalid",
        `Cannot run pipeline "${node.pipeline}": ${why}`,
      );
    }
    const evaluate = compileInput(node);
    return {
      async run(ctx, key, scope) {
        const input = await evaluate(scope) ?? null;
        const result = await ctx.child(key, { pipeline: node.pipeline, version, input });
        if (result.status === "completed") return result.output;
        throw childFailed(node.pipeline, { step: key, run_id: childId(ctx.run.id, key) }, result);
      },
      next: () => node.next,
    };
  },
};

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
    `Cannot finish ${step}: the run of pipeline ${name} ended with ${code}: ${message} Look at run ${run_id}.`,
    { kind: kind === "retryable" ? kind : "terminal", details: { step, run_id, code, message } },
  );
}
