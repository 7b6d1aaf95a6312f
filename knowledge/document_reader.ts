/** Reads stored documents: see `document_store.ts` for how they are written. @module */
import { type Key, keys, type ReadOptions, type Store } from "../store/mod.ts";
import type { Collection, DocumentRecord, Passage, Place } from "./document.ts";

/** A mark of a document that is written or removed. */
export interface Unfinished {
  collection: string;
  worker: string;
}

/** A collection's record with its version. */
export interface Counted {
  counts: Collection;
  version: string | null;
}

/** Reads documents, passages and vectors. */
export class DocumentReader {
  constructor(protected readonly store: Store) {}

  /** The document with these bytes; none, so that it is added again, where that is damaged. */
  async findSame({ tenant, collection }: Place, hash: string): Promise<DocumentRecord | null> {
    const key = keys.documentKey(tenant, collection, "hash", hash);
    const found = await this.store.tryGet<string>(key);
    if (!found) return null;
    return (await this.store.tryGet<DocumentRecord>(keys.document(tenant, collection, found.value)))
      ?.value ?? null;
  }

  /** One document. */
  async get(tenant: string, id: string): Promise<DocumentRecord | null> {
    const of = await this.store.get<string>(keys.documentOf(tenant, id));
    if (!of) return null;
    return (await this.store.get<DocumentRecord>(keys.document(tenant, of.value, id)))?.value ??
      null;
  }

  /** In which collection a document is, also when the index or the document's record is damaged. */
  async collectionOf(tenant: string, id: string): Promise<string | null> {
    const of = await this.store.getToReplace<string>(keys.documentOf(tenant, id));
    if (!of || of.value !== undefined) return of?.value ?? null;
    for await (const { key } of this.store.keys({ prefix: keys.documents(tenant) })) {
      if (key[3] === id) return String(key[2]);
    }
    return null;
  }

  /** Documents with their versions, by collection, oldest first; `after` skips up to that key. */
  async *list(
    tenant: string,
    collection?: string,
    after?: Key,
  ): AsyncIterable<{ record: DocumentRecord; version: string; key: Key }> {
    const prefix = collection === undefined
      ? keys.documents(tenant)
      : keys.documentsIn(tenant, collection);
    for await (
      const { value, versionstamp, key } of this.store.list<DocumentRecord>({
        prefix,
        ...(after && { start: after }),
      })
    ) {
      if (after && key.join("/") === after.join("/")) continue;
      yield { record: value, version: versionstamp, key };
    }
  }

  /** Some passages by number; `undefined` for those that cannot be read. */
  async passages(
    { tenant, collection }: Place,
    refs: { document: string; n: number }[],
  ): Promise<(Passage | undefined)[]> {
    const found: (Passage | undefined)[] = [];
    const wanted = refs.map(({ document, n }) => keys.passage(tenant, collection, document, n));
    for (let at = 0; at < wanted.length; at += 10) {
      const some = await this.store.getMany<Passage>(wanted.slice(at, at + 10), { onDamaged() {} });
      found.push(...some.map((entry) => entry?.value));
    }
    return found;
  }

  /** The passages of the documents from `first` on, document by document. */
  async *passagesFrom(
    { tenant, collection }: Place,
    first: string,
  ): AsyncIterable<{ document: string; passage: Passage }> {
    const prefix = keys.passagesIn(tenant, collection);
    const start = keys.passage(tenant, collection, first, 0);
    for await (const { key, value } of this.store.list<Passage>({ prefix, start })) {
      yield { document: String(key[3]), passage: value };
    }
  }

  /** The vectors of a document's passages, in order; fewer than these where some are damaged. */
  async vectors({ tenant, collection }: Place, document: string): Promise<Uint8Array[]> {
    const found: Uint8Array[] = [];
    const prefix = keys.vectorsOf(tenant, collection, document);
    for await (const { value } of this.store.listBytes({ prefix })) found.push(value);
    return found;
  }

  /** How much a collection holds, and its version. */
  async count(place: Place): Promise<Counted> {
    const { tenant, collection } = place;
    const found = await this.store.getToReplace<Collection>(keys.collection(tenant, collection));
    if (!found) return { counts: emptyCollection(collection), version: null };
    return { counts: found.value ?? await this.recount(place), version: found.versionstamp };
  }

  /** The same, from the records of its documents: one that is damaged does not count. */
  async recount({ tenant, collection }: Place): Promise<Collection> {
    const counts = emptyCollection(collection);
    for await (const { record } of this.list(tenant, collection)) {
      counts.documents++;
      counts.passages += record.passages;
    }
    return counts;
  }

  /** The collections that a tenant has. */
  async collections(tenant: string): Promise<Collection[]> {
    const found: Collection[] = [];
    const damaged: Key[] = [];
    const onDamaged: ReadOptions["onDamaged"] = (_error, { key }) => void damaged.push(key);
    const records = this.store.list<Collection>({ prefix: keys.collections(tenant) }, {
      onDamaged,
    });
    for await (const { value } of records) found.push(value);
    for (const key of damaged) {
      found.push(await this.recount({ tenant, collection: String(key[2]) }));
    }
    return found.filter(({ documents }) => documents > 0)
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** The documents that workers which are gone left half written or half removed. */
  async unfinished(): Promise<{ tenant: string; id: string; collection: string }[]> {
    const alive = new Set((await this.store.workers()).map(({ worker }) => worker));
    const found = [];
    const prefix = keys.unfinisheds();
    for await (const { key, value } of this.store.list<Unfinished>({ prefix })) {
      if (alive.has(value.worker)) continue;
      found.push({ tenant: String(key[1]), id: String(key[2]), collection: value.collection });
    }
    return found;
  }
}

function emptyCollection(name: string): Collection {
  return { name, documents: 0, passages: 0 };
}
