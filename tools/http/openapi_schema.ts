/** Schemas of OpenAPI documents as JSON Schema 2020-12 that stands alone. @module */
import type { JsonSchema } from "../../json/mod.ts";

/** Keywords that say nothing about a value. */
const NOTES = ["example", "examples", "xml", "discriminator", "externalDocs", "$schema", "$id"];
/** Keywords whose values are schemas by name. */
const NAMED = ["properties", "patternProperties", "$defs", "dependentSchemas"];
/** Keywords whose values are data. */
const DATA = ["enum", "const", "default", "required", "type"];
const MAX_HOPS = 20;

/** True for JSON objects. */
export function isRecord(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * What a `$ref` leads to, through further ones; other values as they are.
 *
 * @throws Error when it leads nowhere or out of the document
 */
export function resolveRef(document: JsonSchema, value: unknown): unknown {
  let at = value;
  for (let hops = 0; isRecord(at) && typeof at.$ref === "string"; hops++) {
    if (hops === MAX_HOPS) throw new Error(`has circular references: ${at.$ref}`);
    at = target(document, at.$ref);
  }
  return at;
}

/**
 * A schema with everything that it refers to under `$defs`, without what OpenAPI adds to JSON
 * Schema and without what only responses have.
 *
 * @throws Error when a reference leads nowhere or out of the document
 */
export function closeSchema(document: JsonSchema, schema: JsonSchema): JsonSchema {
  const names = new Map<string, string>();
  const $defs: JsonSchema = {};
  const refer = (pointer: string): string => {
    const known = names.get(pointer);
    if (known) return known;
    const last = pointer.split("/").at(-1)!.replace(/[^\w.-]+/g, "_") || "schema";
    const name = Object.hasOwn($defs, last) ? `${last}_${names.size}` : last;
    names.set(pointer, name);
    // Taken before it is filled: it may refer to itself.
    $defs[name] = {};
    $defs[name] = convert(target(document, pointer), refer);
    return name;
  };
  const closed = convert(schema, refer) as JsonSchema;
  return names.size > 0 ? { ...closed, $defs } : closed;
}

function target(document: JsonSchema, pointer: string): unknown {
  if (!pointer.startsWith("#/")) throw new Error(`refers to another document: ${pointer}`);
  let at: unknown = document;
  for (const part of pointer.slice(2).split("/")) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    const parent = at as JsonSchema | undefined;
    at = typeof parent === "object" && parent && Object.hasOwn(parent, key)
      ? parent[key]
      : undefined;
  }
  if (at === undefined) throw new Error(`has a reference that leads nowhere: ${pointer}`);
  return at;
}

function convert(value: unknown, refer: (pointer: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => convert(item, refer));
  if (!isRecord(value)) return value;
  if (typeof value.$ref === "string") return { $ref: `#/$defs/${refer(value.$ref)}` };
  const result: JsonSchema = {};
  for (const [key, item] of Object.entries(withoutReadOnly(value))) {
    if (NOTES.includes(key) || key.startsWith("x-") || key === "nullable") continue;
    if (DATA.includes(key)) result[key] = item;
    else if (NAMED.includes(key) && isRecord(item)) {
      result[key] = Object.fromEntries(
        Object.entries(item).map(([name, schema]) => [name, convert(schema, refer)]),
      );
    } else result[key] = convert(item, refer);
  }
  exclusive(result, "exclusiveMinimum", "minimum");
  exclusive(result, "exclusiveMaximum", "maximum");
  return value.nullable === true ? nullable(result) : result;
}

/** What a server fills in itself is not to be sent. */
function withoutReadOnly(schema: JsonSchema): JsonSchema {
  if (!isRecord(schema.properties)) return schema;
  const entries = Object.entries(schema.properties);
  const kept = entries.filter(([, one]) => !(isRecord(one) && one.readOnly === true));
  if (kept.length === entries.length) return schema;
  const properties = Object.fromEntries(kept);
  const required = (Array.isArray(schema.required) ? schema.required : [])
    .filter((name) => !entries.some(([key]) => key === name) || Object.hasOwn(properties, name));
  return { ...schema, properties, ...(schema.required ? { required } : {}) };
}

/** In 3.0 a flag beside the bound, in JSON Schema the bound itself. */
function exclusive(schema: JsonSchema, flag: string, bound: string): void {
  if (typeof schema[flag] !== "boolean") return;
  if (schema[flag]) {
    schema[flag] = schema[bound];
    delete schema[bound];
  } else delete schema[flag];
}

function nullable(schema: JsonSchema): JsonSchema {
  if (typeof schema.type !== "string") return { anyOf: [schema, { type: "null" }] };
  const values = Array.isArray(schema.enum) ? { enum: [...schema.enum, null] } : {};
  return { ...schema, type: [schema.type, "null"], ...values };
}
