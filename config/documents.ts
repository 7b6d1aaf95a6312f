/** How much is kept of documents, and how they are searched by meaning. */
import type { Issue } from "../errors.ts";
import { PROVIDERS } from "../llm/mod.ts";
import type { ProviderConfig, Providers } from "./providers.ts";
import type { Secret } from "./secret.ts";
import type { Values } from "./variables.ts";

/** Where vectors come from. */
export interface EmbeddingConfig {
  model: string;
  base_url: string;
  api_key?: Secret;
}

/** Everything about documents. */
export interface DocumentsConfig {
  max_bytes: number;
  /** Of one tenant. */
  max_documents: number;
  /** Of one collection, and of all that are kept in memory. */
  max_passages: number;
  /** Absent: documents are searched by words only. */
  embedding?: EmbeddingConfig;
  /** A Qdrant server; absent: vectors are kept in the store. */
  vector_db?: { url: string; api_key?: Secret };
}

/** Shapes the variables of documents and tells what is wrong with them. */
export function readDocuments(
  values: Values,
  providers: Providers,
): { config: DocumentsConfig; issues: Issue[] } {
  const embedding = readEmbedding(values, providers);
  const { VECTOR_DB_URL: url, VECTOR_DB_API_KEY: api_key } = values;
  const config = {
    max_bytes: values.MAX_DOCUMENT_BYTES,
    max_documents: values.MAX_DOCUMENTS,
    max_passages: values.MAX_PASSAGES,
    ...(embedding ? { embedding } : {}),
    ...(url ? { vector_db: { url, ...(api_key ? { api_key } : {}) } } : {}),
  };
  return { config, issues: issuesOf(values, embedding) };
}

function readEmbedding(values: Values, providers: Providers): EmbeddingConfig | undefined {
  const { EMBEDDING_MODEL: model, EMBEDDING_BASE_URL: own, EMBEDDING_API_KEY } = values;
  if (!model) return undefined;
  const { openai, "openai-compatible": compatible } = providers;
  // A key goes to the server that it was given for, and to no other.
  const server: ProviderConfig | undefined = own ? { base_url: own } : compatible ?? openai;
  if (!server && !EMBEDDING_API_KEY) return undefined;
  const api_key = EMBEDDING_API_KEY ?? server?.api_key;
  const base_url = server?.base_url ?? PROVIDERS.openai.address;
  return { model, base_url, ...(api_key ? { api_key } : {}) };
}

function issuesOf(values: Values, embedding: EmbeddingConfig | undefined): Issue[] {
  const issues: Issue[] = [];
  if (values.EMBEDDING_MODEL && !embedding) {
    const message =
      "is set, but no server is configured: set EMBEDDING_BASE_URL, LLM_BASE_URL or " +
      "OPENAI_API_KEY too";
    issues.push({ location: "EMBEDDING_MODEL", message });
  }
  if (values.VECTOR_DB_URL && !values.EMBEDDING_MODEL) {
    const message = "is set, but EMBEDDING_MODEL is not: without it there are no vectors to store";
    issues.push({ location: "VECTOR_DB_URL", message });
  }
  return issues;
}
