/**
 * The searchable copies of collections, made when they are first searched.
 *
 * Boundary: reads documents from their store. Decides what is in memory, ranks nothing.
 *
 * 1. A search sees every change that was acknowledged before it began: a copy is compared with its
 *    collection's version at each search, and catches up by the documents' versions.
 * 2. A change of this process that follows the copy's version directly is made in the copy, too:
 *    nothing has to be read again.
 * 3. Of the copies, those searched last stay, up to `max_passages` together; the one that is being
 *    searched always does. What is too much goes from the tenant that has the most: one that
 *    searches a lot does not take the memory of another.
 * 4. One copy is brought up to date by one reader at a time.
 *
 * @module
 */
import type { DocumentRecord, Passage, Place } from "./document.ts";
import { PassageIndex } from "./passage_index.ts";
import type { Change, DocumentStore } from "./document_store.ts";

/** What is needed to keep copies. */
export interface IndexesOptions {
  documentStore: Pick<DocumentStore, "count" | "list" | "passagesFrom" | "vectors">;
  /** In all copies together. */
  max_passages: number;
  /** The model whose vectors are kept in the store; nothing: none are. */
  model?: string;
}

interface Copy {
  tenant: string;
  index: Promise<PassageIndex>;
  /** How many passages it had after its last reading. */
  size: number;
  /** The collection's version that the copy shows; `undefined` before the first reading. */
  version: string | null | undefined;
  /** The reading under way, or the last one. */
  reading: Promise<void>;
}

/** See the module. */
export class Indexes {
  /** In the order of their last search. */
  private readonly copies = new Map<string, Copy>();

  constructor(private readonly options: IndexesOptions) {}

  /** The collection as it is now. */
  async current(place: Place): Promise<PassageIndex> {
    const name = nameOf(place);
    const copy: Copy = this.copies.get(name) ?? {
      tenant: place.tenant,
      index: PassageIndex.create(),
      size: 0,
      version: undefined,
      reading: Promise.resolve(),
    };
    this.copies.delete(name);
    this.copies.set(name, copy);
    const reading = copy.reading.catch(() => {}).then(() => this.catchUp(place, copy));
    copy.reading = reading;
    await reading;
    this.evict(name);
    return copy.index;
  }

  /** Invariant 2. `passages` are those of the document that was added. */
  async note(
    place: Place,
    change: Change,
    passages: Passage[] = [],
    vectors?: Uint8Array[],
  ): Promise<void> {
    const copy = this.copies.get(nameOf(place));
    if (!copy) return;
    const reading = copy.reading.catch(() => {}).then(async () => {
      if (copy.version !== change.before || copy.version === undefined) return;
      const index = await copy.index;
      if (change.removed) index.remove(change.removed.id);
      if (change.added) await index.add(change.added, change.after, passages, vectors);
      copy.version = change.after;
      copy.size = index.size;
    });
    copy.reading = reading;
    await reading;
  }

  private async catchUp(place: Place, copy: Copy): Promise<void> {
    const { version } = await this.options.documentStore.count(place);
    if (copy.version === version) return;
    const index = await copy.index;
    const stale = index.versions();
    const missing = new Map<string, { record: DocumentRecord; version: string }>();
    for await (const entry of this.options.documentStore.list(place.tenant, place.collection)) {
      const { id } = entry.record;
      if (stale.get(id) !== entry.version) missing.set(id, entry);
      else stale.delete(id);
    }
    for (const id of stale.keys()) if (!missing.has(id)) index.remove(id);
    await this.read(place, index, missing);
    copy.version = version;
    copy.size = index.size;
  }

  /** Documents are in the order of their ids, which is the order of their passages. */
  private async read(
    place: Place,
    index: PassageIndex,
    missing: Map<string, { record: DocumentRecord; version: string }>,
  ): Promise<void> {
    const [first] = missing.keys();
    if (first === undefined) return;
    let current: string | undefined;
    let passages: Passage[] = [];
    const finish = async () => {
      const found = current === undefined ? undefined : missing.get(current);
      if (!found) return;
      const { record, version } = found;
      const kept = this.options.model !== undefined && record.embedding === this.options.model;
      const vectors = kept ? await this.options.documentStore.vectors(place, record.id) : undefined;
      // A document of which a passage is damaged is not searched: the others would be mistaken.
      const whole = passages.length === record.passages ? passages : [];
      await index.add(record, version, whole, vectors);
    };
    for await (
      const { document, passage } of this.options.documentStore.passagesFrom(place, first)
    ) {
      if (document !== current) {
        await finish();
        current = document;
        passages = [];
      }
      if (missing.has(document)) passages.push(passage);
    }
    await finish();
  }

  private evict(current: string): void {
    while (this.copies.size > 1 && sizeOf(this.copies.values()) > this.options.max_passages) {
      this.copies.delete(this.leastNeeded(current));
    }
  }

  /** The copy that the tenant with the most passages has not searched for the longest time. */
  private leastNeeded(current: string): string {
    const others = [...this.copies].filter(([name]) => name !== current);
    const shares = Map.groupBy(this.copies.values(), ({ tenant }) => tenant);
    const shareOf = ({ tenant }: Copy) => sizeOf(shares.get(tenant)!);
    // Of equal ones the first: copies are in the order of their last search.
    const [[name]] = others.toSorted(([, a], [, b]) => shareOf(b) - shareOf(a)) as [[string, Copy]];
    return name;
  }
}

function sizeOf(copies: Iterable<Copy>): number {
  let total = 0;
  for (const { size } of copies) total += size;
  return total;
}

function nameOf({ tenant, collection }: Place): string {
  return JSON.stringify([tenant, collection]);
}
