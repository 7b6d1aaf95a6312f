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
import { Distinct, withDistinct } from "./unique.ts";
import type { JsonSchema, Path } from "./value.ts";

const MAX_ISSUES = 20;
const TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"];
/** Keywords whose values are data, not schemas. */
const DATA = new Set(["const", "enum", "default", "examples"]);

/** References that a validation may follow: so many, more for a longer value, never more than. */
const REFERENCES = 10_000;
const REFERENCES_PER_CHARACTER = 4;
const MOST_REFERENCES = 500_000;

/** A schema that is ready for the validator. */
interface Prepared {
  schema: Schema;
  /** What its references lead to. */
  schemas: Schemas;
  /** If it has `uniqueItems`. */
  distinct?: Distinct;
}

/** Schemas that were used before, prepared. */
const prepared = new WeakMap<JsonSchema, Prepared>();

/** Thrown when a validation follows too many references. */
class TooManyReferences extends Error {}

/** What is wrong with `value`, the first 20 issues; empty when it is valid. */
export function schemaIssues(schema: JsonSchema, value: unknown): Issue[] {
  const ready = prepare(schema);
  const units = failures(ready, value);
  if (typeof units === "string") return [{ location: "/", message: `cannot be checked: ${units}` }];
  if (units.length === 0) return [];
  return causes(units).slice(0, MAX_ISSUES)
    .map((unit) => issueOf(unit, ready.schema, ready.schemas));
}

/** Some values break the validator: half a character in a name, tens of thousands of wrong items. */
function failures(ready: Prepared, value: unknown): OutputUnit[] | string {
  try {
    return check(ready, value);
  } catch (error) {
    if (error instanceof TooManyReferences) return "its schema applies too many references to it";
    if (error instanceof URIError || error instanceof RangeError) {
      return "too much is wrong with it";
    }
    throw error;
  }
}

function check({ schema, schemas, distinct }: Prepared, value: unknown): OutputUnit[] {
  const marked = distinct ? distinct.marked(value) : value;
  return validate(marked, schema, "2020-12", counted(schemas, value), false).errors;
}

/** References can multiply with each level of the value or of the schema, so they are counted. */
function counted(schemas: Schemas, value: unknown): Schemas {
  let left = REFERENCES;
  let extended = false;
  return new Proxy(schemas, {
    get(target, address: string) {
      if (left-- === 0 && !extended) {
        extended = true;
        const more = JSON.stringify(value).length * REFERENCES_PER_CHARACTER;
        left = Math.min(more, MOST_REFERENCES);
      }
      if (left < 0) throw new TooManyReferences();
      return target[address];
    },
  });
}

function prepare(schema: JsonSchema): Prepared {
  const known = prepared.get(schema);
  if (known) return known;
  const distinct = new Distinct();
  const own = withDistinct(schema as Schema, distinct);
  const ready = {
    schema: own,
    schemas: dereference(own),
    distinct: own === schema ? undefined : distinct,
  };
  prepared.set(schema, ready);
  return ready;
}

/** What is wrong with a schema itself: unknown types, references to nowhere, unsafe patterns. */
export function schemaProblems(schema: unknown, path: Path): Problem[] {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    return [{ path, message: "must be a JSON Schema object, such as { type: object }" }];
  }
  const problems = walk(schema as Record<string, unknown>, path);
  if (problems.length > 0) return problems;
  try {
    check(prepare(schema as JsonSchema), null);
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
  if (error instanceof TooManyReferences) {
    return `applies more than ${REFERENCES} references to one value; use fewer`;
  }
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
