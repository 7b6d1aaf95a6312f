import { expect } from "expect";
import fc from "fast-check";
import { schemaIssues } from "../../json/schema.ts";
import type { JsonSchema } from "../../json/value.ts";

const CASES: [schema: JsonSchema, value: unknown, location: string, message: string][] = [
  [{ type: "string" }, 1, "/", "must be a string"],
  [{ type: ["string", "null"] }, 1, "/", "must be a string or null"],
  [{ type: "integer" }, 1.5, "/", "must be an integer"],
  [{ type: "boolean" }, 0, "/", "must be true or false"],
  [{ type: "array" }, {}, "/", "must be an array"],
  [{ type: "object" }, [], "/", "must be an object"],
  [{ enum: ["on", "a b", 1, null] }, "of", "/", 'must be one of on, "a b", 1, null'],
  [{ const: { a: 1 } }, { a: 2 }, "/", 'must be {"a":1}'],
  [{ not: { type: "string" } }, "x", "/", "is not allowed"],
  [{ oneOf: [{}, {}] }, 1, "/", "must match exactly one of the allowed schemas"],
  [{ required: ["a/b"] }, {}, "/a~1b", "is required"],
  [{ required: ['a"b'] }, {}, '/a"b', "is required"],
  [{ dependentRequired: { a: ["b"] } }, { a: 1 }, "/b", 'is required with "a"'],
  [{ minProperties: 1 }, {}, "/", "must have at least 1 field"],
  [{ maxProperties: 0 }, { a: 1 }, "/", "must have at most 0 fields"],
  [{ propertyNames: { maxLength: 1 } }, { ab: 1 }, "/ab", "must have at most 1 character"],
  [{ additionalProperties: false }, { a: 1 }, "/a", 'unknown field "a"'],
  [{ properties: { a: false } }, { a: 1 }, "/a", "is not allowed"],
  [{ minItems: 2 }, [1], "/", "must have at least 2 items"],
  [{ maxItems: 1 }, [1, 2], "/", "must have at most 1 item"],
  [{ uniqueItems: true }, [1, 1], "/", "must not have duplicate items"],
  [{ contains: { type: "string" } }, [], "/", "must have an item of the required kind"],
  [
    { contains: { type: "string" }, minContains: 2 },
    [],
    "/",
    "must have at least 2 items of the required kind",
  ],
  [
    { contains: { type: "string" }, maxContains: 1 },
    ["a", "b"],
    "/",
    "must have at most 1 item of the required kind",
  ],
  [{ minLength: 2 }, "a", "/", "must have at least 2 characters"],
  [{ maxLength: 1 }, "ab", "/", "must have at most 1 character"],
  [{ minimum: 1 }, 0, "/", "must be at least 1"],
  [{ maximum: 1 }, 2, "/", "must be at most 1"],
  [{ exclusiveMinimum: 1 }, 1, "/", "must be more than 1"],
  [{ exclusiveMaximum: 1 }, 1, "/", "must be less than 1"],
  [{ multipleOf: 2 }, 3, "/", "must be a multiple of 2"],
  [{ if: { type: "string" }, then: { minLength: 2 } }, "a", "/", "must have at least 2 characters"],
  [{ if: { type: "string" }, else: { minimum: 2 } }, 1, "/", "must be at least 2"],
  [{ pattern: "^a+$" }, "b", "/", "must match /^a+$/"],
  [{ format: "email" }, "b", "/", "must be an email address"],
  [{ format: "json-pointer" }, "b", "/", "must have the format json-pointer"],
  [{ items: { $ref: "#/$defs/n" }, $defs: { n: { minimum: 3 } } }, [1], "/0", "must be at least 3"],
  [
    { items: { $ref: "#n" }, $defs: { n: { $anchor: "n", enum: [1, 2] } } },
    [3],
    "/0",
    "must be one of 1, 2",
  ],
];

for (const [schema, value, location, message] of CASES) {
  Deno.test(`schemaIssues() says: ${message}, for ${JSON.stringify(schema)}`, () => {
    expect(schemaIssues(schema, value)).toEqual([{ location, message }]);
  });
}

Deno.test("schemaIssues() lists no more than 20 values", () => {
  const [issue] = schemaIssues({ enum: Array.from({ length: 21 }, (_, n) => n) }, -1);
  expect(issue!.message).toBe(
    "must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, …",
  );
});

/** What only the library would say. */
const LIBRARY =
  /\b(?:Instances?|[Ss]ubschemas?|dependant)\b|\bString (?:is|does)\b|\bArray (?:is|has|must|may|does)\b|\bItems did\b|\bProperty (?:name )?"|\bboolean schema\b|\bDuplicate items\b|\bExpected\b|[.]$/;

const { schema: anySchema } = fc.letrec<{ schema: JsonSchema; leaf: JsonSchema }>((tie) => {
  const map = fc.dictionary(fc.constantFrom("a", "b", "c~/d"), tie("schema"), { maxKeys: 2 });
  const count = fc.nat(2);
  const some = fc.array(tie("schema"), { minLength: 1, maxLength: 2 });
  return {
    leaf: fc.constantFrom<JsonSchema>({ type: "string" }, { type: ["null", "integer"] }, {}, {
      $ref: "#/$defs/n",
    }),
    schema: fc.oneof(
      { maxDepth: 3 },
      tie("leaf"),
      fc.record({
        type: fc.constantFrom("object", "array", "string", "number", "boolean", "null"),
        enum: fc.array(fc.jsonValue({ maxDepth: 1 }), { minLength: 1, maxLength: 2 }),
        const: fc.jsonValue({ maxDepth: 1 }),
        required: fc.subarray(["a", "b", "c~/d"]),
        dependentRequired: fc.constant({ a: ["b"] }),
        dependentSchemas: map,
        properties: map,
        patternProperties: map,
        additionalProperties: fc.oneof(fc.constant(false), tie("schema")),
        unevaluatedProperties: fc.constant(false),
        propertyNames: tie("schema"),
        minProperties: count,
        maxProperties: count,
        items: fc.oneof(fc.constant(false), tie("schema")),
        prefixItems: some,
        contains: tie("schema"),
        minContains: count,
        maxContains: count,
        minItems: count,
        maxItems: count,
        uniqueItems: fc.constant(true),
        minLength: count,
        maxLength: count,
        pattern: fc.constantFrom("^a", "b$"),
        format: fc.constantFrom("email", "uri", "uuid", "json-pointer"),
        minimum: count,
        exclusiveMaximum: count,
        multipleOf: fc.constant(2),
        not: tie("schema"),
        anyOf: some,
        allOf: some,
        oneOf: some,
        if: tie("schema"),
        then: tie("schema"),
        else: tie("schema"),
      }, { requiredKeys: [] }) as fc.Arbitrary<JsonSchema>,
    ),
  };
});

const anyValue = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.dictionary(fc.constantFrom("a", "b", "c~/d", "e"), fc.jsonValue({ maxDepth: 1 })),
);

Deno.test("schemaIssues() never repeats a phrase of the library", () => {
  let issues = 0;
  fc.assert(
    fc.property(anySchema, anyValue, (schema, value) => {
      const root = { ...schema, $defs: { n: { type: "boolean" } } };
      for (const { message } of schemaIssues(root, value)) {
        issues++;
        expect(message).not.toBe("is not valid");
        // Values and names of the schema are quoted: they may be anything.
        expect(message.replace(/"(?:\\.|[^"\\])*"|(?<=^must be ).*/g, "")).not.toMatch(LIBRARY);
      }
    }),
    { numRuns: 300, seed: 7 },
  );
  expect(issues).toBeGreaterThan(200);
});
