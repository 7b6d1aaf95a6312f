/** Documents that can be searched, and what was said in conversations. @module */
export {
  type Collection,
  DEFAULT_COLLECTION,
  type DocumentRecord,
  type Embedder,
  type Filter,
  type FilterRange,
  MAX_RESULTS,
  type Metadata,
  type MetadataValue,
  type NewDocument,
  type Passage,
  type SearchAnswer,
  type SearchRequest,
  type SearchResult,
  type VectorDb,
} from "./document.ts";
export {
  type Added,
  createKnowledge,
  type DocumentPage,
  type Knowledge,
  type KnowledgeOptions,
} from "./knowledge.ts";
export { READABLE_TYPES } from "./read/mod.ts";
