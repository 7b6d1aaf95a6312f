import type { Json } from "../kernel/mod.ts";

/** What expressions see. Besides the fields below: what a `map` calls its item and its index. */
export interface Scope {
  /** The run's input. */
  input: Json;
  /** The latest output of every node that has run, those around the graph included. */
  nodes: Record<string, Json>;
  run: { id: string; pipeline: string; created_at: string };
  /** Why the run ended; in compensation only. */
  error?: { code: string; message: string };
  /** The node's input instead of its `with`, when a restarted run was given one. */
  given?: Json;
  [variable: string]: Json | undefined;
}

/** Names with a meaning of their own: no item is called so. */
export const SCOPE_FIELDS: readonly string[] = ["input", "nodes", "run", "error", "given", "index"];

/** A visit of a node with compensation. Plain data: it is recorded with the node around it. */
export interface Begun {
  /** Which graph of the pipeline. */
  graph: string;
  /** Which visit of that graph: what its step keys begin with. */
  prefix: string;
  node: string;
  scope: Scope;
}

/** What the graphs of one run share. */
export interface Walk {
  /** Visits of nodes that are left. */
  readonly budget: { readonly max_steps: number; left: number };
  /** Visits that may have to be undone, in the order in which they began. */
  readonly begun: Begun[];
}
