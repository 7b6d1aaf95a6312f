/**
 * Makes programs of pipelines: the run function of every run.
 *
 * Boundary: the input's schema, the walk, and what must be put right when the walk ends badly.
 *
 * @module
 */
import { OrchestratorError, sentence, toOrchestratorError } from "../../errors.ts";
import type { Json, RunContext, RunFunction } from "../kernel/mod.ts";
import { DEFAULT_MAX_STEPS, type Definition, type NodeEnv } from "../document/mod.ts";
import { isTainted, nameUrls } from "../calls/mod.ts";
import type { NodeCache } from "./cache.ts";
import { compensate } from "./compensate.ts";
import { schemaIssues } from "../../json/mod.ts";
import type { Scope, Walk } from "../language/mod.ts";
import { type CompiledGraph, compileGraph, walkGraph } from "./walk.ts";

/** What programs need besides their definition. */
export type ProgramDeps = Omit<NodeEnv, "agents" | "prompts" | "pipelines" | "graphs"> & {
  /** Where outputs are kept that are used again; without it none is. */
  cache?: NodeCache;
};

/**
 * Makes the run function of a definition.
 *
 * @throws `pipeline_invalid` when the definition needs a task or agent that does not exist; the
 *   function it returns throws `validation_failed`, `step_limit_exceeded` and what its nodes throw
 */
export function createProgram(
  definition: Definition,
  { cache, ...deps }: ProgramDeps,
): RunFunction {
  const { pipeline, agents, prompts, pipelines } = definition;
  const env = { ...deps, agents, prompts, pipelines };
  const graphs = new Map<string, CompiledGraph>();
  const graph = compileGraph(pipeline, { env, definition, cache, graphs });
  const max_steps = pipeline.max_steps ?? DEFAULT_MAX_STEPS;
  return async (ctx, input) => {
    validateInput(definition, input);
    if (!isTainted(ctx.run)) nameUrls(ctx.run, input);
    const { id, pipeline: name, created_at } = ctx.run;
    const scope: Scope = { input, nodes: {}, run: { id, pipeline: name, created_at } };
    const walk: Walk = { budget: { max_steps, left: max_steps }, begun: [] };
    try {
      return await walkGraph(graph, ctx, "", scope, walk);
    } catch (thrown) {
      if (!graph.undoes) throw thrown;
      throw await compensated(ctx, graphs, walk, thrown);
    }
  };
}

/** What continues in another process is not undone here: shutdown, a lost claim, a lost store. */
async function compensated(
  ctx: RunContext,
  graphs: ReadonlyMap<string, CompiledGraph>,
  walk: Walk,
  thrown: unknown,
): Promise<unknown> {
  const error = whyItEnds(ctx.signal, toOrchestratorError(thrown));
  const isOver = error.code === "run_cancelled" ||
    (error.kind !== "cancelled" && error.code !== "store_unavailable");
  return isOver ? await compensate(ctx, graphs, walk, error) : thrown;
}

/** As the kernel sees it: a failure that came before a cancel could stop anything is a failure. */
function whyItEnds(signal: AbortSignal, error: OrchestratorError): OrchestratorError {
  if (!signal.aborted) return error;
  const reason = toOrchestratorError(signal.reason);
  return reason.code === "run_cancelled" && error.kind !== "cancelled" ? error : reason;
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
    `Cannot run pipeline ${pipeline.name}: the input does not match its schema: ${location}: ${
      sentence(message)
    } Fix the request.`,
    { issues },
  );
}
