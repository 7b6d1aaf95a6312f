/**
 * Finds everything that is wrong with a pipeline before anything runs.
 *
 * @module
 */
import { z } from "zod";
import { kindOf, kinds, type NodeEnv } from "../steps/mod.ts";
import type { NodeKind } from "../steps/kind.ts";
import { outlineSchema, type Pipeline, type PipelineNode } from "./document.ts";
import { inspectExpression } from "./expression.ts";
import { schemaProblems } from "./schema.ts";
import { unknownName } from "./suggest.ts";
import { type Embedded, expressionsOf } from "./template.ts";
import type { Path } from "./yaml.ts";

/** Nodes of a pipeline, at most. */
const MAX_NODES = 500;

/** One thing that is wrong, and where in the document. */
export interface Problem {
  path: Path;
  /** What is wrong and how to mend it. */
  message: string;
}

/** Names that nodes may refer to. A list that is absent is not checked. */
export interface KnownNames {
  agents?: string[];
  tasks?: string[];
  /** What the document must be called: its file's name. */
  name?: string;
}

/** A node with its kind. */
interface KnownNode {
  name: string;
  node: PipelineNode;
  // deno-lint-ignore no-explicit-any -- see `kinds`
  kind: NodeKind<any, NodeEnv>;
}

/** Reads a value as a pipeline. `problems` is empty exactly when the pipeline can run. */
export async function validatePipeline(value: unknown, known: KnownNames = {}): Promise<Problem[]> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [{ path: [], message: "a pipeline is a mapping with name, version, start and nodes" }];
  }
  const problems = schemaFailures(outlineSchema, value, []);
  const { name, nodes, input, output } = value as Partial<Pipeline>;
  if (known.name !== undefined && typeof name === "string" && name !== known.name) {
    const message = `must be the file's name: write "${known.name}" or rename the file`;
    problems.push({ path: ["name"], message });
  }
  if (input !== undefined) problems.push(...schemaProblems(input, ["input"]));
  if (typeof nodes !== "object" || nodes === null || Array.isArray(nodes)) return problems;
  if (Object.keys(nodes).length > MAX_NODES) {
    const message = `a pipeline has ${MAX_NODES} nodes at most: split it`;
    return [...problems, { path: ["nodes"], message }];
  }
  const good: KnownNode[] = [];
  for (const [name, node] of Object.entries(nodes)) {
    const kind = readNode(name, node, problems);
    if (kind) good.push({ name, node, kind });
  }
  problems.push(...referenceProblems(good, known));
  problems.push(...await templateProblems(good, output, Object.keys(nodes)));
  problems.push(...edgeProblems(value as Pipeline, good));
  return problems.length > 0 ? problems : pathProblems(value as Pipeline, good);
}

function readNode(name: string, node: unknown, problems: Problem[]): KnownNode["kind"] | undefined {
  const path = ["nodes", name];
  if (typeof node !== "object" || node === null || Array.isArray(node)) {
    return void problems.push({ path, message: `a node is a mapping with one of ${kindNames()}` });
  }
  const present = kinds.filter(({ kind }) => kind in node).map(({ kind }) => kind);
  if (present.length > 1) {
    const message = `a node does one thing, this one has ${present.join(" and ")}: keep one`;
    return void problems.push({ path, message });
  }
  const kind = kindOf(node);
  if (!kind) return void problems.push(...kindlessProblems(node, path));
  const failures = schemaFailures(kind.schema, node, path);
  problems.push(...failures);
  return failures.length === 0 ? kind : undefined;
}

function kindNames(): string {
  return kinds.map(({ kind }) => kind).join(", ");
}

/** A misspelt kind is an unknown field with a kind near to it. */
function kindlessProblems(node: object, path: Path): Problem[] {
  const fields = [...new Set(kinds.flatMap(({ schema }) => Object.keys(schema.shape)))];
  const unknown = Object.keys(node).filter((field) => !fields.includes(field));
  return [
    { path, message: `the node does not say what it does: add one of ${kindNames()}` },
    ...unknown.map((field) => ({
      path: [...path, field],
      message: unknownName("field", field, fields),
    })),
  ];
}

function schemaFailures(schema: z.ZodType, value: unknown, path: Path): Problem[] {
  const { error } = schema.safeParse(value);
  return (error?.issues ?? []).flatMap((issue) => {
    const at = issue.path.map((part) => typeof part === "symbol" ? String(part) : part);
    const here = [...path, ...at];
    if (issue.code === "unrecognized_keys") {
      const fields = fieldsAt(schema, at);
      return issue.keys.map((key) => ({
        path: [...here, key],
        message: unknownName("field", key, fields),
      }));
    }
    if (valueAt(value, at) === undefined) {
      return [{ path: here.slice(0, -1), message: `the field "${at.at(-1)}" is missing: add it` }];
    }
    const { message } = issue.code === "invalid_key" ? issue.issues[0] ?? issue : issue;
    return [{ path: here, message }];
  });
}

/** The fields that an object may have at a place of a schema. */
function fieldsAt(schema: z.ZodType, path: Path): string[] {
  let here = schema;
  for (const part of path) {
    if (here instanceof z.ZodObject) here = here.shape[part];
    else if (here instanceof z.ZodArray) here = here.element as z.ZodType;
    if (here instanceof z.ZodOptional) here = here.unwrap() as z.ZodType;
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (here, part) => (here as Record<string | number, unknown> | undefined)?.[part],
    value,
  );
}

function referenceProblems(nodes: KnownNode[], known: KnownNames): Problem[] {
  return nodes.flatMap(({ name, node, kind }) => {
    const names = kind.names && known[`${kind.names}s`];
    if (!names) return [];
    const wanted = String(node[kind.kind]);
    if (names.includes(wanted)) return [];
    const path = ["nodes", name, kind.kind];
    return [{ path, message: unknownName(kind.names!, wanted, names) }];
  });
}

async function templateProblems(
  nodes: KnownNode[],
  output: unknown,
  names: string[],
): Promise<Problem[]> {
  const templates = nodes.flatMap(({ name, node, kind }) =>
    kind.templates(node).map(({ path, value }) => ({ path: ["nodes", name, ...path], value }))
  );
  const found = [...templates, { path: ["output"], value: output }].map(embedded);
  const checked = await Promise.all(
    found.flatMap(({ expressions }) => expressions).map(({ path, source }) =>
      expressionProblems(path, source, names)
    ),
  );
  return [...found.flatMap(({ problems }) => problems), ...checked.flat()];
}

function embedded(template: { path: Path; value: unknown }) {
  const { path, value } = template;
  const none = { expressions: [] as Embedded[], problems: [] as Problem[] };
  try {
    return { ...none, expressions: expressionsOf(value, path) };
  } catch (error) {
    return { ...none, problems: [{ path, message: (error as Error).message }] };
  }
}

async function expressionProblems(path: Path, source: string, names: string[]): Promise<Problem[]> {
  const { problems, nodes } = await inspectExpression(source);
  return [
    ...problems.map(({ message }) => ({ path, message })),
    ...nodes.filter((name) => !names.includes(name)).map((name) => ({
      path,
      message: `in \${ ${source} }: ${unknownName("node", name, names)}`,
    })),
  ];
}

function edgeProblems({ start, nodes }: Pipeline, good: KnownNode[]): Problem[] {
  const names = Object.keys(nodes);
  const edges = good.flatMap(({ name, node, kind }) =>
    kind.targets(node).map(({ path, value }) => ({ path: ["nodes", name, ...path], value }))
  );
  if (typeof start === "string") edges.unshift({ path: ["start"], value: start });
  return edges.filter(({ value }) => !names.includes(value))
    .map(({ path, value }) => ({ path, message: unknownName("node", value, names) }));
}

/** Checks of the whole graph; they need every node and edge to be sound. */
function pathProblems({ start }: Pipeline, nodes: KnownNode[]): Problem[] {
  const edges = new Map(
    nodes.map(({ name, node, kind }) => [name, kind.targets(node).map(({ value }) => value)]),
  );
  const reached = spread([start], (name) => edges.get(name)!);
  const unreachable = [...edges.keys()].filter((name) => !reached.has(name));
  const ends = [...edges.keys()].filter((name) => edges.get(name)!.length === 0);
  const sources = (name: string) =>
    [...edges.keys()].filter((from) => edges.get(from)!.includes(name));
  const finishing = spread(ends, sources);
  const endless = [...reached].filter((name) => !finishing.has(name));
  return [
    ...unreachable.map((name) => ({
      path: ["nodes", name],
      message: `no path leads to node "${name}": let a node's next name it, or remove it`,
    })),
    ...endless.slice(0, 1).map((name) => ({
      path: ["nodes", name],
      message: `from node "${name}" there is no path to an end (${endless.join(" → ")}): ` +
        "leave out next where the run should end",
    })),
  ];
}

function spread(from: string[], neighbours: (name: string) => string[]): Set<string> {
  const seen = new Set(from);
  for (const name of seen) for (const other of neighbours(name)) seen.add(other);
  return seen;
}
