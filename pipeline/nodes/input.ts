import { compileTemplate, type Evaluate, type Scope } from "../language/mod.ts";
import type { Json } from "../kernel/mod.ts";
import type { Placed } from "./kind.ts";

/** Prepares a node's `with`; without one the input is {@linkcode defaultInput}. */
export function compileInput(node: { with?: unknown }): Evaluate {
  const evaluate = node.with === undefined ? defaultInput : compileTemplate(node.with as Json);
  return (scope) => scope.given === undefined ? evaluate(scope) : scope.given;
}

/** A node's `with`, as a kind's list of templates has it. */
export function inputTemplate(node: { with?: unknown }): Placed<unknown>[] {
  return node.with === undefined ? [] : [{ path: ["with"], value: node.with }];
}

/**
 * The run's input (its fields, or `input` when it is no object), the outputs so far by node name,
 * and a map's item and index.
 */
function defaultInput({ input, nodes, run: _run, given: _given, ...variables }: Scope): Json {
  const fields = typeof input === "object" && input !== null && !Array.isArray(input)
    ? input
    : { input };
  return { ...fields, ...nodes, ...variables };
}
