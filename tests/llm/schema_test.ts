import { expect } from "expect";
import type { JsonSchema } from "../../llm/mod.ts";
import { isClosable, isStrict } from "../../llm/schema.ts";
import { test } from "./_setup.ts";

const closed = (properties: JsonSchema, required = Object.keys(properties)): JsonSchema => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});

const text = { type: "string" };

const CASES: [string, JsonSchema, { strict: boolean; closable: boolean }][] = [
  ["a closed object", closed({ a: text }), { strict: true, closable: true }],
  [
    "nested closed objects",
    closed({ a: { type: "array", items: closed({ b: { anyOf: [text, { type: "null" }] } }) } }),
    { strict: true, closable: true },
  ],
  ["an optional property", closed({ a: text }, []), { strict: false, closable: true }],
  [
    "an object that is not closed",
    { type: "object", properties: { a: text }, required: ["a"] },
    { strict: false, closable: true },
  ],
  ["a nested open object", closed({ a: { type: "object" } }), { strict: false, closable: false }],
  [
    "a map",
    { type: "object", additionalProperties: text },
    { strict: false, closable: false },
  ],
  ["an unknown keyword", closed({ a: { ...text, minLength: 1 } }), {
    strict: false,
    closable: true,
  }],
  ["oneOf", closed({ a: { oneOf: [text, { const: 1 }] } }), { strict: false, closable: true }],
  ["a property that may be anything", closed({ a: {} }), { strict: true, closable: false }],
  ["a property that is true", closed({ a: true }), { strict: false, closable: false }],
  ["an array", { type: "array", items: text }, { strict: false, closable: false }],
  [
    "an object behind $ref",
    { ...closed({ a: { $ref: "#/$defs/b" } }), $defs: { b: { type: ["object", "null"] } } },
    { strict: false, closable: false },
  ],
];

for (const [what, schema, expected] of CASES) {
  test(`isStrict() and isClosable() judge ${what}`, () => {
    expect({ strict: isStrict(schema), closable: isClosable(schema) }).toEqual(expected);
  });
}
