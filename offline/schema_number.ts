/**
 * Numbers for a schema: the one in the text nearest to the property's name, within the bounds.
 *
 * @module
 */
import type { JsonSchema } from "../llm/mod.ts";
import type { Walk } from "./schema_walk.ts";
import { termsOf } from "./text.ts";

const NUMBER = /(?<![\p{L}\p{N}.,])-?\d{1,15}(?:,\d{3})*(?:\.\d{1,10})?(?![\p{L}\p{N}])/gu;

/** A number that the text names and the bounds allow; else the allowed one next to the first or 0. */
export function numberValue(schema: JsonSchema, type: string, walk: Walk): number {
  const step = stepOf(schema, type);
  const found = numbersBy(walk);
  const allowed = found.find((value) => value === bounded(value, schema, step));
  if (allowed !== undefined) return allowed;
  const start = typeof schema.default === "number" ? schema.default : found[0] ?? 0;
  return bounded(start, schema, step);
}

/** The numbers of the sentences that speak of the property first, then the others. */
function numbersBy({ name, evidence }: Walk): number[] {
  const terms = new Set(termsOf(name.replace(/[_-]/g, " ")));
  const sentences = [evidence.ask, ...evidence.sentences];
  const speaking = sentences.filter((text) => termsOf(text).some((term) => terms.has(term)));
  return [...speaking, ...sentences].slice(0, 400).flatMap((text) =>
    [...text.matchAll(NUMBER)].map(([digits]) => Number(digits.replaceAll(",", "")))
  );
}

function stepOf(schema: JsonSchema, type: string): number {
  const multiple = typeof schema.multipleOf === "number" && schema.multipleOf > 0
    ? schema.multipleOf
    : 0;
  if (type !== "integer") return multiple;
  return Number.isInteger(multiple) && multiple > 0 ? multiple : 1;
}

/** The allowed number nearest to `value`. */
function bounded(value: number, schema: JsonSchema, step: number): number {
  const unit = step || 1e-6;
  const low = Math.max(
    typeof schema.minimum === "number" ? schema.minimum : -Infinity,
    typeof schema.exclusiveMinimum === "number" ? above(schema.exclusiveMinimum, step) : -Infinity,
  );
  const high = Math.min(
    typeof schema.maximum === "number" ? schema.maximum : Infinity,
    typeof schema.exclusiveMaximum === "number" ? below(schema.exclusiveMaximum, step) : Infinity,
  );
  const near = Math.min(Math.max(value, low), Math.max(low, high));
  if (step === 0) return near;
  const rounded = Math.round(near / step) * step;
  if (rounded < low) return Math.ceil(low / unit) * step;
  if (rounded > high) return Math.floor(high / unit) * step;
  return rounded;
}

function above(bound: number, step: number): number {
  return step === 0
    ? bound + Math.max(Math.abs(bound) * 1e-9, 1e-6)
    : (Math.floor(bound / step) + 1) * step;
}

function below(bound: number, step: number): number {
  return step === 0
    ? bound - Math.max(Math.abs(bound) * 1e-9, 1e-6)
    : (Math.ceil(bound / step) - 1) * step;
}
