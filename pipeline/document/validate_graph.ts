/**
 * Checks graphs: a pipeline's, and those inside its nodes.
 *
 * @module
 */
import type { Graph, Placed, PlacedGraph, Policies } from "../nodes/mod.ts";
import type { AnyKind } from "./kinds.ts";
import type { PipelineNode } from "./document.ts";
import { type Embedded, expressionsOf, inspectExpression } from "../language/mod.ts";
import { type Path, type Problem, unknownName } from "../../json/mod.ts";
import { readNode } from "./nodes.ts";

/** Nodes of a pipeline, at most. */
const MAX_NODES = 500;

/** Names that nodes may refer to. A list that is absent is not checked. */
export interface KnownNames {
  agents?: string[];
  tasks?: string[];
  pipelines?: string[];
  services?: string[];
  /** What the document must be called: its file's name. */
  name?: string;
}

/** What expressions at a place may use. */
export interface Visible {
  /** Names of nodes. */
  nodes: string[];
  /** What paths may begin with. */
  roots: string[];
}

const TOP: Visible = { nodes: [], roots: ["input", "nodes", "run"] };

/** A node that fits the schema of its kind, at least without the fields that do not. */
interface KnownNode {
  name: string;
  node: PipelineNode & Policies;
  kind: AnyKind;
  /** Its place in the document. */
  path: Path;
  /** Where it leads, with places in the document. */
  targets: Placed<string>[];
  /** The graphs inside it, with places in the document. */
  graphs: PlacedGraph[];
}

/** Checks the graphs of one document. */
export class GraphCheck {
  private count = 0;

  constructor(private readonly known: KnownNames) {}

  /** What is wrong with a graph at `path` and with those inside it. */
  async problems(graph: Graph, path: Path, around = TOP): Promise<Problem[]> {
    const names = Object.keys(graph.nodes);
    this.count += names.length;
    if (this.count > MAX_NODES) {
      const message = `a pipeline may have at most ${MAX_NODES} nodes: split it`;
      return [{ path: [...path, "nodes"], message }];
    }
    const problems: Problem[] = [];
    const nodes = names.flatMap((name) => {
      const at = [...path, "nodes", name];
      const { problems: wrong, sound } = readNode(graph.nodes[name]);
      problems.push(...wrong.map((problem) => ({ ...problem, path: [...at, ...problem.path] })));
      return sound ? [knownNode(name, sound.node, sound.kind, at)] : [];
    });
    const visible = { ...around, nodes: [...around.nodes, ...names] };
    const seenBy = visibility(visible, nodes);
    problems.push(
      ...nodes.flatMap((node) => this.references(node)),
      ...nodes.flatMap((node) => policyProblems(node, nodes, names)),
      ...await expressionsProblems(nodes, seenBy),
      ...await templateProblems([{ path: [...path, "output"], value: graph.output }], visible),
      ...edgeProblems(graph, path, nodes, around),
      ...await this.inner(nodes, seenBy),
    );
    const isSound = problems.length === 0 && typeof graph.start === "string";
    return isSound ? pathProblems(graph.start, path, nodes) : problems;
  }

  /** Names outside the document. Tools come and go, so their names are checked elsewhere. */
  private references({ node, kind, path }: KnownNode): Problem[] {
    return (kind.references?.(node) ?? []).flatMap(({ to, value, path: at }) => {
      const names = to === "tool" ? undefined : this.known[`${to}s`];
      if (!names || names.includes(value)) return [];
      return [{ path: [...path, ...at], message: unknownName(to, value, names) }];
    });
  }

  private async inner(nodes: KnownNode[], seenBy: SeenBy): Promise<Problem[]> {
    const problems: Problem[] = [];
    for (const known of nodes) {
      const { nodes: names, roots } = seenBy(known);
      for (const { path, value, variables = [] } of known.graphs) {
        const visible = { nodes: names, roots: [...new Set([...roots, ...variables])] };
        problems.push(...await this.problems(value, path, visible));
      }
    }
    return problems;
  }
}

/** What the expressions of a node may use. */
type SeenBy = (node: KnownNode) => Visible;

/** Nodes that put things right also see the error. */
function visibility(visible: Visible, nodes: KnownNode[]): SeenBy {
  const undo = new Set(nodes.flatMap(undoing).map(({ value }) => value));
  const withError = { ...visible, roots: [...visible.roots, "error"] };
  return ({ name }) => undo.has(name) ? withError : visible;
}

function knownNode(
  name: string,
  node: PipelineNode & Policies,
  kind: KnownNode["kind"],
  path: Path,
): KnownNode {
  const place = <T extends Placed<unknown>>(part: T) => ({
    ...part,
    path: [...path, ...part.path],
  });
  const catches = (node.catch ?? []).map(({ next }, index) => ({
    path: ["catch", index, "next"],
    value: next,
  }));
  return {
    name,
    node,
    kind,
    path,
    targets: [...kind.targets(node), ...catches].map(place),
    graphs: (kind.graphs?.(node) ?? []).map(place),
  };
}

/** Names of the nodes that undo a node, with their places. */
function undoing({ node, path }: KnownNode): Placed<string>[] {
  return (["on_fail", "on_cancel"] as const).flatMap((field) =>
    (node[field] ?? []).map((value, index) => ({ path: [...path, field, index], value }))
  );
}

function policyProblems(known: KnownNode, nodes: KnownNode[], names: string[]): Problem[] {
  const { node, path } = known;
  const problems = undoing(known).flatMap((undo) => {
    const why = compensationProblem(undo.value, nodes, names);
    return why === undefined ? [] : [{ path: undo.path, message: why }];
  });
  if (node.cache && node.cache.key === undefined && (node as PipelineNode).with === undefined) {
    const message = 'the cache key is unknown: add "with" to the node, or a key here';
    problems.push({ path: [...path, "cache"], message });
  }
  return problems;
}

/** Why a node cannot undo another one, if so. */
function compensationProblem(
  name: string,
  nodes: KnownNode[],
  names: string[],
): string | undefined {
  if (!names.includes(name)) return unknownName("node", name, names);
  const found = nodes.find((node) => node.name === name);
  const role = `node "${name}" undoes work after the run has ended`;
  if (found && found.targets.length > 0) return `${role}, so it leads nowhere: remove its edges`;
  if (found && undoing(found).length > 0) return `${role} and is not undone itself`;
  const isTarget = nodes.some(({ targets }) => targets.some(({ value }) => value === name));
  return isTarget ? `${role}, so no edge may lead to it: remove that edge` : undefined;
}

async function expressionsProblems(nodes: KnownNode[], seenBy: SeenBy): Promise<Problem[]> {
  const found = await Promise.all(
    nodes.map((known) => templateProblems(templatesOf(known), seenBy(known))),
  );
  return found.flat();
}

function templatesOf({ node, kind, path }: KnownNode): Placed<unknown>[] {
  const own = kind.templates(node);
  const key = node.cache?.key === undefined
    ? []
    : [{ path: ["cache", "key"], value: node.cache.key }];
  return [...own, ...key].map((part) => ({ path: [...path, ...part.path], value: part.value }));
}

/** What is wrong with the expressions of templates. */
export async function templateProblems(
  templates: Placed<unknown>[],
  visible: Visible,
): Promise<Problem[]> {
  const found = templates.map(embedded);
  const checked = await Promise.all(
    found.flatMap(({ expressions }) => expressions)
      .map((expression) => expressionProblems(expression, visible)),
  );
  return [...found.flatMap(({ problems }) => problems), ...checked.flat()];
}

function embedded({ path, value }: Placed<unknown>) {
  const none = { expressions: [] as Embedded[], problems: [] as Problem[] };
  try {
    return { ...none, expressions: expressionsOf(value, path) };
  } catch (error) {
    return { ...none, problems: [{ path, message: (error as Error).message }] };
  }
}

async function expressionProblems(
  { path, source }: Embedded,
  { nodes: names, roots }: Visible,
): Promise<Problem[]> {
  const { problems, nodes } = await inspectExpression(source, roots);
  return [
    ...problems.map(({ message }) => ({ path, message })),
    ...nodes.filter((name) => !names.includes(name)).map((name) => ({
      path,
      message: `in \${ ${source} }: ${unknownName("node", name, names)}`,
    })),
  ];
}

function edgeProblems(graph: Graph, path: Path, nodes: KnownNode[], around: Visible): Problem[] {
  const names = Object.keys(graph.nodes);
  const edges = nodes.flatMap(({ targets }) => targets);
  if (typeof graph.start === "string") {
    edges.unshift({ path: [...path, "start"], value: graph.start });
  }
  const within = nodes.flatMap(({ graphs }) =>
    graphs.flatMap(({ value }) => Object.keys(value.nodes))
  );
  return edges.filter(({ value }) => !names.includes(value)).map(({ path, value }) => {
    if (around.nodes.includes(value)) {
      const message = `node "${value}" is outside: an edge may not leave its branch or body. ` +
        "Remove next to end it";
      return { path, message };
    }
    if (within.includes(value)) {
      const message =
        `node "${value}" is inside another one: an edge may not enter a branch or body`;
      return { path, message };
    }
    return { path, message: unknownName("node", value, names) };
  });
}

/** A node as far as its paths matter. */
interface Stop {
  name: string;
  node: Policies;
  targets: Placed<string>[];
}

/** Nodes that no path reaches or that never get to an end. Every node and edge must be sound. */
function pathProblems(start: string, path: Path, nodes: Stop[]): Problem[] {
  const undo = new Set(nodes.flatMap(({ node: { on_fail = [], on_cancel = [] } }) => [
    ...on_fail,
    ...on_cancel,
  ]));
  const edges = new Map(
    nodes.map(({ name, targets }) => [name, targets.map(({ value }) => value)]),
  );
  const reached = spread([start], (name) => edges.get(name)!);
  const unreachable = [...edges.keys()].filter((name) => !reached.has(name) && !undo.has(name));
  const ends = [...edges.keys()].filter((name) => edges.get(name)!.length === 0);
  const sources = (name: string) =>
    [...edges.keys()].filter((from) => edges.get(from)!.includes(name));
  const finishing = spread(ends, sources);
  const endless = [...reached].filter((name) => !finishing.has(name));
  return [
    ...unreachable.map((name) => ({
      path: [...path, "nodes", name],
      message: `no path leads to node "${name}": add an edge to it, or remove it`,
    })),
    ...endless.slice(0, 1).map((name) => ({
      path: [...path, "nodes", name],
      message: `from node "${name}" there is no path to an end (${endless.join(" → ")}): ` +
        "remove next where the run should end",
    })),
  ];
}

function spread(from: string[], neighbours: (name: string) => string[]): Set<string> {
  const seen = new Set(from);
  for (const name of seen) for (const other of neighbours(name)) seen.add(other);
  return seen;
}
