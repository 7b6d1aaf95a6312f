/** All node kinds: those of `nodes/table.ts`, and `plan`, which is built on them. @module */
import { type NodeKind, nodeKinds } from "../nodes/mod.ts";
import { plan } from "../plans/mod.ts";

const all = { ...nodeKinds, plan } as const;

/** The name of a kind. */
export type KindName = keyof typeof all;

/** What every kind of a union needs from outside. */
type EnvOf<Kind> = (Kind extends NodeKind<infer _, infer Env> ? (env: Env) => void : never) extends
  (env: infer Every) => void ? Every : never;

/** What nodes need from outside: the `Env` of each kind. */
export type NodeEnv = EnvOf<typeof all[KindName]>;

/** A kind whose nodes and needs the caller does not know: its schema has checked its nodes. */
// deno-lint-ignore no-explicit-any -- no other type is the union's
export type AnyKind = NodeKind<any, NodeEnv>;

/** Every kind, in the order in which documents describe them. */
export const kinds: readonly AnyKind[] = Object.values(all);

/** The kind whose field a node has. */
export function kindOf(node: object): AnyKind | undefined {
  return kinds.find(({ kind }) => kind in node);
}

/** The kind with a name, such as steps have. */
export function kindNamed(name: string | undefined): AnyKind | undefined {
  return kinds.find(({ kind }) => kind === name);
}
