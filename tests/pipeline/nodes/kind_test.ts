import { expect } from "expect";
import * as z from "zod";
import { kinds, type NodeEnv } from "../../../pipeline/document/kinds.ts";
import type { NodeKind } from "../../../pipeline/nodes/mod.ts";

/** What a kind cannot go without besides the properties that other rooms go by. */
const vote = {
  kind: "vote",
  schema: z.strictObject({ vote: z.string() }),
  templates: () => [],
  targets: () => [],
  compile: () => ({ run: () => Promise.resolve(null), next: () => undefined }),
};

Deno.test("a kind says for whom its output is, how a visit is recorded and whether it asks: the compiler asks", () => {
  const rest = { personal: true, recorded: "group", loosens: false } as const;
  const complete: NodeKind<unknown, unknown> = { ...vote, ...rest };
  const { personal, recorded, loosens } = rest;
  // @ts-expect-error -- `personal` is missing
  const shared: NodeKind<unknown, unknown> = { ...vote, recorded, loosens };
  // @ts-expect-error -- `recorded` is missing
  const unrecorded: NodeKind<unknown, unknown> = { ...vote, personal, loosens };
  // @ts-expect-error -- `loosens` is missing
  const unasked: NodeKind<unknown, unknown> = { ...vote, personal, recorded };
  // @ts-expect-error -- a kind of one step makes its nodes with `oneStep()`: no step is forgotten
  const unstepped: NodeKind<unknown, unknown> = { ...vote, personal, loosens, recorded: "step" };
  // @ts-expect-error -- the needs of the kinds are those of their programs
  const needs: NodeEnv = {};
  expect(needs).toEqual({});
  expect([complete, shared, unrecorded, unasked, unstepped].map(({ kind }) => kind))
    .toEqual(Array(5).fill("vote"));
});

Deno.test("every kind is known by a field of its own", () => {
  const names = kinds.map(({ kind }) => kind);
  expect(names).toEqual([...new Set(names)]);
  for (const { kind, schema } of kinds) {
    const others = kinds.filter((other) => other.kind !== kind && kind in other.schema.shape);
    expect([kind, kind in schema.shape, others.length]).toEqual([kind, true, 0]);
  }
});
