/**
 * Expressions: JSONata over a run's input and the outputs of its nodes. Plain paths, which most
 * expressions are, are followed without JSONata, with the same meaning.
 *
 * @module
 */
import type { Json } from "../kernel/mod.ts";
import { forbidden } from "./builtins.ts";
import { type Ast, compileProgram } from "./sandbox.ts";
import type { Scope } from "./scope.ts";

/** Gives a value, at once where it can. Nothing (`undefined`) when a path leads nowhere. */
export type Evaluate = (scope: Scope) => Json | undefined | Promise<Json | undefined>;

/** `name.name` or `` name.`any name` ``; words with a meaning of their own are left to JSONata. */
const STEP = /(?:[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)/y;
const RESERVED = new Set(["and", "or", "in", "true", "false", "null", "function"]);

/**
 * Prepares an expression; it is compiled on first use.
 *
 * @throws (when evaluated) `expression_failed`, `expression_limit`
 */
export function compileExpression(source: string): Evaluate {
  const slow = compileSlow(source);
  const path = plainPath(source.trim());
  if (!path) return slow;
  return (scope) => {
    let value: unknown = scope;
    for (const name of path) {
      // JSONata maps over arrays on the way.
      if (Array.isArray(value)) return slow(scope);
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return;
      value = (value as Record<string, unknown>)[name];
    }
    return value as Json | undefined;
  };
}

function compileSlow(source: string): Evaluate {
  let program: ReturnType<typeof compileProgram> | undefined;
  return async (scope) => (await (program ??= compileProgram(source))).evaluate(scope);
}

/** The names of a plain path, or nothing when the expression is more than that. */
function plainPath(source: string): string[] | undefined {
  const names: string[] = [];
  for (let at = 0;; at++) {
    STEP.lastIndex = at;
    const name = STEP.exec(source)?.[0];
    if (name === undefined || RESERVED.has(name)) return;
    names.push(name.startsWith("`") ? name.slice(1, -1) : name);
    at += name.length;
    if (at === source.length) return names;
    if (source[at] !== ".") return;
  }
}

/** One thing that is wrong with an expression. */
export interface ExpressionProblem {
  message: string;
  /** Character in the expression, from 0. */
  position?: number;
}

/** What an expression is made of, as far as validation needs it. */
export interface ExpressionFacts {
  problems: ExpressionProblem[];
  /** Names that it looks up in `nodes`, or in what is called so. */
  nodes: string[];
}

/**
 * Reads an expression without running it.
 *
 * @param roots what paths may begin with
 * @param group the root under which the names are that count as nodes
 */
export async function inspectExpression(
  source: string,
  roots = ["input", "nodes", "run"],
  group = "nodes",
): Promise<ExpressionFacts> {
  const facts = { problems: [], nodes: [], roots, group };
  const path = plainPath(source.trim());
  if (path) collectPath(path, facts);
  else await inspectProgram(source, facts);
  return { problems: facts.problems, nodes: facts.nodes };
}

/** Facts that are being collected. */
type Facts = ExpressionFacts & { roots: string[]; group: string };

async function inspectProgram(source: string, facts: Facts): Promise<void> {
  try {
    collect((await compileProgram(source)).ast, facts);
  } catch (error) {
    const { message, details } = error as { message: string; details?: { position?: number } };
    facts.problems.push({ message, position: details?.position });
  }
}

function collectPath([root = "", name]: string[], facts: Facts): void {
  const { roots, group, nodes, problems } = facts;
  if (!roots.includes(root)) {
    const known = roots.join(", ").replace(/, (?=[^,]*$)/, " or ");
    problems.push({ message: `"${root}" is not known here; expressions start with ${known}` });
  } else if (root === group && name !== undefined) nodes.push(name);
}

/** Walks the tree as long as the context is the scope itself: not into later steps of a path. */
function collect(ast: Ast, facts: Facts): void {
  if (ast.type === "variable" && forbidden(String(ast.value))) {
    const message = `$${ast.value} is not allowed: ${forbidden(String(ast.value))}`;
    facts.problems.push({ message, position: ast.position });
  }
  if (ast.type === "path" && ast.steps) {
    const [first, ...rest] = ast.steps;
    if (first?.type === "name") {
      const names = first.predicate || first.stages ? [first] : [first, rest[0]!];
      collectPath(names.filter((step) => step?.type === "name").map(nameOf), facts);
    } else if (first?.type === "variable" && first.value === "$" && rest[0]?.type === "name") {
      collectPath(rest.slice(0, 2).filter((step) => step.type === "name").map(nameOf), facts);
    } else if (first) collect(first, facts);
    return;
  }
  for (const child of Object.values(ast)) collectChild(child, facts);
}

function collectChild(child: unknown, facts: Facts): void {
  if (Array.isArray(child)) child.forEach((item) => collectChild(item, facts));
  else if (typeof child === "object" && child !== null && "type" in child) {
    collect(child as Ast, facts);
  }
}

function nameOf(step: Ast): string {
  return String(step.value);
}
