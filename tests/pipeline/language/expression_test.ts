import { expect } from "expect";
import fc from "fast-check";
import jsonata from "jsonata";
import { compileExpression, inspectExpression } from "../../../pipeline/language/expression.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { Scope } from "../../../pipeline/language/scope.ts";

const RUN = { id: "run_1", pipeline: "p", created_at: "2026-01-02T03:04:05.678Z" };

function scope(input: Json, nodes: Record<string, Json> = {}): Scope {
  return { input, nodes, run: RUN };
}

Deno.test("compileExpression() follows plain paths without a promise", () => {
  const at = scope({ a: { b: [1, 2] }, "a b": 1 }, { build: "text" });
  expect(compileExpression("nodes.build")(at)).toBe("text");
  expect(compileExpression(" input.a.b ")(at)).toStrictEqual([1, 2]);
  expect(compileExpression("input.`a b`")(at)).toBe(1);
  expect(compileExpression("run.created_at")(at)).toBe(RUN.created_at);
  expect(compileExpression("input.a.gone.b")(at)).toBeUndefined();
});

Deno.test("compileExpression() leaves everything else to JSONata", async () => {
  const at = scope({ items: [{ n: 1 }, { n: 2 }] });
  expect(await compileExpression("input.items.n")(at)).toStrictEqual([1, 2]);
  expect(await compileExpression("$count(input.items)")(at)).toBe(2);
  expect(await compileExpression("true")(at)).toBe(true);
  expect(await compileExpression("1 + 1")(at)).toBe(2);
});

Deno.test("compileExpression() reaches no prototype", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    expect(compileExpression(`input.${name}`)(scope({}))).toBeUndefined();
    expect(compileExpression(name)(scope({}))).toBeUndefined();
  }
});

Deno.test("compileExpression() reports errors when it is evaluated", async () => {
  const evaluate = compileExpression("input.(");
  await expect(evaluate(scope({}))).rejects.toMatchObject({ code: "expression_failed" });
});

const key = fc.constantFrom("a", "b", "c", "length", "a b", "and", "constructor");
const { value: data } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Json>(null, true, 0, 1.5, "", "text"),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const path = fc.tuple(
  fc.constantFrom("input", "nodes", "nodes.a", "run", "gone"),
  fc.array(fc.oneof(key.map((k) => `\`${k}\``), fc.constantFrom("a", "b", "c", "length")), {
    maxLength: 4,
  }),
).map(([root, names]) => [root, ...names].join("."));

Deno.test("compileExpression() means on every plain path what JSONata means", async () => {
  await fc.assert(
    fc.asyncProperty(data, data, path, async (input, node, source) => {
      const at = scope(input, { a: node });
      const fast = await compileExpression(source)(at);
      const slow = await jsonata(source).evaluate(at);
      expect(fast === undefined).toBe(slow === undefined);
      expect(JSON.stringify(fast)).toBe(JSON.stringify(slow));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("inspectExpression() finds the nodes that an expression looks up", async () => {
  for (
    const [source, nodes] of [
      ["nodes.a.b", ["a"]],
      ["$uppercase(nodes.a) & nodes.b.text", ["a", "b"]],
      ["$$.nodes.c", ["c"]],
      ['{ "x": nodes.`a`, "y": [nodes.b] }', ["a", "b"]],
      ["$map(input.items, function($i) { nodes.a & $i })", ["a"]],
      ["input.nodes.a", []],
      ["input.items[nodes.a = 1]", []],
      ["nodes", []],
      ["input.ok ? nodes.a : nodes.b", ["a", "b"]],
      ["nodes.a[0].x", ["a"]],
    ] as const
  ) {
    expect([source, await inspectExpression(source)]).toEqual([source, { problems: [], nodes }]);
  }
});

Deno.test("inspectExpression() tells what is wrong and where", async () => {
  expect((await inspectExpression("1 +")).problems).toEqual([
    { message: expect.stringContaining("Unexpected end"), position: 3 },
  ]);
  expect((await inspectExpression("1 + $random()")).problems).toEqual([
    { message: expect.stringContaining("$random is not allowed"), position: expect.any(Number) },
  ]);
  expect((await inspectExpression("inptu.a")).problems).toEqual([
    { message: expect.stringContaining("expressions start with input, nodes or run") },
  ]);
});
