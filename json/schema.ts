/**
 * JSON Schema (2020-12): validates data against the schemas that pipelines and agents declare, and
 * checks those schemas themselves.
 *
 * @module
 */
import {
  type OutputUnit,
  type Schema,
  type ValidationResult,
  Validator,
} from "@cfworker/json-schema";
import type { Issue } from "../errors.ts";
import { causes } from "./causes.ts";
import { patternProblem } from "./pattern.ts";
import { unknownName } from "./suggest.ts";
import type { JsonSchema, Path } from "./value.ts";

const MAX_ISSUES = 20;
const TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"];
/** Keywords whose values are data, not schemas. */
const DATA = new Set(["const", "enum", "default", "examples"]);

const validators = new WeakMap<JsonSchema, Validator>();

/** What is wrong with `value`: JSON pointers and messages, the first 20; empty when it is valid. */
export function schemaIssues(schema: JsonSchema, value: unknown): Issue[] {
  const { valid, errors } = validate(schema, value);
  if (valid) return [];
  return causes(errors).slice(0, MAX_ISSUES).map((unit) => ({
    location: decodeURI(unit.instanceLocation.slice(1)) || "/",
    message: messageOf(unit, schema),
  }));
}

/** Some values break the validator: half a letter in a name, tens of thousands of wrong items. */
function validate(schema: JsonSchema, value: unknown): ValidationResult {
  const validator = validatorOf(schema);
  try {
    return validator.validate(value);
  } catch (error) {
    if (!(error instanceof URIError || error instanceof RangeError)) throw error;
    const at = { keyword: "", keywordLocation: "#", instanceLocation: "#" };
    return {
      valid: false,
      errors: [{ ...at, error: "cannot be checked: too much is wrong with it" }],
    };
  }
}

/** Without a full stop, as the messages of all issues. */
function messageOf(unit: OutputUnit, schema: JsonSchema): string {
  const { keyword, keywordLocation, instanceLocation, error } = unit;
  const around = /^(.*)\/(?:additional|unevaluated)Properties$/.exec(keywordLocation)?.[1];
  if (keyword !== "false") return error.replace(/\.$/, "");
  if (around === undefined) return "nothing may be here";
  const name = nameOf(instanceLocation.split("/").at(-1)!);
  const { properties = {} } = valueAt(schema, around) ?? {};
  return unknownName("property", name, Object.keys(properties as object));
}

/** What a pointer leads to; nothing where a reference is in between. */
function valueAt(schema: JsonSchema, pointer: string): JsonSchema | undefined {
  let value: unknown = schema;
  for (const part of pointer.split("/").slice(1)) {
    value = typeof value === "object" ? (value as JsonSchema | null)?.[nameOf(part)] : undefined;
  }
  return value as JsonSchema | undefined;
}

/** RFC 6901, and what the validator escapes besides. */
function nameOf(part: string): string {
  return decodeURI(part).replaceAll("~1", "/").replaceAll("~0", "~");
}

function validatorOf(schema: JsonSchema): Validator {
  let validator = validators.get(schema);
  if (!validator) {
    validator = new Validator(schema as Schema, "2020-12", false);
    validators.set(schema, validator);
  }
  return validator;
}

/** One thing that is wrong with a schema. */
export interface SchemaProblem {
  path: Path;
  message: string;
}

/** What is wrong with a schema itself: unknown types, references to nowhere, unsafe patterns. */
export function schemaProblems(schema: unknown, path: Path): SchemaProblem[] {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    return [{ path, message: "must be a JSON Schema object, such as { type: object }" }];
  }
  const problems = walk(schema as Record<string, unknown>, path);
  if (problems.length > 0) return problems;
  try {
    validatorOf(schema as JsonSchema).validate(null);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    problems.push({ path, message: `not a usable JSON Schema: ${why.split("\n")[0]}` });
  }
  return problems;
}

function walk(node: Record<string, unknown>, path: Path): SchemaProblem[] {
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

function leafProblems(key: string, value: string | unknown[], path: Path): SchemaProblem[] {
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

function patternProblems(pattern: string, path: Path): SchemaProblem[] {
  const message = patternProblem(pattern);
  return message === undefined ? [] : [{ path, message }];
}
