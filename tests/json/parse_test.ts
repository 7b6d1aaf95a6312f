import { expect } from "expect";
import fc from "fast-check";
import * as z from "zod";
import { parse, toIssues } from "../../json/parse.ts";

const NAME = z.string().regex(/^[a-z]+$/, "must be letters");
const POLICY = z.strictObject({ tries: z.int() });

const SAMPLE = z.strictObject({
  text: z.string().min(1).max(2).optional(),
  count: z.int().min(1).max(5).optional(),
  whole: z.number().int().optional(),
  share: z.number().positive().lt(1).optional(),
  even: z.number().multipleOf(2).optional(),
  items: z.array(z.boolean()).min(2).optional(),
  pair: z.tuple([z.string(), z.string()]).optional(),
  three: z.string().length(3).optional(),
  part: z.strictObject({ a: z.unknown().optional() }).optional(),
  needy: z.strictObject({ a: z.string(), mode: z.enum(["on", "off"]) }).optional(),
  map: z.record(z.string(), z.unknown()).optional(),
  names: z.record(NAME, z.unknown()).optional(),
  mode: z.enum(["on", "off"]).optional(),
  all: z.literal(true).optional(),
  url: z.url().optional(),
  code: z.string().regex(/^a+$/).optional(),
  path: z.string().startsWith("/").endsWith(".md").includes("x").optional(),
  limit: z.union([z.int(), z.string(), z.literal(true)]).optional(),
  retry: z.union([POLICY, z.array(POLICY)], { error: "must be a policy or a list" }).optional(),
  kind: z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("a") }),
    z.strictObject({ type: z.literal("b") }),
  ]).optional(),
  odd: z.unknown().refine((value) => value !== 0).optional(),
  own: z.string().refine((value) => value !== "x", "must not be x").optional(),
});

const CASES: [value: unknown, location: string, message: string][] = [
  [{ text: 1 }, "/text", "must be a string"],
  [{ text: "" }, "/text", "must have at least 1 character"],
  [{ text: "abc" }, "/text", "must have at most 2 characters"],
  [{ three: "ab" }, "/three", "must have exactly 3 characters"],
  [{ count: 1.5 }, "/count", "must be an integer"],
  [{ count: "1" }, "/count", "must be an integer"],
  [{ count: 9 }, "/count", "must be at most 5"],
  [{ whole: "1" }, "/whole", "must be an integer"],
  [{ share: 0 }, "/share", "must be more than 0"],
  [{ share: 1 }, "/share", "must be less than 1"],
  [{ even: 3 }, "/even", "must be a multiple of 2"],
  [{ items: [true] }, "/items", "must have at least 2 items"],
  [{ items: [true, 1] }, "/items/1", "must be true or false"],
  [{ items: {} }, "/items", "must be an array"],
  [{ pair: 1 }, "/pair", "must be an array"],
  [{ pair: ["a"] }, "/pair", "must have at least 2 items"],
  [{ map: 1 }, "/map", "must be an object"],
  [{ names: { a1: 1 } }, "/names/a1", "must be letters"],
  [{ mode: "of" }, "/mode", "must be one of on, off"],
  [{ all: false }, "/all", "must be true"],
  [{ url: "x" }, "/url", "must be a URL"],
  [{ code: "b" }, "/code", "must match /^a+$/"],
  [{ path: "x.md" }, "/path", 'must start with "/"'],
  [{ path: "/x" }, "/path", 'must end with ".md"'],
  [{ path: "/.md" }, "/path", 'must contain "x"'],
  [{ limit: {} }, "/limit", "must be an integer or a string or true"],
  [{ retry: 3 }, "/retry", "must be a policy or a list"],
  [{ retry: { tries: "x" } }, "/retry/tries", "must be an integer"],
  [
    { retry: [{ tries: 1, trie: 1 }] },
    "/retry/0/trie",
    'unknown field "trie"; did you mean "tries"?',
  ],
  [{ kind: { type: "c" } }, "/kind/type", "must be one of a, b"],
  [{ odd: 0 }, "/odd", "is not valid"],
  [{ own: "x" }, "/own", "must not be x"],
  [{ part: { b: 1 } }, "/part/b", 'unknown field "b"; available: a'],
  [{ cuont: 1 }, "/cuont", 'unknown field "cuont"; did you mean "count"?'],
  [{ needy: { mode: "on" } }, "/needy/a", "is required"],
  [{ needy: { a: "" } }, "/needy/mode", "is required: one of on, off"],
  [[], "", "must be an object"],
];

for (const [value, location, message] of CASES) {
  Deno.test(`parse() says: ${message}, for ${JSON.stringify(value)}`, () => {
    expect(toIssues(parse(SAMPLE, value).problems ?? [])).toEqual([{ location, message }]);
  });
}

Deno.test("parse() returns what the schema makes of a value", () => {
  expect(parse(z.strictObject({ n: z.int().default(1) }), {})).toEqual({ data: { n: 1 } });
});

Deno.test("parse() lists a misspelt field before the one that is missing for it", () => {
  const schema = z.strictObject({ pipeline: z.string(), input: z.unknown().optional() });
  expect(parse(schema, { pipline: "echo" })).toEqual({
    problems: [
      { path: ["pipline"], message: 'unknown field "pipline"; did you mean "pipeline"?' },
      { path: ["pipeline"], message: "is required" },
    ],
  });
});

Deno.test("parse() lists no fields where an object has none", () => {
  expect(parse(z.record(z.enum(["a"]), z.int()), { a: 1, b: 2 })).toEqual({
    problems: [{ path: ["b"], message: 'unknown field "b"' }],
  });
});

Deno.test("toIssues() escapes names in JSON pointers", () => {
  expect(toIssues([{ path: ["a/b", 0, "c~d"], message: "is required" }])).toEqual([
    { location: "/a~1b/0/c~0d", message: "is required" },
  ]);
});

/** What only the library would say. */
const LIBRARY = /\b(?:Invalid|Unrecognized|Too (?:big|small)|expected|received)\b|[.]$/;

const { schema: anySchema } = fc.letrec<{ schema: z.ZodType }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<z.ZodType>(
      z.string().min(1).max(2),
      z.string().regex(/^a/).startsWith("a"),
      z.email(),
      z.iso.datetime(),
      z.uuid(),
      z.number().positive().lt(3).multipleOf(2),
      z.int(),
      z.boolean(),
      z.null(),
      z.never(),
      z.undefined(),
      z.enum(["a", "b"]),
      z.literal(1),
      z.json(),
      z.unknown().refine((value) => value === 1),
      z.record(z.string().max(1), z.int()),
      z.discriminatedUnion("a", [z.object({ a: z.literal("a") })]),
    ),
    tie("schema").map((item) => z.array(item).min(1).max(2)),
    tie("schema").map((item) => z.tuple([item, item])),
    tie("schema").map((item) => z.strictObject({ a: item, b: item.optional() })),
    tie("schema").map((item) => z.record(z.enum(["a", "b"]), item)),
    fc.tuple(tie("schema"), tie("schema")).map((options) => z.union(options)),
    fc.tuple(tie("schema"), tie("schema")).map(([a, b]) => z.intersection(a, b)),
  ),
}));

const anyValue = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.dictionary(fc.constantFrom("a", "b", "long"), fc.jsonValue({ maxDepth: 1 })),
);

Deno.test("parse() never repeats a phrase of the library", () => {
  let problems = 0;
  fc.assert(
    fc.property(anySchema, anyValue, (schema, value) => {
      for (const { message } of parse(schema, value).problems ?? []) {
        problems++;
        expect(message.replace(/"(?:\\.|[^"\\])*"/g, "")).not.toMatch(LIBRARY);
      }
    }),
    { numRuns: 500, seed: 7 },
  );
  expect(problems).toBeGreaterThan(500);
});
