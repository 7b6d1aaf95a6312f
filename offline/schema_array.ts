/**
 * Lists for a schema: each item is made from a sentence of its own.
 *
 * @module
 */
import type { JsonSchema } from "../llm/mod.ts";
import { record } from "./material.ts";
import type { Walk } from "./schema_walk.ts";

const USUAL_ITEMS = 3;
const MOST_ITEMS = 200;
/** Lists inside of lists are kept short. */
const DEEP = 4;

/**
 * A list that has as many items as allowed and as there are sentences, three at most by choice.
 *
 * @param valueFor makes one item
 */
export function arrayValue(
  schema: JsonSchema,
  walk: Walk,
  valueFor: (schema: unknown, walk: Walk) => unknown,
): unknown[] {
  const least = typeof schema.minItems === "number" ? schema.minItems : 0;
  const most = typeof schema.maxItems === "number" ? schema.maxItems : Infinity;
  const prefix = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
  const wanted = walk.depth > DEEP ? least : Math.max(least, prefix.length, usual(schema, walk));
  const length = Math.min(wanted, most, MOST_ITEMS);
  const items: unknown[] = [];
  const seen = new Set<string>();
  for (let i = 0; items.length < length && i < length + MOST_ITEMS; i++) {
    const item = prefix[items.length] ?? schema.items ?? {};
    const value = distinct(valueFor(item, focus(walk, i)), item, schema, seen, i);
    const key = JSON.stringify(value);
    if (schema.uniqueItems === true && seen.has(key)) continue;
    seen.add(key);
    items.push(value);
  }
  return items;
}

function usual(schema: JsonSchema, { evidence }: Walk): number {
  if (schema.items === false) return 0;
  return Math.min(USUAL_ITEMS, evidence.sentences.length);
}

/** The walk for the i-th item: its sentence comes first. */
function focus(walk: Walk, i: number): Walk {
  const { sentences } = walk.evidence;
  const turn = sentences.length === 0 ? 0 : i % sentences.length;
  const turned = [...sentences.slice(turn), ...sentences.slice(0, turn)];
  const name = walk.name.replace(/ies$/, "y").replace(/s$/, "");
  return {
    ...walk,
    name,
    depth: walk.depth + 1,
    evidence: { ...walk.evidence, sentences: turned },
  };
}

/** Another value of the same kind where the list must not repeat one. */
function distinct(
  value: unknown,
  item: unknown,
  schema: JsonSchema,
  seen: Set<string>,
  i: number,
): unknown {
  if (schema.uniqueItems !== true || !seen.has(JSON.stringify(value))) return value;
  const { enum: values, maximum, multipleOf, maxLength } = record(item);
  if (Array.isArray(values)) return values.find((other) => !seen.has(JSON.stringify(other)));
  if (typeof value === "number") {
    const step = typeof multipleOf === "number" ? multipleOf : 1;
    for (let n = 1; n <= MOST_ITEMS; n++) {
      const [up, down] = [value + n * step, value - n * step];
      if (!seen.has(String(up)) && !(typeof maximum === "number" && up > maximum)) return up;
      if (!seen.has(String(down))) return down;
    }
  }
  if (typeof value === "boolean") return !value;
  if (typeof value !== "string") return value;
  const mark = ` (${i + 1})`;
  const room = typeof maxLength === "number" ? Math.max(0, maxLength - mark.length) : Infinity;
  return Array.from(value).slice(0, room).join("") + mark;
}
