/**
 * Walks a pipeline: the run function of every run.
 *
 * Boundary: one position, moved along the edges; what a node does is its kind's business.
 *
 * 1. Step keys depend only on the way taken: a node's name, `name#2` on its second visit.
 * 2. The way is a function of the input and of recorded outputs, so a replay takes the same one.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import type { RunFunction } from "../kernel/context.ts";
import type { Json } from "../kernel/events.ts";
import { type CompiledNode, kindOf, type NodeEnv } from "../steps/mod.ts";
import { DEFAULT_MAX_STEPS, type Definition } from "./document.ts";
import type { Evaluate } from "./expression.ts";
import type { Scope } from "./scope.ts";
import { schemaIssues } from "./schema.ts";
import { compileTemplate } from "./template.ts";

/** What programs need besides their definition. */
export type ProgramDeps = Omit<NodeEnv, "agents" | "prompts">;

/**
 * Makes the run function of a definition.
 *
 * @throws `pipeline_invalid` when the definition needs a task or agent that does not exist; the
 *   function it returns throws `validation_failed`, `step_limit_exceeded` and what its nodes throw
 */
export function createProgram(definition: Definition, deps: ProgramDeps): RunFunction {
  const { pipeline, agents, prompts } = definition;
  const env = { ...deps, agents, prompts };
  const nodes = new Map<string, CompiledNode>();
  for (const [name, node] of Object.entries(pipeline.nodes)) {
    nodes.set(name, kindOf(node)!.compile(node, env));
  }
  const output = pipeline.output === undefined ? undefined : compileTemplate(pipeline.output);
  return async (ctx, input) => {
    validateInput(definition, input);
    const { id, pipeline: name, created_at } = ctx.run;
    const scope: Scope = { input, nodes: {}, run: { id, pipeline: name, created_at } };
    const visits = new Map<string, number>();
    let left = pipeline.max_steps ?? DEFAULT_MAX_STEPS;
    let last: Json = null;
    for (let at: string | undefined = pipeline.start; at !== undefined;) {
      if (left-- === 0) throw tooManySteps(definition);
      const visit = (visits.get(at) ?? 0) + 1;
      visits.set(at, visit);
      const node: CompiledNode = nodes.get(at)!;
      last = await node.run(ctx, visit === 1 ? at : `${at}#${visit}`, scope);
      scope.nodes[at] = last;
      at = node.next(last);
    }
    return output ? finish(output, scope) : last;
  };
}

/**
 * Checks a run's input against its pipeline's `input` schema.
 *
 * @throws `validation_failed` with JSON pointers
 */
export function validateInput({ pipeline }: Definition, input: Json): void {
  if (!pipeline.input) return;
  const issues = schemaIssues(pipeline.input, input);
  if (issues.length === 0) return;
  const [{ location, message }] = issues as [typeof issues[number]];
  throw new OrchestratorError(
    "validation_failed",
    `Cannot run pipeline ${pipeline.name}: the input does not fit: ${location}: ${message} Mend the request.`,
    { issues },
  );
}

async function finish(output: Evaluate, scope: Scope): Promise<Json> {
  return await output(scope) ?? null;
}

function tooManySteps({ pipeline }: Definition): OrchestratorError {
  const limit = pipeline.max_steps ?? DEFAULT_MAX_STEPS;
  return new OrchestratorError(
    "step_limit_exceeded",
    `Cannot go on with pipeline ${pipeline.name}: it visited ${limit} nodes. Check its loops, or raise max_steps.`,
    { details: { max_steps: limit } },
  );
}
