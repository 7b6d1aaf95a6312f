/** Documents that can be searched, and what was said in conversations. @module */
export {
  type Conversations,
  createConversations,
  type Exchange,
  type Summary,
  toMessages,
} from "./conversations.ts";
export { createCrawler, type Visit, type VisitPage } from "./crawler.ts";
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
export type { Added } from "./intake.ts";
export {
  createKnowledge,
  type DocumentPage,
  type Knowledge,
  type KnowledgeOptions,
} from "./knowledge.ts";
export { createMemory, MAX_FACT_CHARS, type Memory } from "./memory.ts";
export { createQdrant } from "./qdrant.ts";
export { createRecollection, type Recollection } from "./recollection.ts";
export { collectionName, metadata, searchRequest } from "./schemas.ts";
