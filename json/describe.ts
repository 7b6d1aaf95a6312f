/**
 * Describes what the JSON Schema validator reports. No message of the library leaves this file.
 *
 * @module
 */
import type { OutputUnit, Schema } from "@cfworker/json-schema";
import type { Issue } from "../errors.ts";
import { unknownName } from "./suggest.ts";
import { Distinct } from "./unique.ts";
import type { JsonSchema } from "./value.ts";
import { mustBeKind, mustBeOneOf, mustHave, mustHaveFormat, NOT_VALID, REQUIRED } from "./words.ts";

/** The schemas that references lead to, by their addresses. */
export type Schemas = Record<string, Schema | boolean>;

/** The keywords that fail by themselves, described with their values. */
const WORDS: Record<string, (value: never) => string> = {
  type: (types: string | string[]) => mustBeKind([types].flat()),
  enum: (values: unknown[] | Distinct) =>
    values instanceof Distinct ? "must not have duplicate items" : mustBeOneOf(values),
  const: (value: unknown) => mustBeOneOf([value]),
  not: () => "is not allowed",
  oneOf: () => "must match exactly one of the allowed schemas",
  minProperties: (count: number) => mustHave("at least", count, "field"),
  maxProperties: (count: number) => mustHave("at most", count, "field"),
  minItems: (count: number) => mustHave("at least", count, "item"),
  maxItems: (count: number) => mustHave("at most", count, "item"),
  contains: () => "must have an item of the required kind",
  minContains: (count: number) => `${mustHave("at least", count, "item")} of the required kind`,
  maxContains: (count: number) => `${mustHave("at most", count, "item")} of the required kind`,
  minLength: (count: number) => mustHave("at least", count, "character"),
  maxLength: (count: number) => mustHave("at most", count, "character"),
  minimum: (limit: number) => `must be at least ${limit}`,
  maximum: (limit: number) => `must be at most ${limit}`,
  exclusiveMinimum: (limit: number) => `must be more than ${limit}`,
  exclusiveMaximum: (limit: number) => `must be less than ${limit}`,
  multipleOf: (divisor: number) => `must be a multiple of ${divisor}`,
  pattern: (pattern: string) => `must match /${pattern}/`,
  format: (format: string) => mustHaveFormat(format),
};

/** Names of properties, which the validator has in its text only. */
const MISSING = /^Instance does not have required property "(.*)"\.$/s;
const DEPENDENT = /^Instance has "(.*)" but does not have "(.*)"\.$/s;

/** The issue that a report is. */
export function issueOf(unit: OutputUnit, schema: JsonSchema, schemas: Schemas): Issue {
  const { keyword, keywordLocation, error } = unit;
  const location = decodeURI(unit.instanceLocation.slice(1));
  const [, missing] = MISSING.exec(error) ?? [];
  if (missing !== undefined) return { location: child(location, missing), message: REQUIRED };
  const [, present, needed] = DEPENDENT.exec(error) ?? [];
  if (needed !== undefined) {
    return { location: child(location, needed), message: `${REQUIRED} with "${present}"` };
  }
  if (keyword === "false") return { location, message: excess(unit, schema, schemas) };
  const value = valueAt(schema, keywordLocation, schemas);
  const words = value === undefined ? undefined : WORDS[keyword];
  return { location: location || "/", message: words ? words(value as never) : NOT_VALID };
}

/** For a value where the schema allows none: a property that no other keyword knows, or an item. */
function excess(unit: OutputUnit, schema: JsonSchema, schemas: Schemas): string {
  const around = /^(.*)\/(?:additional|unevaluated)Properties$/.exec(unit.keywordLocation)?.[1];
  if (around === undefined) return "is not allowed";
  const name = nameOf(unit.instanceLocation.split("/").at(-1)!);
  const { properties } = (valueAt(schema, around, schemas) ?? {}) as JsonSchema;
  return unknownName("field", name, properties ? Object.keys(properties) : undefined);
}

/** What a pointer into a schema leads to, through references. */
function valueAt(schema: JsonSchema, pointer: string, schemas: Schemas): unknown {
  let value: unknown = schema;
  for (const part of pointer.split("/").slice(1)) {
    if (typeof value !== "object" || value === null) return undefined;
    const { __absolute_ref__: absolute, $ref } = value as Schema;
    value = part === "$ref" ? schemas[absolute ?? $ref ?? ""] : (value as JsonSchema)[nameOf(part)];
  }
  return value;
}

function child(location: string, name: string): string {
  return `${location}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** RFC 6901, and what the validator escapes besides. */
function nameOf(part: string): string {
  return decodeURI(part).replaceAll("~1", "/").replaceAll("~0", "~");
}
