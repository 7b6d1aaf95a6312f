/**
 * JSON Schema (2020-12): validates data against the schemas that pipelines and agents declare, and
 * checks those schemas themselves.
 *
 * @module
 */
import { dereference, type OutputUnit, type Schema, validate } from "@cfworker/json-schema";
import type { Issue } from "../errors.ts";
import { causes } from "./causes.ts";
import { issueOf, type Schemas } from "./describe.ts";
import type { Problem } from "./parse.ts";
import { patternProblem } from "./pattern.ts";
import { unknownName } from "./suggest.ts";
import type { JsonSchema, Path } from "./value.ts";

const MAX_ISSUES = 20;
const TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"];
/** Keywords whose values are data, not schemas. */
const DATA = new Set(["const", "enum", "default", "examples"]);

/** By schema, what its references lead to. */
const lookups = new WeakMap<JsonSchema, Schemas>();

/** What is wrong with `value`, the first 20 issues; empty when it is valid. */
export function schemaIssues(schema: JsonSchema, value: unknown): Issue[] {
  const schemas = lookup(schema);
  const units = failures(schema, value, schemas);
  if (units === "too many") {
    return [{ location: "/", message: "cannot be checked, because too much is wrong with it" }];
  }
  if (units.length === 0) return [];
  return causes(units).slice(0, MAX_ISSUES).map((unit) => issueOf(unit, schema, schemas));
}

/** Some values break the validator: half a character in a name, tens of thousands of wrong items. */
function failures(schema: JsonSchema, value: unknown, schemas: Schemas): OutputUnit[] | "too many" {
  try {
    return validate(value, schema as Schema, "2020-12", schemas, false).errors;
  } catch (error) {
    if (error instanceof URIError || error instanceof RangeError) return "too many";
    throw error;
  }
}

function lookup(schema: JsonSchema): Schemas {
  const found = lookups.get(schema) ?? dereference(schema as Schema);
  lookups.set(schema, found);
  return found;
}

/** What is wrong with a schema itself: unknown types, references to nowhere, unsafe patterns. */
export function schemaProblems(schema: unknown, path: Path): Problem[] {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    return [{ path, message: "must be a JSON Schema object, such as { type: object }" }];
  }
  const problems = walk(schema as Record<string, unknown>, path);
  if (problems.length > 0) return problems;
  try {
    validate(null, schema as Schema, "2020-12", lookup(schema as JsonSchema), false);
    return [];
  } catch (error) {
    return [{ path, message: unusable(error) }];
  }
}

/** The validator throws at schemas that it cannot follow; only its text says why. */
function unusable(error: unknown): string {
  const text = error instanceof Error ? error.message : "";
  const [, ref] = /^Unresolved \$ref "(.*?)"\./.exec(text) ?? [];
  if (ref !== undefined) return `has a $ref that leads nowhere: ${ref}`;
  if (error instanceof RangeError) return "has a $ref that leads back to itself";
  return /^Duplicate schema URI/.test(text)
    ? "has the same $id twice: rename one"
    : "is not a valid JSON Schema";
}

function walk(node: Record<string, unknown>, path: Path): Problem[] {
  return Object.entries(node).flatMap(([key, value]) => {
    const here = [...path, key];
    if (DATA.has(key)) return [];
    if (typeof value === "string" || Array.isArray(value)) return leafProblems(key, value, here);
    if (typeof value !== "object" || value === null) return [];
    const inner = walk(value as Record<string, unknown>, here);
    if (key !== "patternProperties") return inner;
    return [...Object.keys(value).flatMap((pattern) => patternProblems(pattern, here)), ...inner];
  });
}

function leafProblems(key: string, value: string | unknown[], path: Path): Problem[] {
  if (key === "pattern" && typeof value === "string") return patternProblems(value, path);
  if (key === "type") {
    const types = typeof value === "string" ? [value] : value;
    return types.filter((type) => !TYPES.includes(type as string))
      .map((type) => ({ path, message: unknownName("type", String(type), TYPES) }));
  }
  if (typeof value === "string") return [];
  return value.flatMap((item, index) =>
    typeof item === "object" && item !== null
      ? walk(item as Record<string, unknown>, [...path, index])
      : []
  );
}

function patternProblems(pattern: string, path: Path): Problem[] {
  const message = patternProblem(pattern);
  return message === undefined ? [] : [{ path, message }];
}
