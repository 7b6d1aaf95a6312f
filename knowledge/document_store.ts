/**
 * Documents in the store.
 *
 * Boundary: puts, reads and removes documents with their passages and vectors. Reads no files, ranks
 * nothing.
 *
 * 1. A document is there exactly while its record is: passages are written before it, and removed
 *    after it. What a crash leaves half written or half removed has a mark, and is cleared away.
 * 2. Everything that changes a collection also writes the collection's own record and checks its
 *    version: counts are exact, of two changes at a time one is made again, and who keeps a copy of
 *    the collection sees by that version whether it is current.
 * 3. A collection holds the same bytes once, and one document from one address.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import { type Key, keys, type Mutation, setBytes, setJson, type Store } from "../store/mod.ts";
import type { DocumentRecord, Passage, Place } from "./document.ts";
import { DocumentReader, type Unfinished } from "./document_reader.ts";
import { toBytes } from "./vectors.ts";

/** The most mutations of one commit of passages; a passage is some 1.5 KB, a vector up to 12 KB. */
const BATCH = 50;

/** How much may be kept. */
export interface DocumentLimits {
  /** Documents of one tenant. */
  max_documents: number;
  /** Passages of one collection. */
  max_passages: number;
}

/** What is needed to keep documents. */
export interface ShelvesOptions {
  store: Store;
  limits: DocumentLimits;
}

/** A document that is about to be kept. */
export interface NewRecord {
  record: DocumentRecord;
  passages: Passage[];
  /** One for each passage; none: it is searched by words only. */
  vectors?: Float32Array[];
}

/** How a collection changed. */
export interface Change {
  /** The collection's version before and after it. */
  before: string | null;
  after: string;
  /** The version of the document that was written. */
  added?: DocumentRecord;
  removed?: Gone;
}

/** What is always known of a document that was removed. */
type Gone = Pick<DocumentRecord, "id" | "collection">;

/** The outcome for a document. */
export type PutOutcome =
  | { outcome: "created" | "replaced"; record: DocumentRecord; change: Change }
  | { outcome: "unchanged"; record: DocumentRecord };

/** A change that is to be made. */
interface Plan {
  mutations: Mutation[];
  /** By how much the collection grows. */
  counts: { documents: number; passages: number };
  /** True when it is unknown what was counted of a document. */
  recount?: true;
  change: Pick<Change, "added" | "removed">;
}

/** See the module. */
export class DocumentStore extends DocumentReader {
  constructor(private readonly options: ShelvesOptions) {
    super(options.store);
  }

  /** Keeps a document. @throws `document_limit` */
  async put(tenant: string, added: NewRecord): Promise<PutOutcome> {
    const { record, passages, vectors = [] } = added;
    const { id, collection } = record;
    await this.checkRoom(tenant, record);
    await this.write([this.mark(tenant, record)]);
    await this.write(passages.flatMap((passage, n) => [
      setJson(keys.passage(tenant, collection, id, n), passage),
      ...(vectors[n]
        ? [setBytes(keys.vector(tenant, collection, id, n), toBytes(vectors[n]))]
        : []),
    ]));
    const outcome = await this.commitRecord(tenant, record);
    if (outcome.outcome === "unchanged") await this.clear(tenant, record);
    else if (outcome.change.removed) await this.clear(tenant, outcome.change.removed);
    return outcome;
  }

  /** Replaces a document's vectors. @returns nothing if it no longer exists */
  async setVectors(
    tenant: string,
    record: DocumentRecord,
    vectors: Float32Array[] | undefined,
  ): Promise<Change | undefined> {
    const { collection, id } = record;
    const key = keys.document(tenant, collection, id);
    await this.write(
      (vectors ?? []).map((vector, n) =>
        setBytes(keys.vector(tenant, collection, id, n), toBytes(vector))
      ),
    );
    const change = await this.change(
      { tenant, collection },
      async () =>
        await this.store.get(key) && {
          mutations: [setJson(key, record)],
          counts: { documents: 0, passages: 0 },
          change: { added: record },
        },
    );
    if (!change) await this.clear(tenant, record);
    return change;
  }

  /** Removes a document. @returns nothing if it does not exist */
  async remove(tenant: string, id: string): Promise<Change | undefined> {
    const collection = await this.collectionOf(tenant, id);
    if (collection === null) return undefined;
    const place = { tenant, collection };
    const change = await this.change(place, () => this.planRemoval(place, id));
    if (change) await this.clear(tenant, { id, collection });
    return change;
  }

  /** Removes the passages of a document that has no record, and its mark at last. */
  async clear(tenant: string, of: { id: string; collection: string }): Promise<void> {
    const record = await this.store.getToReplace(keys.document(tenant, of.collection, of.id));
    if (!record) {
      await this.deleteAll(keys.passagesOf(tenant, of.collection, of.id));
      await this.deleteAll(keys.vectorsOf(tenant, of.collection, of.id));
    }
    await this.write([{ key: keys.unfinished(tenant, of.id), delete: true }]);
  }

  /** Invariant 3: what is there already wins; what is at the same address gives way. */
  private async commitRecord(tenant: string, record: DocumentRecord): Promise<PutOutcome> {
    const { collection, id, hash, url } = record;
    const place = { tenant, collection };
    let same: DocumentRecord | null = null;
    const change = await this.change(place, async () => {
      same = await this.findSame(place, hash);
      if (same) return undefined;
      const urlKey = url === undefined
        ? undefined
        : keys.documentKey(tenant, collection, "url", url);
      const at = urlKey && await this.store.tryGet<string>(urlKey);
      const removal = at ? await this.planRemoval(place, at.value) : undefined;
      const mutations = [
        ...(removal?.mutations ?? []),
        setJson(keys.document(tenant, collection, id), record),
        setJson(keys.documentOf(tenant, id), collection),
        setJson(keys.documentKey(tenant, collection, "hash", hash), id),
        ...(urlKey ? [setJson(urlKey, id)] : []),
        { key: keys.unfinished(tenant, id), delete: true as const },
      ];
      const { documents = 0, passages = 0 } = removal?.counts ?? {};
      return {
        ...removal,
        mutations,
        counts: { documents: documents + 1, passages: passages + record.passages },
        change: { ...removal?.change, added: record },
      };
    });
    if (!change) return { outcome: "unchanged", record: same! };
    return { outcome: change.removed ? "replaced" : "created", record, change };
  }

  /** Invariant 2. `plan` is asked again when the collection has changed meanwhile. */
  private async change(
    { tenant, collection }: Place,
    plan: () => Promise<Plan | null | undefined>,
  ): Promise<Change | undefined> {
    const key = keys.collection(tenant, collection);
    while (true) {
      const { counts, version } = await this.count({ tenant, collection });
      const planned = await plan();
      if (!planned) return undefined;
      const before = planned.recount ? await this.recount({ tenant, collection }) : counts;
      const next = {
        name: collection,
        documents: before.documents + planned.counts.documents,
        passages: before.passages + planned.counts.passages,
      };
      const after = await this.store.commit({
        checks: [{ key, versionstamp: version }],
        mutations: [...planned.mutations, setJson(key, next)],
      });
      if (after !== null) return { before: version, after, ...planned.change };
    }
  }

  private async checkRoom(tenant: string, record: DocumentRecord): Promise<void> {
    const { max_documents, max_passages } = this.options.limits;
    const collections = await this.collections(tenant);
    const documents = collections.reduce((sum, one) => sum + one.documents, 0);
    if (documents >= max_documents) throw full(`there are ${documents} documents`, max_documents);
    const here = collections.find(({ name }) => name === record.collection)?.passages ?? 0;
    if (here + record.passages > max_passages) {
      const why = `collection ${record.collection} would have ${here + record.passages} passages`;
      throw full(why, max_passages);
    }
  }

  /** What removes a document's record; nothing if it does not exist. */
  private async planRemoval(place: Place, id: string): Promise<Plan | undefined> {
    const { tenant, collection } = place;
    const found = await this.store.getToReplace<DocumentRecord>(
      keys.document(tenant, collection, id),
    );
    if (!found) return undefined;
    const gone = { id, collection };
    const change = { removed: gone };
    const mark = this.mark(tenant, gone);
    const record = found.value;
    if (!record) {
      const mutations = [...await this.unsetDamaged(place, id), mark];
      return { mutations, counts: { documents: 0, passages: 0 }, recount: true, change };
    }
    const counts = { documents: -1, passages: -record.passages };
    return { mutations: [...this.unset(tenant, record), mark], counts, change };
  }

  /** The same as {@linkcode unset} for a document of which only the id can be read. */
  private async unsetDamaged({ tenant, collection }: Place, id: string): Promise<Mutation[]> {
    const doomed = [keys.document(tenant, collection, id), keys.documentOf(tenant, id)];
    const prefix = keys.documentKeysIn(tenant, collection);
    for await (const { key, value } of this.store.list<string>({ prefix })) {
      if (value === id) doomed.push(key);
    }
    return doomed.map((key) => ({ key, delete: true }));
  }

  private mark(tenant: string, { id, collection }: Gone): Mutation {
    const value: Unfinished = { collection, worker: this.store.worker };
    return setJson(keys.unfinished(tenant, id), value);
  }

  /** What a removed document leaves out of the indexes. */
  private unset(tenant: string, { id, collection, hash, url }: DocumentRecord): Mutation[] {
    return [
      keys.document(tenant, collection, id),
      keys.documentOf(tenant, id),
      keys.documentKey(tenant, collection, "hash", hash),
      ...(url === undefined ? [] : [keys.documentKey(tenant, collection, "url", url)]),
    ].map((key) => ({ key, delete: true }));
  }

  private async deleteAll(prefix: Key): Promise<void> {
    const doomed: Mutation[] = [];
    for await (const { key } of this.store.keys({ prefix })) doomed.push({ key, delete: true });
    await this.write(doomed);
  }

  private async write(mutations: Mutation[]): Promise<void> {
    for (let at = 0; at < mutations.length; at += BATCH) {
      await this.store.commit({ checks: [], mutations: mutations.slice(at, at + BATCH) });
    }
  }
}

function full(why: string, limit: number): OrchestratorError {
  return new OrchestratorError(
    "document_limit",
    `Cannot add the document: ${why}, and the limit is ${limit}. Delete documents, use another ` +
      "collection, or raise the limit in the configuration.",
    { details: { limit } },
  );
}
