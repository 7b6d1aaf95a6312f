/** Nodes of a document: reading one by its kind, those inside it, and what they name. @module */
import { type Json, parse, type Path, type Problem, unknownName } from "../../json/mod.ts";
import { type AnyKind, kindOf, kinds } from "./kinds.ts";
import type { Reference } from "../nodes/mod.ts";
import type { Pipeline, PipelineNode } from "./document.ts";
import { readYaml } from "../language/mod.ts";

/** A node, where it is, and what its kind says of it. */
export interface KindedNode {
  node: PipelineNode;
  kind: AnyKind;
  /** In what it was looked for in. */
  path: Path;
}

/** A node, then all nodes in the graphs inside it. It must be sound. */
export function nodesWithin(node: PipelineNode, path: Path = []): KindedNode[] {
  const kind = kindOf(node);
  if (!kind) return [];
  const graphs = kind.graphs?.(node) ?? [];
  const inner = graphs.flatMap((graph) => allNodes(graph.value.nodes, [...path, ...graph.path]));
  return [{ node, kind, path }, ...inner];
}

/** All nodes of a graph and of the graphs inside it. */
export function allNodes(nodes: Record<string, PipelineNode>, path: Path = []): KindedNode[] {
  return Object.entries(nodes).flatMap(([name, node]) =>
    nodesWithin(node, [...path, "nodes", name])
  );
}

/** What nodes name outside their document, names of one sort only, sorted. */
export function namesOf(sort: Reference["to"], nodes: KindedNode[]): string[] {
  return [...new Set(referencesOf(sort, nodes).map(({ value }) => value))].sort();
}

/** The tools that a sound document's nodes name, and where. */
export function namedTools(text: string): { name: string; location: string }[] {
  const { value, locate } = readYaml(text);
  return referencesOf("tool", allNodes((value as Pipeline).nodes))
    .map(({ path, value: name }) => ({ name, location: locate(path) }));
}

/** Where a sound document's nodes do without an approval what takes one by default. */
export function loosenings(text: string): string[] {
  const { value, locate } = readYaml(text);
  return allNodes((value as Pipeline).nodes).flatMap(({ node, kind, path }) =>
    (kind.loosens ? kind.loosens(node) : []).map((field) => locate([...path, field]))
  );
}

/** True when one of the nodes may use every agent that takes tasks. */
export function useAnyAgent(nodes: KindedNode[]): boolean {
  return nodes.some(({ node, kind }) => kind.usesAnyAgent?.(node));
}

function referencesOf(sort: Reference["to"], nodes: KindedNode[]): Reference[] {
  return nodes.flatMap(({ node, kind, path }) =>
    (kind.references?.(node) ?? []).filter(({ to }) => to === sort)
      .map((reference) => ({ ...reference, path: [...path, ...reference.path] }))
  );
}

/** What is wrong with a node; and the node, as far as the rest of it can be checked. */
export interface ReadNode {
  problems: Problem[];
  sound?: { node: PipelineNode; kind: AnyKind };
}

/** Reads a node. Without the fields that are wrong it may still be a node, with edges to check. */
export function readNode(value: unknown): ReadNode {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return problem(`a node is a mapping with one of ${kindNames()}`);
  }
  const present = kinds.filter(({ kind }) => kind in value).map(({ kind }) => kind);
  if (present.length > 1) {
    return problem(`a node does one thing, this one has ${present.join(" and ")}: keep one`);
  }
  const kind = kindOf(value);
  if (!kind) return { problems: kindlessProblems(value) };
  const node = value as PipelineNode;
  const { problems } = parse(kind.schema, node);
  if (!problems) return { problems: [], sound: { node, kind } };
  const rest = without(node, problems.map(({ path }) => path));
  const isSound = kind.schema.safeParse(rest).success;
  return { problems, ...(isSound ? { sound: { node: rest, kind } } : {}) };
}

function problem(message: string): ReadNode {
  return { problems: [{ path: [], message }] };
}

function kindNames(): string {
  return kinds.map(({ kind }) => kind).join(", ");
}

/** A misspelt kind is an unknown field with a kind near to it. */
function kindlessProblems(node: object): Problem[] {
  const fields = [...new Set(kinds.flatMap(({ schema }) => Object.keys(schema.shape)))];
  const unknown = Object.keys(node).filter((field) => !fields.includes(field));
  return [
    { path: [], message: `the node does not say what it does: add one of ${kindNames()}` },
    ...unknown.map((field) => ({ path: [field], message: unknownName("field", field, fields) })),
  ];
}

/** A copy without the fields at some paths. Items of lists stay: the others would change place. */
function without(node: PipelineNode, paths: Path[]): PipelineNode {
  const copy = structuredClone(node);
  for (const path of paths) {
    const around = path.slice(0, -1).reduce<Json | undefined>(
      (value, part) => (value as Record<string, Json> | undefined)?.[part],
      copy as Json,
    );
    const isMapping = typeof around === "object" && around !== null && !Array.isArray(around);
    if (isMapping) delete around[path.at(-1)!];
  }
  return copy;
}
