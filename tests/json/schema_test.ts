import { expect } from "expect";
import { patternProblem } from "../../json/pattern.ts";
import { schemaIssues, schemaProblems } from "../../json/schema.ts";
import type { JsonSchema } from "../../json/value.ts";
import { within } from "../_yardstick.ts";

const SCHEMA = {
  type: "object",
  required: ["messages"],
  properties: {
    messages: {
      type: "array",
      items: { type: "object", required: ["role"], properties: { role: { enum: ["user"] } } },
    },
  },
};

Deno.test("schemaIssues() points at the innermost failures only", () => {
  expect(schemaIssues(SCHEMA, { messages: [{ role: "user" }] })).toEqual([]);
  expect(schemaIssues(SCHEMA, { messages: [{ role: "x" }, {}] }).map(({ location }) => location))
    .toEqual(["/messages/0/role", "/messages/1/role"]);
  expect(schemaIssues(SCHEMA, 5)).toEqual([{ location: "/", message: "must be an object" }]);
});

Deno.test("schemaIssues() says of a known property only what is wrong with it", () => {
  const text = { type: "string" };
  const number = { type: "integer" };
  const closed = (properties: object) => ({ properties, additionalProperties: false });
  const cases: [object, unknown, string][] = [
    [closed({ a: number }), { a: "x" }, "/a"],
    [closed({ a: closed({ b: number }) }), { a: { b: "x" } }, "/a/b"],
    [closed({ a: { $ref: "#/$defs/n" } }), { a: "x" }, "/a"],
    [{ ...closed({}), patternProperties: { "^a": number } }, { a: "x" }, "/a"],
    [{ properties: { a: number }, additionalProperties: text }, { a: true }, "/a"],
    [{ properties: { a: number }, unevaluatedProperties: false }, { a: "x" }, "/a"],
    [{ allOf: [{ properties: { a: number } }], unevaluatedProperties: false }, { a: "x" }, "/a"],
    [closed({ "a/b %": number }), { "a/b %": "x" }, "/a~1b %"],
  ];
  for (const [schema, value, location] of cases) {
    expect(schemaIssues({ ...schema, $defs: { n: number } }, value))
      .toEqual([{ location, message: "must be an integer" }]);
  }
});

Deno.test("schemaIssues() names unknown properties, once", () => {
  const inner = { properties: { colour: {} }, additionalProperties: false };
  const schema = { properties: { a: { type: "integer" }, inner }, additionalProperties: false };
  expect(schemaIssues(schema, { a: "x", b: 1, inner: { color: 1 } })).toEqual([
    { location: "/a", message: "must be an integer" },
    { location: "/inner/color", message: 'unknown field "color"; did you mean "colour"?' },
    { location: "/b", message: 'unknown field "b"; available: a, inner' },
  ]);
  const apart = {
    allOf: [{ properties: { a: { type: "integer" } } }],
    additionalProperties: false,
  };
  expect(schemaIssues(apart, { a: "x" })).toHaveLength(2);
  expect(schemaIssues({ prefixItems: [{}], items: false }, [1, 2]))
    .toEqual([{ location: "/1", message: "is not allowed" }]);
});

Deno.test("schemaIssues() ends no message with a full stop", () => {
  const schema = { required: ["a"], properties: { b: { minLength: 3 }, c: { enum: [1] } } };
  const issues = schemaIssues(schema, { b: "x", c: 2 });
  expect(issues.map(({ message }) => message.at(-1))).not.toContain(".");
  expect(issues).toHaveLength(3);
});

Deno.test("schemaIssues() stops at 20", () => {
  const messages = Array(50).fill({ role: "x" });
  expect(schemaIssues(SCHEMA, { messages })).toHaveLength(20);
});

Deno.test("schemaProblems() accepts sound schemas", () => {
  expect(schemaProblems(SCHEMA, ["input"])).toEqual([]);
  expect(schemaProblems({ properties: { type: { type: "string" }, pattern: true } }, [])).toEqual(
    [],
  );
  expect(schemaProblems({ enum: [{ type: "anything" }], $ref: "#/$defs/a", $defs: { a: {} } }, []))
    .toEqual([]);
});

Deno.test("schemaProblems() finds unknown types, dead references and bad patterns", () => {
  expect(schemaProblems({ properties: { a: { type: "strng" } } }, ["input"])).toEqual([{
    path: ["input", "properties", "a", "type"],
    message: 'unknown type "strng"; did you mean "string"?',
  }]);
  expect(schemaProblems({ anyOf: [{ type: ["string", "nul"] }] }, [])).toEqual([{
    path: ["anyOf", 0, "type"],
    message: 'unknown type "nul"; did you mean "null"?',
  }]);
  expect(schemaProblems({ $ref: "#/$defs/gone" }, ["input"])).toEqual([
    { path: ["input"], message: "has a $ref that leads nowhere: #/$defs/gone" },
  ]);
  expect(schemaProblems({ $ref: "#" }, ["input"])).toEqual([
    { path: ["input"], message: "has a $ref that leads back to itself" },
  ]);
  const twice = { properties: { a: { $id: "x:a" }, b: { $id: "x:a" } } };
  expect(schemaProblems(twice, [])).toEqual([
    { path: [], message: "has the same $id twice: rename one" },
  ]);
  expect(schemaProblems({ properties: { a: { enum: 1 } }, enum: 1 }, [])).toEqual([
    { path: [], message: "is not a valid JSON Schema" },
  ]);
  expect(schemaProblems({ properties: { a: { pattern: "(a+)+" } } }, ["output"])).toEqual([{
    path: ["output", "properties", "a", "pattern"],
    message: expect.stringContaining("exponential"),
  }]);
  expect(schemaProblems({ patternProperties: { "(": {} } }, [])).toEqual([{
    path: ["patternProperties"],
    message: "is not a valid regular expression: /(/u: Unterminated group",
  }]);
  expect(schemaProblems("object", ["input"])[0]?.message).toMatch(/must be a JSON Schema object/);
});

Deno.test("patternProblem() refuses what can take exponential time", () => {
  const evil = [
    "^(a+)+$",
    "(a|a)*",
    "([a-z]*)*b",
    "(?:a|b|ab)+c",
    "((a+)b?)+",
    "(x+x+)+y",
    "(a?b?)*(c+)*d|(-?[a-z-]+)*",
    "(-?[a-z]+)+",
    "(a{2,})+",
    "(.*,){11,}P",
    "(a)\\1+",
    "((-a)*b+)*",
    "(-+a*)*",
    "(a{1,50}){1,50}",
  ];
  for (const pattern of evil) {
    expect([pattern, patternProblem(pattern)]).toEqual([pattern, expect.any(String)]);
  }
});

Deno.test("patternProblem() accepts what people write", () => {
  const fine = [
    "^[a-z0-9]+(-[a-z0-9]+)*$",
    "^\\d{4}-\\d{2}-\\d{2}$",
    "^(foo|bar)$",
    "^(\\.[a-z]+)+$",
    "^https?://",
    "^(?:[A-Z]{2}){1,3}$",
    "^[^@\\s]+@[^@\\s]+$",
    "",
  ];
  for (const pattern of fine) {
    expect([pattern, patternProblem(pattern)]).toEqual([pattern, undefined]);
  }
});

Deno.test("schemaIssues() has an issue where the validator itself breaks", () => {
  const items = { type: "array", items: { type: "string" } };
  const closed = { type: "object", additionalProperties: false };
  for (
    const [schema, value] of [[items, Array(100_000).fill(1)], [closed, { "\ud800": 1 }]] as const
  ) {
    expect(schemaIssues(schema, value).length).toBeGreaterThan(0);
  }
});

const DUPLICATES = "must not have duplicate items";
const unique = { uniqueItems: true };

Deno.test("schemaIssues() finds duplicates among tens of thousands of items", async () => {
  const objects = Array.from({ length: 60_000 }, (_, id) => ({ id, name: `n${id}` }));
  const issues = [{ location: "/", message: DUPLICATES }];
  await within(3_000, () => expect(schemaIssues(unique, objects)).toEqual([]));
  const twice = [...objects, { name: "n7", id: 7 }];
  await within(3_000, () => expect(schemaIssues(unique, twice)).toEqual(issues));
  const rows = objects.map(({ id }) => id % 2 ? [id, id] : [id, -1]);
  await within(3_000, () => expect(schemaIssues({ items: unique }, rows)).toHaveLength(20));
});

Deno.test("schemaIssues() compares items as JSON Schema does", () => {
  const different = [1, "1", true, "true", null, "null", 0, false, "", [], {}, [1], { a: 1 }];
  expect(schemaIssues(unique, [...different, [[1]], { a: [1] }, { b: 1 }, "[1]", '{"a":1}']))
    .toEqual([]);
  const equal = [[1, JSON.parse("1.0")], [0, -0], [{ a: 1, b: [2] }, { b: [2], a: 1 }], [[], []]];
  for (const value of equal) {
    expect(schemaIssues(unique, value)).toEqual([{ location: "/", message: DUPLICATES }]);
  }
  expect(schemaIssues({ uniqueItems: false }, [1, 1])).toEqual([]);
  expect(schemaIssues(unique, "aa")).toEqual([]);
});

Deno.test("schemaIssues() finds duplicates wherever a schema may ask for it", () => {
  const value = { a: [1, 1] };
  const at = [{ location: "/a", message: DUPLICATES }];
  const schemas: JsonSchema[] = [
    { properties: { a: unique } },
    { properties: { a: { $ref: "#/$defs/u" } }, $defs: { u: unique } },
    { additionalProperties: { allOf: [{ type: "array" }, unique] } },
    { patternProperties: { "^a": { if: { type: "array" }, then: unique } } },
    { dependentSchemas: { a: { properties: { a: unique } } } },
  ];
  for (const schema of schemas) expect(schemaIssues(schema, value)).toEqual(at);
  expect(schemaIssues({ properties: { a: { not: unique } } }, value)).toEqual([]);
  expect(schemaIssues({ properties: { a: { anyOf: [unique, { maxItems: 2 }] } } }, value))
    .toEqual([]);
  expect(schemaIssues({ properties: { a: { not: unique } } }, { a: [1] })).toHaveLength(1);
});

Deno.test("schemaIssues() leaves what is only called uniqueItems, and keeps an enum beside it", () => {
  expect(schemaIssues({ properties: { uniqueItems: true } }, { uniqueItems: [1, 1] })).toEqual([]);
  expect(schemaIssues({ const: unique }, unique)).toEqual([]);
  const listed = { ...unique, enum: [[1, 1], [1, 2]] };
  expect(schemaIssues(listed, [1, 2])).toEqual([]);
  expect(schemaIssues(listed, [1, 1])).toHaveLength(1);
  expect(schemaIssues(listed, [3])).toHaveLength(1);
});

/** Thirty levels, each of which refers to the next twice. */
function doubling(last: unknown): object {
  const levels = Array.from({ length: 30 }, (_, n) => {
    const next = { $ref: `#/$defs/d${n + 1}` };
    return [`d${n}`, { allOf: [next, next] }];
  });
  return { $ref: "#/$defs/d0", $defs: { ...Object.fromEntries(levels), d30: last } };
}

Deno.test("schemaProblems() refuses references that multiply, and does not call them a cycle", async () => {
  for (const last of [{ type: "string" }, {}]) {
    const problems = await within(1_000, () => schemaProblems(doubling(last), ["input"]));
    expect(problems).toEqual([{
      path: ["input"],
      message: "applies more than 10000 references to one value; use fewer",
    }]);
  }
});

Deno.test("schemaProblems() accepts a long chain of references", () => {
  const levels = Array.from(
    { length: 30 },
    (_, n) => [`d${n}`, { allOf: [{ $ref: `#/$defs/d${n + 1}` }] }],
  );
  const chain = { $ref: "#/$defs/d0", $defs: { ...Object.fromEntries(levels), d30: {} } };
  expect(schemaProblems(chain, ["input"])).toEqual([]);
});

Deno.test("schemaIssues() ends where references multiply with the depth of a value", async () => {
  const child = () => ({ properties: { a: { $ref: "#" } } });
  let value: unknown = 1;
  for (let depth = 0; depth < 60; depth++) value = { a: value };
  const issues = await within(2_000, () => schemaIssues({ allOf: [child(), child()] }, value));
  expect(issues).toEqual([{
    location: "/",
    message: "cannot be checked: its schema applies too many references to it",
  }]);
});
