/**
 * Documents that can be searched: uploaded ones are read, cut into passages, kept and found again.
 *
 * @module
 */
import type { Caller } from "../guard/mod.ts";
import { keys, type Store } from "../store/mod.ts";
import {
  type Collection,
  DEFAULT_COLLECTION,
  type DocumentRecord,
  type NewDocument,
  type Passage,
  type Place,
  type SearchAnswer,
  type SearchRequest,
} from "./document.ts";
import {
  lostCursor,
  noModel,
  notEmbedded,
  unknownCollection,
  unknownDocument,
} from "./failures.ts";
import { Indexes } from "./indexes.ts";
import { type Added, Intake, NEVER } from "./intake.ts";
import { type MeaningOptions, vectorsOf } from "./meaning.ts";
import { search } from "./search.ts";
import { type DocumentLimits, DocumentStore } from "./document_store.ts";
import { toBytes } from "./vectors.ts";

/** What documents need. */
export interface KnowledgeOptions {
  store: Store;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** A new id that sorts after the ones before it. */
  newId: () => string;
  limits: DocumentLimits & {
    /** Bytes of one document as it is uploaded. */
    max_bytes: number;
    /** Passages of all collections that are kept in memory. */
    max_indexed: number;
  };
  /** Without it documents are searched by words only. */
  meaning?: MeaningOptions;
}

/** A page of documents. */
export interface DocumentPage {
  documents: DocumentRecord[];
  next_cursor?: string;
}

/** The documents of a tenant. */
export interface Knowledge {
  /**
   * Adds a document. The same bytes in the same collection are kept once.
   *
   * @throws `unsupported_media_type`, `document_unreadable`, `payload_too_large`, `document_limit`
   */
  add(caller: Caller, document: NewDocument, signal: AbortSignal): Promise<Added>;
  /** One document. @throws `not_found` */
  get(caller: Caller, id: string): Promise<DocumentRecord>;
  /** By collection, oldest first. @throws `invalid_request` for a cursor of somewhere else */
  list(
    caller: Caller,
    options: { collection?: string; limit: number; cursor?: string },
  ): Promise<DocumentPage>;
  /** Passages of a document from number `from` on. @throws `not_found` */
  passages(
    caller: Caller,
    id: string,
    options: { from: number; limit: number },
  ): Promise<(Passage & { n: number })[]>;
  /** Removes a document with all of its passages. @throws `not_found` */
  remove(caller: Caller, id: string): Promise<void>;
  /** The collections that have documents. */
  collections(caller: Caller): Promise<Collection[]>;
  /** Finds passages. @throws `not_found` when there is no such collection */
  search(caller: Caller, request: SearchRequest, signal: AbortSignal): Promise<SearchAnswer>;
  /** Ids of the documents whose vectors are not of the configured model; `null` without a model. */
  stale(caller: Caller, collection?: string): Promise<string[] | null>;
  /** Recreates a document's vectors. @throws `not_found`, `model_*`, `conflict` without a model */
  embed(caller: Caller, id: string, signal: AbortSignal): Promise<DocumentRecord>;
  /** Clears away what a crash left half done; yields after each document. */
  tidy(): AsyncIterable<number>;
}

/** Makes the documents of `options.store`. */
export function createKnowledge(options: KnowledgeOptions): Knowledge {
  return new StoredKnowledge(options);
}

class StoredKnowledge implements Knowledge {
  private readonly documentStore: DocumentStore;
  private readonly indexes: Indexes;
  private readonly intake: Intake;

  constructor(private readonly options: KnowledgeOptions) {
    const { store, limits, meaning } = options;
    this.documentStore = new DocumentStore({ store, limits });
    const model = meaning?.db ? undefined : meaning?.embedder.model;
    this.indexes = new Indexes({
      documentStore: this.documentStore,
      max_passages: limits.max_indexed,
      ...(model === undefined ? {} : { model }),
    });
    const { documentStore, indexes } = this;
    const { max_bytes } = limits;
    this.intake = new Intake({ ...options, documentStore, indexes, max_bytes });
  }

  add(caller: Caller, document: NewDocument, signal: AbortSignal): Promise<Added> {
    return this.intake.add(caller, document, signal);
  }

  async get({ tenant }: Caller, id: string): Promise<DocumentRecord> {
    const record = await this.documentStore.get(tenant, id);
    if (!record) throw unknownDocument(id);
    return record;
  }

  async list(
    { tenant }: Caller,
    { collection, limit, cursor }: { collection?: string; limit: number; cursor?: string },
  ): Promise<DocumentPage> {
    const after = cursor === undefined ? undefined : await this.keyOf(tenant, cursor, collection);
    const documents: DocumentRecord[] = [];
    for await (const { record } of this.documentStore.list(tenant, collection, after)) {
      if (documents.length === limit) return { documents, next_cursor: documents.at(-1)!.id };
      documents.push(record);
    }
    return { documents };
  }

  async passages(
    caller: Caller,
    id: string,
    { from, limit }: { from: number; limit: number },
  ): Promise<(Passage & { n: number })[]> {
    const { collection, passages } = await this.get(caller, id);
    const count = Math.max(0, Math.min(limit, passages - from));
    const refs = Array.from({ length: count }, (_, index) => ({ document: id, n: from + index }));
    const found = await this.documentStore.passages({ tenant: caller.tenant, collection }, refs);
    return found.flatMap((passage, index) => passage ? [{ n: from + index, ...passage }] : []);
  }

  async remove(caller: Caller, id: string): Promise<void> {
    const { tenant } = caller;
    const collection = await this.documentStore.collectionOf(tenant, id);
    if (collection === null) throw unknownDocument(id);
    const place = { tenant, collection };
    // First: if it fails, the document still exists and can be removed again.
    await this.options.meaning?.db?.remove(place, id, NEVER);
    const change = await this.documentStore.remove(tenant, id);
    if (!change) throw unknownDocument(id);
    await this.indexes.note(place, change);
  }

  collections({ tenant }: Caller): Promise<Collection[]> {
    return this.documentStore.collections(tenant);
  }

  async search(
    { tenant }: Caller,
    request: SearchRequest,
    signal: AbortSignal,
  ): Promise<SearchAnswer> {
    const place = { tenant, collection: request.collection ?? DEFAULT_COLLECTION };
    const index = await this.indexes.current(place);
    signal.throwIfAborted();
    if (index.size === 0) await this.mustExist(place);
    const { documentStore, options } = this;
    return await search({ documentStore, meaning: options.meaning }, index, place, request, signal);
  }

  async stale({ tenant }: Caller, collection?: string): Promise<string[] | null> {
    const model = this.options.meaning?.embedder.model;
    if (model === undefined) return null;
    const ids: string[] = [];
    for await (const { record } of this.documentStore.list(tenant, collection)) {
      if (record.embedding !== model) ids.push(record.id);
    }
    return ids;
  }

  async embed(caller: Caller, id: string, signal: AbortSignal): Promise<DocumentRecord> {
    const meaning = this.model();
    const { tenant } = caller;
    const { embedding: _, ...record } = await this.get(caller, id);
    const place = { tenant, collection: record.collection };
    const passages = await this.passages(caller, id, { from: 0, limit: record.passages });
    const made = await vectorsOf(meaning, passages, signal);
    if ("problem" in made) {
      throw notEmbedded(id, made.problem);
    }
    const embedded = { ...record, embedding: meaning.embedder.model };
    await meaning.db?.put(place, id, made.vectors, signal);
    const kept = meaning.db ? undefined : made.vectors;
    const change = await this.documentStore.setVectors(tenant, embedded, kept);
    if (!change) throw unknownDocument(id);
    await this.indexes.note(place, change, passages, kept?.map(toBytes));
    return embedded;
  }

  async *tidy(): AsyncIterable<number> {
    for (const { tenant, id, collection } of await this.documentStore.unfinished()) {
      const gone = await this.documentStore.collectionOf(tenant, id) === null;
      if (gone) await this.options.meaning?.db?.remove({ tenant, collection }, id, NEVER);
      await this.documentStore.clear(tenant, { id, collection });
      yield 1;
    }
  }

  private model(): MeaningOptions {
    if (this.options.meaning) return this.options.meaning;
    throw noModel();
  }

  private async mustExist({ tenant, collection }: Place): Promise<void> {
    if (collection === DEFAULT_COLLECTION) return;
    const names = (await this.documentStore.collections(tenant)).map(({ name }) => name);
    if (names.includes(collection)) return;
    throw unknownCollection(collection, names);
  }

  private async keyOf(tenant: string, id: string, collection?: string) {
    const record = await this.documentStore.get(tenant, id);
    if (record && (collection === undefined || record.collection === collection)) {
      return keys.document(tenant, record.collection, id);
    }
    throw lostCursor();
  }
}
