/**
 * Values for any JSON Schema, taken from the material: enums by the nearest word, numbers and dates
 * as they stand in the text, strings and lists from its sentences.
 *
 * Covered: type (also several), enum, const, properties, required, items, prefixItems, minItems,
 * maxItems, uniqueItems, minLength, maxLength, pattern and format (when the text holds a match or
 * the format is a common one), minimum, maximum, exclusive bounds, multipleOf, allOf, anyOf, oneOf,
 * local `$ref`, default. A schema that only an invented value could satisfy gets the nearest value.
 *
 * @module
 */
import { schemaIssues } from "../json/mod.ts";
import type { JsonSchema } from "../llm/mod.ts";
import { record } from "./material.ts";
import { arrayValue } from "./schema_array.ts";
import { numberValue } from "./schema_number.ts";
import { stringValue } from "./schema_string.ts";
import type { Evidence, Walk } from "./schema_walk.ts";
import { bm25, indexTerms } from "./score.ts";
import { termsOf } from "./text.ts";

/** Below this depth only what is required is made. */
const DEEPEST = 6;
const MOST_VALUES = 5_000;
const MOST_REFERENCES = 12;

/**
 * A value for the schema.
 *
 * @param evidence collects it: a hint that fits as a whole needs none, and collecting takes longer
 *   than all the rest
 * @param hint used as it is when it fulfils the schema, and by property where it does so in part
 */
export function fulfil(schema: JsonSchema, evidence: () => Evidence, hint?: unknown): unknown {
  let collected: Evidence | undefined;
  return valueFor(schema, {
    root: schema,
    get evidence() {
      return collected ??= evidence();
    },
    name: "",
    depth: 0,
    budget: { left: MOST_VALUES },
  }, hint);
}

/** A value for one place of the schema. */
function valueFor(schema: unknown, walk: Walk, hint?: unknown): unknown {
  if (walk.budget.left-- <= 0 || walk.depth > 10 * DEEPEST) return null;
  const plain = resolve(schema, walk);
  if (hint !== undefined && fits(plain, hint, walk)) return hint;
  if ("const" in plain) return plain.const;
  if (Array.isArray(plain.enum)) return nearest(plain, walk);
  const branches = plain.anyOf ?? plain.oneOf;
  if (Array.isArray(branches) && branches.length > 0) {
    return branchValue(plain, branches, walk, hint);
  }
  return typedValue(plain, typeOf(plain), walk, hint);
}

function typedValue(schema: JsonSchema, type: string, walk: Walk, hint: unknown): unknown {
  switch (type) {
    case "object":
      return objectValue(schema, walk, hint);
    case "array":
      return arrayValue(schema, walk, valueFor);
    case "number":
    case "integer":
      return numberValue(schema, type, walk);
    case "boolean":
      return speaksOf(walk);
    case "null":
      return null;
    default:
      return stringValue(schema, walk, (value) => fits(schema, value, walk));
  }
}

function typeOf(schema: JsonSchema): string {
  const types = [schema.type].flat().filter((type) => typeof type === "string");
  const told = types.find((type) => type !== "null") ?? types[0];
  if (told) return told;
  if (schema.properties || schema.required) return "object";
  if (schema.items || schema.prefixItems || schema.minItems) return "array";
  if (["minimum", "maximum", "multipleOf"].some((word) => word in schema)) return "number";
  return "string";
}

function objectValue(schema: JsonSchema, walk: Walk, hint: unknown): Record<string, unknown> {
  const properties = record(schema.properties);
  const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
  const names = new Set([...required, ...walk.depth < DEEPEST ? Object.keys(properties) : []]);
  const extra = schema.additionalProperties ?? {};
  const entries = [...names].map((name) => {
    const inner = { ...walk, name, depth: walk.depth + 1 };
    const given = Object.hasOwn(record(hint), name) ? record(hint)[name] : undefined;
    return [
      name,
      valueFor(Object.hasOwn(properties, name) ? properties[name] : extra, inner, given),
    ];
  });
  return Object.fromEntries(entries);
}

/** The first branch, null last, whose value fulfils the whole. */
function branchValue(schema: JsonSchema, branches: unknown[], walk: Walk, hint: unknown): unknown {
  const { anyOf: _any, oneOf: _one, ...rest } = schema;
  const options = branches.map((branch) => merge(rest, resolve(branch, walk)));
  options.sort((a, b) => Number(typeOf(a) === "null") - Number(typeOf(b) === "null"));
  const values = walk.depth < DEEPEST
    ? options.map((option) => valueFor(option, { ...walk, depth: walk.depth + 1 }, hint))
    : options.slice(-1).map((option) => valueFor(option, { ...walk, depth: walk.depth + 1 }));
  return values.find((value) => fits(schema, value, walk)) ?? values[0];
}

/** Follows local references and folds `allOf` into one schema. */
function resolve(schema: unknown, walk: Walk, hops = 0): JsonSchema {
  const { $ref, allOf, ...rest } = record(schema);
  let plain: JsonSchema = rest;
  if (typeof $ref === "string" && hops < MOST_REFERENCES) {
    plain = merge(plain, resolve(pointed(walk.root, $ref), walk, hops + 1));
  }
  if (Array.isArray(allOf) && hops < MOST_REFERENCES) {
    for (const part of allOf) plain = merge(plain, resolve(part, walk, hops + 1));
  }
  return plain;
}

function pointed(root: JsonSchema, ref: string): unknown {
  if (!ref.startsWith("#")) return {};
  const names = ref.slice(1).split("/").filter((name) => name !== "");
  return names.reduce<unknown>((at, name) => {
    const key = decodeURIComponent(name).replace(/~1/g, "/").replace(/~0/g, "~");
    return Array.isArray(at) ? at[Number(key)] : record(at)[key];
  }, root);
}

function merge(a: JsonSchema, b: JsonSchema): JsonSchema {
  const merged: JsonSchema = { ...a, ...b };
  if (a.properties && b.properties) {
    merged.properties = { ...record(a.properties), ...record(b.properties) };
  }
  if (Array.isArray(a.required) && Array.isArray(b.required)) {
    merged.required = [...new Set([...a.required, ...b.required])];
  }
  if (Array.isArray(a.enum) && Array.isArray(b.enum)) {
    const other = b.enum.map((value) => JSON.stringify(value));
    merged.enum = a.enum.filter((value) => other.includes(JSON.stringify(value)));
  }
  for (const [word, choose] of BOUNDS) {
    const [x, y] = [a[word], b[word]];
    if (typeof x === "number" && typeof y === "number") merged[word] = choose(x, y);
  }
  return merged;
}

const BOUNDS: [string, (a: number, b: number) => number][] = [
  ...["minimum", "exclusiveMinimum", "minLength", "minItems"].map((word) =>
    [word, Math.max] as [string, (a: number, b: number) => number]
  ),
  ...["maximum", "exclusiveMaximum", "maxLength", "maxItems"].map((word) =>
    [word, Math.min] as [string, (a: number, b: number) => number]
  ),
];

/** Whether a value fulfils a part of the schema; schemas the validator rejects fit nothing. */
function fits(schema: JsonSchema, value: unknown, { root }: Walk): boolean {
  const { $defs, definitions } = root;
  try {
    const whole = {
      ...schema,
      ...($defs ? { $defs } : {}),
      ...(definitions ? { definitions } : {}),
    };
    return schemaIssues(whole, value).length === 0;
  } catch {
    return false;
  }
}

/** The enum's value whose words are nearest to the ask, then to the material; else the first. */
function nearest(schema: JsonSchema, walk: Walk): unknown {
  const types = [schema.type].flat();
  const values = (schema.enum as unknown[]).filter((value) =>
    value !== null || types.every((type) => type === "null") || schema.enum === undefined
  );
  const options = values.length > 0 ? values : schema.enum as unknown[];
  const index = indexTerms(options.map((value) => termsOf(String(value).replace(/[_-]/g, " "))));
  for (const text of [walk.evidence.ask, walk.evidence.text]) {
    const scores = bm25(index, termsOf(text));
    const best = scores.indexOf(Math.max(...scores));
    if ((scores[best] ?? 0) > 0) return options[best];
  }
  return options[0];
}

/** True when the material speaks of what the property is named after, and does not deny it. */
function speaksOf({ name, evidence }: Walk): boolean {
  const terms = termsOf(name.replace(/[_-]|(?<=[a-z])(?=[A-Z])/g, " "));
  if (terms.length === 0) return false;
  const sentence = [evidence.ask, ...evidence.sentences].find((text) => {
    const own = new Set(termsOf(text));
    return terms.every((term) => own.has(term));
  });
  return sentence !== undefined && !/\b(?:not?|never|without|cannot|\w+n't)\b/i.test(sentence);
}
