/**
 * JSON Schema (2020-12): validates data against the schemas that pipelines and agents declare, and
 * checks those schemas themselves.
 *
 * @module
 */
import { type OutputUnit, type Schema, Validator } from "@cfworker/json-schema";
import type { Issue } from "../errors.ts";
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
  const { valid, errors } = validatorOf(schema).validate(value);
  if (valid) return [];
  return errors.filter((unit) => isLeaf(unit, errors)).slice(0, MAX_ISSUES).map((unit) => ({
    location: unit.instanceLocation.slice(1) || "/",
    message: unit.error,
  }));
}

function validatorOf(schema: JsonSchema): Validator {
  let validator = validators.get(schema);
  if (!validator) {
    validator = new Validator(schema as Schema, "2020-12", false);
    validators.set(schema, validator);
  }
  return validator;
}

/** Every failed keyword is also reported by the keywords around it; only the innermost says why. */
function isLeaf(unit: OutputUnit, all: OutputUnit[]): boolean {
  const below = `${unit.keywordLocation}/`;
  return !all.some((other) => other !== unit && other.keywordLocation.startsWith(below));
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
