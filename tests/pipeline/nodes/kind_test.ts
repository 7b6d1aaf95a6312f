import { expect } from "expect";
import * as z from "zod";
import { kinds } from "../../../pipeline/document/kinds.ts";
import type { NodeKind } from "../../../pipeline/nodes/mod.ts";

/** What a kind cannot go without besides the properties that other rooms go by. */
const vote = {
  kind: "vote",
  schema: z.strictObject({ vote: z.string() }),
  templates: () => [],
  targets: () => [],
  compile: () => ({ run: () => Promise.resolve(null), next: () => undefined }),
};

Deno.test("a kind says for whom its output is, and how a visit is recorded: the compiler asks", () => {
  const complete: NodeKind<unknown, unknown> = { ...vote, personal: true, recorded: "group" };
  // @ts-expect-error -- `personal` is missing
  const shared: NodeKind<unknown, unknown> = { ...vote, recorded: "group" };
  // @ts-expect-error -- `recorded` is missing
  const unrecorded: NodeKind<unknown, unknown> = { ...vote, personal: true };
  expect([complete, shared, unrecorded].map(({ kind }) => kind)).toEqual(["vote", "vote", "vote"]);
});

Deno.test("every kind is known by a field of its own", () => {
  const names = kinds.map(({ kind }) => kind);
  expect(names).toEqual([...new Set(names)]);
  for (const { kind, schema } of kinds) {
    const others = kinds.filter((other) => other.kind !== kind && kind in other.schema.shape);
    expect([kind, kind in schema.shape, others.length]).toEqual([kind, true, 0]);
  }
});
