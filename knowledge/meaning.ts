/**
 * Search by meaning: where vectors come from, and where they are kept: with the passages in the
 * store, or in a vector database.
 *
 * @module
 */
import { toOrchestratorError } from "../errors.ts";
import type { Embedder, Hit, Passage, Place, VectorDb } from "./document.ts";
import type { Allowed, PassageIndex } from "./passage_index.ts";
import { unit } from "./vectors.ts";

/** The longest that a search waits for its vector, in milliseconds. */
const SEARCH_TIMEOUT_MS = 5_000;

/** What search by meaning is made of. */
export interface MeaningOptions {
  embedder: Embedder;
  /** Without it vectors are kept in the store. */
  db?: VectorDb;
}

/** The vectors of passages, or why there are none. */
export type Vectors =
  | { vectors: Float32Array[] }
  | { problem: { code: string; message: string } };

/** The vectors of a document's passages. A model that fails costs the vectors, not the document. */
export async function vectorsOf(
  { embedder }: MeaningOptions,
  passages: Passage[],
  signal: AbortSignal,
): Promise<Vectors> {
  try {
    // Without headings: they are found by their words, and blur what the text itself means.
    const vectors = await embedder.embed(passages.map(({ text }) => text), signal);
    return { vectors: vectors.map(unit) };
  } catch (error) {
    signal.throwIfAborted();
    return { problem: problemOf(error) };
  }
}

/** The nearest passages. @throws `model_*`, `vector_db_failed` */
export async function nearest(
  { embedder, db }: MeaningOptions,
  place: Place,
  query: string,
  options: { index: PassageIndex; limit: number; allowed?: Allowed },
  signal: AbortSignal,
): Promise<Hit[]> {
  const { index, limit, allowed } = options;
  if (!db && !index.hasVectors) return [];
  const within = AbortSignal.any([signal, AbortSignal.timeout(SEARCH_TIMEOUT_MS)]);
  const [values = []] = await embedder.embed([query], within);
  const vector = unit(values);
  if (!db) return index.byMeaning(vector, limit, allowed);
  const documents = allowed && { documents: index.ids(allowed) };
  return await db.search(place, vector, { limit, ...documents }, within);
}

/** What an answer says about a failure. */
export function problemOf(error: unknown): { code: string; message: string } {
  const { code, message } = toOrchestratorError(error);
  return { code, message };
}
