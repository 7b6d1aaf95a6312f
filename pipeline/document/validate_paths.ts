import type { Placed, Policies } from "../nodes/mod.ts";
import type { Path, Problem } from "../../json/mod.ts";

/** A node as far as its paths matter. */
interface Stop {
  name: string;
  node: Policies;
  targets: Placed<string>[];
}

/** Nodes that no path reaches or that never get to an end. Every node and edge must be sound. */
export function pathProblems(start: string, path: Path, nodes: Stop[]): Problem[] {
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
