/** Documents on their way in: read, cut into passages, embedded, and kept with all of that. @module */
import type { Caller } from "../guard/mod.ts";
import { chunk } from "./chunk.ts";
import {
  DEFAULT_COLLECTION,
  type DocumentRecord,
  type NewDocument,
  type Passage,
  type Place,
} from "./document.ts";
import { empty, tooLarge } from "./failures.ts";
import { sha256 } from "./hash.ts";
import type { Indexes } from "./indexes.ts";
import { type MeaningOptions, problemOf, vectorsOf } from "./meaning.ts";
import { readDocument, typeOf } from "./read/mod.ts";
import type { DocumentStore } from "./document_store.ts";
import { toBytes } from "./vectors.ts";

/** What taking documents in needs. */
export interface IntakeOptions {
  documentStore: DocumentStore;
  indexes: Indexes;
  /** Without it documents are found by words only. */
  meaning?: MeaningOptions;
  /** Bytes of one document. */
  max_bytes: number;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** A new id that sorts after the ones before it. */
  newId: () => string;
}

/** The result of adding a document. */
export interface Added {
  document: DocumentRecord;
  /** `replaced`: one from the same address gave way. `unchanged`: it was there already. */
  outcome: "created" | "replaced" | "unchanged";
  /** Why it is found by words only although a model is configured. */
  degraded?: { code: string; message: string };
}

/** A document's vectors, or why there are none. */
type Embedded = Awaited<ReturnType<typeof vectorsOf>>;

/** Takes documents in. */
export class Intake {
  constructor(private readonly options: IntakeOptions) {}

  /** @throws as `Knowledge.add` */
  async add({ tenant }: Caller, document: NewDocument, signal: AbortSignal): Promise<Added> {
    const place = { tenant, collection: document.collection ?? DEFAULT_COLLECTION };
    const { bytes } = document;
    const { max_bytes, meaning, documentStore } = this.options;
    if (bytes.length > max_bytes) throw tooLarge(max_bytes);
    const hash = sha256(bytes);
    const same = await documentStore.findSame(place, hash);
    if (same) return { document: same, outcome: "unchanged" };
    const { record, passages } = await this.read(document, place, hash);
    const embedded = meaning && await vectorsOf(meaning, passages, signal);
    return await this.keep(place, record, passages, embedded, signal);
  }

  private async read(
    { bytes, type: declared, name, title, url, metadata = {} }: NewDocument,
    { collection }: Place,
    hash: string,
  ): Promise<{ record: DocumentRecord; passages: Passage[] }> {
    const type = typeOf(declared, name);
    const read = await readDocument(bytes, type, declared);
    const passages = chunk(read.blocks);
    if (passages.length === 0) throw empty();
    const called = title ?? read.title ?? name ?? url ?? passages[0]!.text.slice(0, 80);
    const record: DocumentRecord = {
      id: `doc_${this.options.newId()}`,
      collection,
      title: called.slice(0, 500),
      ...(url === undefined ? {} : { url }),
      type,
      metadata,
      hash,
      size: bytes.length,
      passages: passages.length,
      created_at: new Date(this.options.now()).toISOString(),
    };
    return { record, passages };
  }

  private async keep(
    place: Place,
    bare: DocumentRecord,
    passages: Passage[],
    embedded: Embedded | undefined,
    signal: AbortSignal,
  ): Promise<Added> {
    const { meaning, documentStore, indexes } = this.options;
    const made = embedded && meaning?.db && "vectors" in embedded
      ? await this.putVectors(place, bare.id, embedded.vectors, signal)
      : embedded;
    const vectors = made && "vectors" in made ? made.vectors : undefined;
    const record = vectors && meaning ? { ...bare, embedding: meaning.embedder.model } : bare;
    const kept = meaning?.db ? undefined : vectors;
    const put = await documentStore.put(place.tenant, {
      record,
      passages,
      ...(kept ? { vectors: kept } : {}),
    });
    if (put.outcome === "unchanged") {
      if (vectors) await this.forget(place, bare.id);
      return { document: put.record, outcome: "unchanged" };
    }
    await indexes.note(place, put.change, passages, kept?.map(toBytes));
    // Vectors that are left behind are never found: their document has no record.
    const problem = made && "problem" in made
      ? made.problem
      : await this.forget(place, put.change.removed?.id);
    return { document: record, outcome: put.outcome, ...(problem ? { degraded: problem } : {}) };
  }

  /** Removes the vectors of a document that is gone; tells what went wrong. */
  private async forget(place: Place, id: string | undefined) {
    if (id === undefined) return undefined;
    return await this.options.meaning?.db?.remove(place, id, NEVER).catch(problemOf);
  }

  private async putVectors(
    place: Place,
    id: string,
    vectors: Float32Array[],
    signal: AbortSignal,
  ): Promise<Embedded> {
    try {
      await this.options.meaning!.db!.put(place, id, vectors, signal);
      return { vectors };
    } catch (error) {
      signal.throwIfAborted();
      return { problem: problemOf(error) };
    }
  }
}

/** For what must be finished once it has begun. */
export const NEVER = new AbortController().signal;
