import type { Caller } from "../guard/mod.ts";
import type { Json } from "../json/mod.ts";
import type { Tool } from "./tool.ts";

const TIMEOUT_MS = 15_000;
const MAX_RESULTS = 20;

/** What is asked of the documents. */
export interface DocumentQuery {
  query: string;
  collection?: string;
  limit: number;
}

/** What the tool needs. */
export interface SearchDocumentsDeps {
  /** Finds passages of documents; its answer is JSON. */
  search(caller: Caller, query: DocumentQuery, signal: AbortSignal): Promise<unknown>;
}

const INPUT = {
  type: "object",
  additionalProperties: false,
  required: ["query"],
  properties: {
    query: { type: "string", minLength: 1, maxLength: 2_000 },
    collection: {
      type: "string",
      description: "The collection to search; the default collection if omitted.",
    },
    limit: { type: "integer", minimum: 1, maximum: MAX_RESULTS, description: "Default 5." },
  },
};

const OUTPUT = {
  type: "object",
  required: ["results", "mode"],
  properties: {
    results: { type: "array", items: { type: "object" } },
    mode: { enum: ["bm25", "hybrid"] },
  },
};

/** The tool `search_documents`: passages of the tenant's own documents. */
export function createSearchDocuments({ search }: SearchDocumentsDeps): Tool {
  return {
    name: "search_documents",
    description:
      "Finds passages in the uploaded documents. Give it a question or the words that the " +
      "answer would contain. Each result has the text, its document and an ID to cite.",
    input: INPUT,
    output: OUTPUT,
    source: "built_in",
    capability: "read",
    effect: "none",
    timeout_ms: TIMEOUT_MS,
    untrusted: true,
    async run({ query, collection, limit }, { caller, signal }) {
      return await search(caller, {
        query: String(query),
        limit: typeof limit === "number" ? limit : 5,
        ...(typeof collection === "string" ? { collection } : {}),
      }, signal) as Json;
    },
  };
}
