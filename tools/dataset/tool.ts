/** The tool `dataset`: what is in a data set, and questions to it. @module */
import type { Json, JsonSchema } from "../../json/mod.ts";
import type { Tool } from "../tool.ts";
import { profile } from "./profile.ts";
import { AGGREGATES, COMPARISONS, type Query, query } from "./query.ts";
import { type DatasetDeps, loadTable } from "./source.ts";

const name = { type: "string", maxLength: 200 };
const names = { type: "array", items: name, maxItems: 100 };
const value = { type: ["string", "number", "boolean", "null"] };

/** A list of objects of exactly these fields. */
function listOf(required: string[], properties: Record<string, unknown>): JsonSchema {
  const items = { type: "object", additionalProperties: false, required, properties };
  return { type: "array", maxItems: 50, items };
}

const QUERY: JsonSchema = {
  type: "object",
  additionalProperties: false,
  description:
    "Which rows (where), as they are (select) or grouped (group_by, aggregate), in which order. Fields are names of the profile.",
  properties: {
    select: names,
    where: listOf(["field", "op"], {
      field: name,
      op: { enum: [...COMPARISONS] },
      value: { anyOf: [value, { type: "array", items: value, maxItems: 1000 }] },
    }),
    group_by: names,
    aggregate: listOf(["op"], { op: { enum: [...AGGREGATES] }, field: name, as: name }),
    order_by: listOf(["field"], { field: name, direction: { enum: ["asc", "desc"] } }),
    limit: { type: "integer", minimum: 1, maximum: 1000, default: 50 },
  },
};

const INPUT: JsonSchema = {
  type: "object",
  additionalProperties: false,
  required: ["source", "action"],
  properties: {
    source: {
      type: "string",
      maxLength: 2000,
      description: "artifact://art_… of an uploaded file, or an http(s) address.",
    },
    action: { enum: ["profile", "query"] },
    query: QUERY,
  },
};

/** Makes the tool. It reads CSV, TSV, JSON, NDJSON and Parquet, also compressed with gzip. */
export function createDatasetTool(deps: DatasetDeps): Tool {
  return {
    name: "dataset",
    description:
      "Reads a data set (CSV, TSV, JSON, NDJSON, Parquet) from an uploaded file or an address, which is fetched through the egress guard. `profile` returns its columns with types, missing values and distributions; `query` filters, groups and orders it.",
    input: INPUT,
    source: "built_in",
    capability: "read",
    effect: "none",
    timeout_ms: 90_000,
    untrusted: true,
    async run(args, { caller, signal }) {
      const table = await loadTable(args.source as string, { caller, signal }, deps);
      return (args.action === "profile"
        ? profile(table)
        : query(table, (args.query ?? {}) as Query)) as unknown as Json;
    },
  };
}
