import { expect } from "expect";
import fc from "fast-check";
import { Validator } from "@cfworker/json-schema";
import type { JsonSchema } from "../../llm/model.ts";
import { fulfil } from "../../offline/schema.ts";
import type { Evidence } from "../../offline/schema_walk.ts";

const EVIDENCE: Evidence = {
  ask: "Book a train from Berlin to Vienna for 3 people on 2026-05-04, mail anna@example.net",
  title: "Train to Vienna",
  sentences: [
    "The night train leaves Berlin at 18:43.",
    "The price is 89.50 euros for each of 3 people.",
    "Seats are not refundable.",
  ],
  text: "The night train leaves Berlin. See https://example.org/trains for more.",
};

const count = (max: number) => fc.integer({ min: 0, max });

/** A small grammar of satisfiable schemas. */
const { schema } = fc.letrec<{ schema: JsonSchema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<JsonSchema>({ type: "boolean" }, { type: "null" }, { const: 7 }, {}),
    fc.uniqueArray(fc.string({ maxLength: 8 }), { minLength: 1, maxLength: 4 })
      .map((values) => ({ type: "string", enum: values })),
    fc.tuple(count(20), count(30)).map(([least, more]) => ({
      type: "string",
      minLength: least,
      maxLength: least + more,
    })),
    fc.constantFrom("date", "date-time", "email", "uri", "uuid", "ipv4", "hostname", "time")
      .map((format) => ({ type: "string", format })),
    fc.tuple(fc.integer({ min: -50, max: 50 }), count(40), fc.boolean()).map((
      [low, more, whole],
    ) => ({
      type: whole ? "integer" : "number",
      minimum: low,
      maximum: low + more,
    })),
    fc.tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: -30, max: 30 })).map((
      [step, low],
    ) => ({
      type: "integer",
      multipleOf: step,
      exclusiveMinimum: low,
      exclusiveMaximum: low + 2 * step,
    })),
    fc.tuple(count(4), count(4), tie("schema")).map(([least, more, items]) => ({
      type: "array",
      minItems: least,
      maxItems: least + more,
      items,
    })),
    fc.tuple(count(4), fc.constantFrom("string", "integer", "number")).map(([least, type]) => ({
      type: "array",
      uniqueItems: true,
      minItems: least,
      items: { type },
    })),
    fc.dictionary(fc.constantFrom("name", "price", "seats", "summary", "__x"), tie("schema"))
      .chain((properties) =>
        fc.subarray(Object.keys(properties)).map((required) => ({
          type: "object",
          properties,
          required,
          additionalProperties: false,
        }))
      ),
    tie("schema").map((branch) => ({ anyOf: [{ type: "null" }, branch] })),
    tie("schema").map((part) => ({ allOf: [part, {}] })),
    fc.constant<JsonSchema>({ type: ["integer", "null"] }),
    fc.constant<JsonSchema>({ $ref: "#/$defs/person" }),
  ),
}));

const PERSON = {
  type: "object",
  required: ["name", "friends"],
  properties: {
    name: { type: "string" },
    friends: { type: "array", items: { $ref: "#/$defs/person" }, maxItems: 2 },
  },
};

Deno.test("fulfil() gives a valid value for any schema of the grammar", () => {
  fc.assert(
    fc.property(schema, (body) => {
      const whole = { ...body, $defs: { person: PERSON } };
      const { valid, errors } = new Validator(whole, "2020-12").validate(
        fulfil(whole, () => EVIDENCE),
      );
      if (!valid) throw new Error(JSON.stringify({ body, errors }));
    }),
    { numRuns: 300, seed: 42 },
  );
});

Deno.test("fulfil() needs no evidence to be valid", () => {
  const nothing: Evidence = { ask: "", title: "", sentences: [], text: "" };
  fc.assert(
    fc.property(schema, (body) => {
      const whole = { ...body, $defs: { person: PERSON } };
      return new Validator(whole, "2020-12").validate(fulfil(whole, () => nothing)).valid;
    }),
    { numRuns: 200, seed: 7 },
  );
});

const properties = (fields: Record<string, unknown>) => ({
  type: "object",
  properties: fields,
  required: Object.keys(fields),
});

Deno.test("fulfil() takes values from the evidence", () => {
  const value = fulfil(
    properties({
      intent: { enum: ["cancel_booking", "book_train", "complain"] },
      title: { type: "string" },
      price: { type: "number" },
      people: { type: "integer" },
      date: { type: "string", format: "date" },
      contact: { type: "string", format: "email" },
      link: { type: "string", format: "uri" },
      city: { type: "string", pattern: "^V[a-z]+$" },
      refundable: { type: "boolean" },
      night: { type: "boolean" },
      facts: { type: "array", items: { type: "string" } },
      nickname: { type: ["string", "null"], const: null },
    }),
    () => EVIDENCE,
  );
  expect(value).toEqual({
    intent: "book_train",
    title: "Train to Vienna",
    price: 89.5,
    people: 3,
    date: "2026-05-04",
    contact: "anna@example.net",
    link: "https://example.org/trains",
    city: "Vienna",
    refundable: false,
    night: true,
    facts: EVIDENCE.sentences,
    nickname: null,
  });
});

Deno.test("fulfil() keeps the parts of a hint that fit and mends the others", () => {
  const hint = { score: 300, comment: "kept", extra: true };
  const shape = {
    ...properties({ score: { type: "integer", maximum: 100 }, comment: { type: "string" } }),
    additionalProperties: false,
  };
  expect(fulfil(shape, () => EVIDENCE, hint)).toEqual({ score: 3, comment: "kept" });
  expect(fulfil({ type: "object" }, () => EVIDENCE, hint)).toBe(hint);
});

Deno.test("fulfil() ends on recursive and contradictory schemas", () => {
  const endless = { $ref: "#" };
  const tree = properties({ child: { $ref: "#" } });
  const loop = { anyOf: [{ $ref: "#" }, { type: "string" }] };
  const impossible = { type: "string", minLength: 5, maxLength: 2, pattern: "^(a+)+$" };
  for (const shape of [endless, tree, loop, impossible, { $ref: "#/nowhere/at/all" }]) {
    expect(fulfil(shape, () => EVIDENCE)).toBeDefined();
  }
});
