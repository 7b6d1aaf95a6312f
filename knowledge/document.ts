/** The shapes of documents and passages, and the ports that the rest of this folder works with. @module */

/** What may be said about a document to filter by. */
export type MetadataValue = string | number | boolean | string[];
/** Fields that the uploader chose. */
export type Metadata = Record<string, MetadataValue>;

/** Where a passage is in its document. */
export interface Location {
  /** Characters before it in the document's text; absent for tables and pages. */
  offset?: number;
  /** Page, the first is 1. */
  page?: number;
  /** Row of a table without its header, the first is 1. */
  row?: number;
}

/** A piece of a document that a search finds and a citation names. */
export interface Passage {
  text: string;
  /** The headings above it, the outermost first. */
  heading: string[];
  location: Location;
}

/** What is known of a document besides its passages. Plain JSON. */
export interface DocumentRecord {
  /** `doc_…`, sorts by time. */
  id: string;
  collection: string;
  title: string;
  url?: string;
  /** Media type of what was uploaded. */
  type: string;
  metadata: Metadata;
  /** SHA-256 of what was uploaded, in hex. */
  hash: string;
  /** Of what was uploaded, in bytes. */
  size: number;
  /** How many passages it has. */
  passages: number;
  /** The model whose vectors its passages have; absent: none. */
  embedding?: string;
  /** RFC 3339 UTC. */
  created_at: string;
}

/** A document to add. */
export interface NewDocument {
  bytes: Uint8Array;
  /** Media type, with or without parameters; what the name says when absent. */
  type?: string;
  /** File name. */
  name?: string;
  title?: string;
  url?: string;
  collection?: string;
  metadata?: Metadata;
}

/** How many documents and passages a collection has. */
export interface Collection {
  name: string;
  documents: number;
  passages: number;
}

/** Which documents a search looks at: all of these conditions must hold. */
export type Filter = Record<string, MetadataValue | FilterRange>;
/** A range of values, or a choice. */
export interface FilterRange {
  gte?: string | number;
  lte?: string | number;
  in?: (string | number | boolean)[];
}

/** What is searched for. */
export interface SearchRequest {
  query: string;
  /** Default `default`. */
  collection?: string;
  /** 1 to {@linkcode MAX_RESULTS}; default 10. */
  limit?: number;
  filter?: Filter;
}

/** The most passages that one search gives. */
export const MAX_RESULTS = 50;
/** The collection of documents that name none. */
export const DEFAULT_COLLECTION = "default";

/** A passage that was found. */
export interface SearchResult extends Passage {
  /** For citations: document and passage, `doc_…#3`. */
  id: string;
  /** Higher is better; comparable within one search only. */
  score: number;
  document: { id: string; title: string; url?: string };
  /** Number of the passage in its document, the first is 0. */
  passage: number;
}

/** What a search found, the best first. */
export interface SearchAnswer {
  results: SearchResult[];
  /** `bm25`: by words. `hybrid`: by words and by meaning. */
  mode: "bm25" | "hybrid";
  /** Why it was searched by words only although a model is configured. */
  degraded?: { code: string; message: string };
}

/** Turns texts into vectors. */
export interface Embedder {
  /** Vectors of different models cannot be compared. */
  readonly model: string;
  /** @throws `model_*` */
  embed(texts: string[], signal: AbortSignal): Promise<number[][]>;
}

/** Whose collection. */
export interface Place {
  tenant: string;
  collection: string;
}

/** A passage by number. */
export interface PassageRef {
  document: string;
  n: number;
}

/** A passage with how well it fits. */
export interface Hit extends PassageRef {
  score: number;
}

/** A database that keeps the passages' vectors instead of the store. */
export interface VectorDb {
  /** Adds a document's vectors, one for each passage in order. Again is as good as once. */
  put(place: Place, document: string, vectors: Float32Array[], signal: AbortSignal): Promise<void>;
  /** Removes a document's vectors; it is fine when there are none. */
  remove(place: Place, document: string, signal: AbortSignal): Promise<void>;
  /** The nearest passages, the best first; of `documents` only where they are given. */
  search(
    place: Place,
    vector: Float32Array,
    options: { limit: number; documents?: string[] },
    signal: AbortSignal,
  ): Promise<Hit[]>;
}
