/** Reads one node of a document by the schema of its kind. @module */
import { type Json, parse, type Path, type Problem, unknownName } from "../../json/mod.ts";
import type { PipelineNode } from "./document.ts";
import { type AnyKind, kindOf, kinds } from "./kinds.ts";

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
