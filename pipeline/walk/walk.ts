/**
 * Walks graphs: a pipeline's, and those inside its nodes.
 *
 * Boundary: one position in each graph, moved along the edges; what a node does is its kind's
 * business.
 *
 * 1. Step keys depend only on the way taken: a node's name, `name#2` on its second visit, after the
 *    key of the graph around it (`checks.tone/score`, `tasks[3]/fetch`).
 * 2. The way is a function of the input and of recorded outputs, so a replay takes the same one.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import type { Json, RunContext } from "../kernel/mod.ts";
import {
  caught,
  type CompiledNode,
  type Graph,
  limited,
  type Policies,
  type RunNode,
} from "../nodes/mod.ts";
import {
  type Definition,
  kindOf,
  type NodeEnv,
  nodesWithin,
  type PipelineNode,
} from "../document/mod.ts";
import { remembered } from "./begun.ts";
import { cached, type NodeCache } from "./cache.ts";
import { compileTemplate, type Evaluate, type Scope, type Walk } from "../language/mod.ts";

/** A node that is ready to be visited. */
interface Place {
  run: RunNode;
  next: CompiledNode["next"];
  catch?: Policies["catch"];
  /** Nodes that undo it. */
  undo?: Pick<Policies, "on_fail" | "on_cancel">;
  takesInput: boolean;
}

/** A graph that is ready to be walked. */
export interface CompiledGraph {
  /** Its place in the pipeline. */
  readonly id: string;
  readonly start: string;
  readonly places: ReadonlyMap<string, Place>;
  readonly output?: Evaluate;
  /** True when it or a graph inside it has nodes with compensation. */
  readonly undoes: boolean;
}

/** What graphs are compiled with. */
export interface GraphDeps {
  env: NodeEnv;
  definition: Definition;
  cache?: NodeCache;
  /** Gets every graph, by id. */
  graphs: Map<string, CompiledGraph>;
}

/** Compiles a graph and those inside it. @throws `pipeline_invalid` */
export function compileGraph(graph: Graph, deps: GraphDeps, id = ""): CompiledGraph {
  const places = new Map<string, Place>();
  let undoes = false;
  for (const [name, node] of Object.entries(graph.nodes)) {
    const { place, inner } = compilePlace(node, deps, `${id}/${name}`);
    places.set(name, place);
    undoes ||= place.undo !== undefined || inner;
  }
  const output = graph.output === undefined ? undefined : compileTemplate(graph.output);
  const compiled = { id, start: graph.start, places, output, undoes };
  deps.graphs.set(id, compiled);
  return compiled;
}

function compilePlace(
  node: PipelineNode,
  deps: GraphDeps,
  id: string,
): { place: Place; inner: boolean } {
  const kind = kindOf(node)!;
  const graphs = (kind.graphs?.(node) ?? []).map(({ path, value }) =>
    compileGraph(value, deps, [id, ...path].join("."))
  );
  const inner = graphs.some(({ undoes }) => undoes);
  const compiled = kind.compile(node, { ...deps.env, graphs: graphs.map(inside) });
  const { on_fail, on_cancel, cache, ...policies } = node as Policies;
  let run = limited(policies, kind, compiled.run);
  if (inner) run = remembered(run);
  if (cache && deps.cache) {
    run = cached(nodesWithin(node), cache, deps.definition, deps.cache, run);
  }
  const place = {
    run,
    next: compiled.next,
    takesInput: "with" in kind.schema.shape,
    ...(policies.catch ? { catch: policies.catch } : {}),
    ...(on_fail || on_cancel ? { undo: { on_fail, on_cancel } } : {}),
  };
  return { place, inner };
}

/** A graph as the node around it sees it: its key becomes part of the keys inside. */
function inside(graph: CompiledGraph): RunNode {
  return (ctx, key, scope, walk) =>
    walkGraph(graph, ctx, `${key}/`, { ...scope, nodes: { ...scope.nodes } }, walk!);
}

/**
 * Walks a graph from its start to an end and gives its output.
 *
 * @param prefix what the keys of its steps begin with
 * @param scope gets the outputs of its nodes
 * @throws `step_limit_exceeded` and what its nodes throw
 */
export async function walkGraph(
  graph: CompiledGraph,
  ctx: RunContext,
  prefix: string,
  scope: Scope,
  walk: Walk,
): Promise<Json> {
  const visits = new Map<string, number>();
  let last: Json = null;
  for (let at: string | undefined = graph.start; at !== undefined;) {
    if (walk.budget.left-- <= 0) throw tooManySteps(ctx, walk);
    const place: Place = graph.places.get(at)!;
    const visit = (visits.get(at) ?? 0) + 1;
    visits.set(at, visit);
    const key = visit === 1 ? prefix + at : `${prefix}${at}#${visit}`;
    if (place.undo) walk.begun.push({ graph: graph.id, prefix, node: at, scope });
    let next: string | undefined;
    try {
      last = await place.run(ctx, key, given(ctx, key, place, scope), walk);
      next = place.next(last);
    } catch (error) {
      if (!place.catch) throw error;
      ({ output: last, next } = caught(ctx, place.catch, error));
    }
    scope.nodes[at] = last;
    at = next;
  }
  return graph.output ? await graph.output(scope) ?? null : last;
}

/** The scope of a visit: a restarted run may set the input of the step that it restarts from. */
function given(ctx: RunContext, key: string, { takesInput }: Place, scope: Scope): Scope {
  const { restart } = ctx.run;
  if (restart?.with === undefined || restart.from !== key) return scope;
  if (takesInput) return { ...scope, given: restart.with };
  throw new OrchestratorError(
    "validation_failed",
    `Cannot restart from ${key} with another input: the node has no input. Remove the input.`,
  );
}

function tooManySteps({ run }: RunContext, { budget }: Walk): OrchestratorError {
  return new OrchestratorError(
    "step_limit_exceeded",
    `Cannot continue pipeline ${run.pipeline}: it visited ${budget.max_steps} nodes. Check its loops, or raise max_steps.`,
    { details: { max_steps: budget.max_steps } },
  );
}
