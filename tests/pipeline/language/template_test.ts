import { expect } from "expect";
import { compileTemplate, expressionsOf } from "../../../pipeline/language/template.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";

const SCOPE = {
  input: { name: "Ada", n: 2, list: [1, { a: null }] },
  nodes: { build: { text: "draft" } },
  run: { id: "run_1", pipeline: "p", created_at: "2026-01-02T03:04:05.678Z" },
};

function evaluate(template: Json) {
  return compileTemplate(template)(SCOPE);
}

Deno.test("compileTemplate() keeps the type of a text that is one expression", () => {
  expect(evaluate("${ input.n }")).toBe(2);
  expect(evaluate("${input.list}")).toStrictEqual([1, { a: null }]);
});

Deno.test("compileTemplate() inserts values into longer texts", () => {
  expect(evaluate("Hi ${input.name}, ${ input.n }x: ${ input.list }${ input.gone }!")).toBe(
    'Hi Ada, 2x: [1,{"a":null}]!',
  );
});

Deno.test("compileTemplate() fills objects and arrays; what is missing is absent, or null in arrays", () => {
  expect(evaluate({ a: "${ input.gone }", b: ["${ input.gone }", "${ input.n }"], c: "x" }))
    .toStrictEqual({ b: [null, 2], c: "x" });
});

Deno.test("compileTemplate() gives constants at once, the same each time", () => {
  const template = { a: [1, "text", null], b: { c: true } };
  const compiled = compileTemplate(template);
  expect(compiled(SCOPE)).toStrictEqual(template);
  expect(compiled(SCOPE)).toBe(compiled(SCOPE));
});

Deno.test("compileTemplate() writes $${ as a literal ${", () => {
  expect(evaluate("costs $${ 5 }")).toBe("costs ${ 5 }");
  expect(evaluate({ a: "$${x} and ${input.n}" })).toEqual({ a: "${x} and 2" });
});

Deno.test("compileTemplate() waits for JSONata and keeps the order of fields", async () => {
  const value = await evaluate({ slow: "${ 1 + 1 }", fast: "${ input.n }", text: "=${ 2 * 3 }" });
  expect(JSON.stringify(value)).toBe('{"slow":2,"fast":2,"text":"=6"}');
});

Deno.test("compileTemplate() finds the end of an expression past braces that do not count", async () => {
  expect(await evaluate('${ {"a": {"b": "}"}} }')).toEqual({ a: { b: "}" } });
  expect(await evaluate('${ \'}\' & "\\"}" } and ${ 1 /* } */ + 1 }')).toBe('}"} and 2');
  expect(await evaluate("${ $contains(input.name, /\\}|d{1}/) }")).toBe(true);
  expect(await evaluate("${ (input.n / 2) / 1 }")).toBe(1);
});

Deno.test("compileTemplate() refuses an expression that is not closed", () => {
  expect(() => evaluate("Hi ${ input.name")).toThrow(/is not closed/);
});

Deno.test("expressionsOf() lists expressions with their places", () => {
  expect(expressionsOf({ a: ["x", "${ input.n } ${ nodes.build }"], b: 1 }, ["with"])).toEqual([
    { path: ["with", "a", 1], source: "input.n" },
    { path: ["with", "a", 1], source: "nodes.build" },
  ]);
});
