import { type AnyKind, kindOf } from "./kinds.ts";
import type { Path } from "../../json/mod.ts";
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
