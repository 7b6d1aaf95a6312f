import { kindOf } from "./kinds.ts";
import type { Path } from "../../json/mod.ts";
import type { Placed } from "../nodes/mod.ts";
import type { Pipeline, PipelineNode } from "./document.ts";
import { isTemplate, readYaml } from "../language/mod.ts";

/** A node and all nodes in the graphs inside it. It must be sound. */
export function nodesWithin(node: PipelineNode): PipelineNode[] {
  const graphs = kindOf(node)?.graphs?.(node) ?? [];
  return [node, ...graphs.flatMap(({ value }) => allNodes(value.nodes))];
}

/** All nodes of a graph and of the graphs inside it. */
export function allNodes(nodes: Record<string, PipelineNode>): PipelineNode[] {
  return Object.values(nodes).flatMap(nodesWithin);
}

/**
 * Names of one kind that nodes name outside of their document, sorted: `agent`, `pipeline`. Those
 * that are known only when the node runs are left out.
 */
export function namesOf(kind: "agent" | "pipeline", nodes: Record<string, PipelineNode>): string[] {
  const all = allNodes(nodes);
  const named = all.filter((node) => kindOf(node)?.names === kind);
  const names = named.map((node) => String(node[kind])).filter((name) => !isTemplate(name));
  if (kind === "agent") {
    names.push(...all.flatMap((node) => agentsOf(node).named.map(({ value }) => value)));
  }
  return [...new Set(names)].sort();
}

/** The tools that a sound document's nodes name, and where. */
export function namedTools(text: string): { name: string; location: string }[] {
  const { value, locate } = readYaml(text);
  const { nodes } = value as Pipeline;
  return toolsIn(nodes, ["nodes"])
    .map(({ path, value: name }) => ({ name, location: locate(path) }));
}

function toolsIn(nodes: Record<string, PipelineNode>, around: Path): Placed<string>[] {
  return Object.entries(nodes).flatMap(([name, node]) => {
    const path = [...around, name];
    const kind = kindOf(node);
    const own = kind?.tools?.(node) ?? [];
    const graphs = kind?.graphs?.(node) ?? [];
    return [
      ...own.map((tool) => ({ ...tool, path: [...path, ...tool.path] })),
      ...graphs.flatMap((inner) =>
        toolsIn(inner.value.nodes as Record<string, PipelineNode>, [
          ...path,
          ...inner.path,
          "nodes",
        ])
      ),
    ];
  });
}

/** True when a node may let every agent work that takes tasks of others. */
export function wantsAllAgents(nodes: Record<string, PipelineNode>): boolean {
  return allNodes(nodes).some((node) => agentsOf(node).all);
}

function agentsOf(node: PipelineNode): { named: { value: string }[]; all: boolean } {
  return kindOf(node)?.agents?.(node) ?? { named: [], all: false };
}
