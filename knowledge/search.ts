/** One search: by words, by meaning where that is possible, the best of both. @module */
import {
  type Hit,
  MAX_RESULTS,
  type Place,
  type SearchAnswer,
  type SearchRequest,
  type SearchResult,
} from "./document.ts";
import { matches } from "./filter.ts";
import { fuse } from "./fuse.ts";
import { type MeaningOptions, nearest, problemOf } from "./meaning.ts";
import type { Allowed, PassageIndex } from "./passage_index.ts";
import type { DocumentStore } from "./document_store.ts";

/** How many passages of each ranking are fused. */
const POOL = 2 * MAX_RESULTS;
const DEFAULT_LIMIT = 10;

/** What a search uses besides the index. */
export interface SearchDeps {
  documentStore: Pick<DocumentStore, "passages">;
  meaning?: MeaningOptions;
}

/** Finds the passages of a collection that fit a request best. */
export async function search(
  { documentStore, meaning }: SearchDeps,
  index: PassageIndex,
  place: Place,
  request: SearchRequest,
  signal: AbortSignal,
): Promise<SearchAnswer> {
  const { query, limit = DEFAULT_LIMIT, filter } = request;
  const allowed: { allowed?: Allowed } = filter
    ? { allowed: ({ metadata }) => matches(metadata, filter) }
    : {};
  const lexical = index.byWords(query, POOL, allowed.allowed);
  const options = { index, limit: POOL, ...allowed };
  const semantic = meaning
    ? await nearest(meaning, place, query, options, signal).catch((error) => {
      signal.throwIfAborted();
      return { degraded: problemOf(error) };
    })
    : [];
  const degraded = "degraded" in semantic ? semantic : {};
  const near = "degraded" in semantic ? [] : semantic;
  const hits = near.length > 0 ? fuse(lexical, near) : lexical;
  const results = await withText(documentStore, index, place, hits, Math.min(limit, MAX_RESULTS));
  return { results, mode: near.length > 0 ? "hybrid" : "bm25", ...degraded };
}

/** A passage whose document was removed a moment ago is left out. */
async function withText(
  documentStore: SearchDeps["documentStore"],
  index: PassageIndex,
  place: Place,
  hits: Hit[],
  limit: number,
): Promise<SearchResult[]> {
  const known = hits.filter(({ document }) => index.record(document)).slice(0, limit);
  const passages = await documentStore.passages(place, known);
  return known.flatMap(({ document: id, n, score }, rank) => {
    const [record, passage] = [index.record(id), passages[rank]];
    if (!record || !passage) return [];
    const { title, url } = record;
    const document = { id, title, ...(url === undefined ? {} : { url }) };
    return [{ id: `${id}#${n}`, score, document, passage: n, ...passage }];
  });
}
