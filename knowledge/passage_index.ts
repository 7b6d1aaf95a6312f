/**
 * One collection, searchable, in memory: words of passages, vectors and the documents' records. The
 * passages' text is not here: it is read from the store once a passage is found.
 *
 * @module
 */
import MiniSearch from "minisearch";
import type { DocumentRecord, Hit, Passage } from "./document.ts";
import { cosines, setRow } from "./vectors.ts";
import { queryWords, words } from "./words.ts";

/** A passage as it is indexed. Its id is a number because every word's list holds it. */
interface Indexed {
  id: number;
  text: string;
  heading: string;
}

interface Known {
  record: DocumentRecord;
  /** Tells this state of the document from others. */
  version: string;
  /** Index of its first passage; the others follow. */
  first: number;
  /** A row for each passage; absent when it has no vectors of the model. */
  matrix?: Float32Array;
}

/** Headings and titles are short and say what a passage is about. */
const HEADING_BOOST = 1.5;
const SHORT_CHARS = 3;

/** What a search looks at; nothing: all documents. */
export type Allowed = (record: DocumentRecord) => boolean;

/** See the module. Passages are added in order, document by document. */
export class PassageIndex {
  private readonly known = new Map<string, Known>();
  /** By the passages' index: whose it is. */
  private readonly owners: (Known | undefined)[] = [];
  private readonly lexical = new MiniSearch<Indexed>({
    fields: ["text", "heading"],
    tokenize: words,
    processTerm: (term) => term,
    searchOptions: {
      tokenize: queryWords,
      boost: { heading: HEADING_BOOST },
      // Short words begin too many others.
      prefix: (term) => term.length > SHORT_CHARS,
    },
  });
  private live = 0;

  /** How many passages it holds. */
  get size(): number {
    return this.live;
  }

  /** True when some of its passages have vectors. */
  get hasVectors(): boolean {
    return this.known.values().some(({ matrix }) => matrix !== undefined);
  }

  /** The versions of the documents that it holds, by id. */
  versions(): Map<string, string> {
    return new Map([...this.known].map(([id, { version }]) => [id, version]));
  }

  /** The record of a document that it holds. */
  record(id: string): DocumentRecord | undefined {
    return this.known.get(id)?.record;
  }

  /** Ids of the documents that a search may look at. */
  ids(allowed: Allowed): string[] {
    return [...this.known.values()].flatMap(({ record }) => allowed(record) ? [record.id] : []);
  }

  /** Adds a document in the state `version`, in place of any earlier one. */
  add(
    record: DocumentRecord,
    version: string,
    passages: Passage[],
    vectors: Uint8Array[] | undefined,
  ): void {
    this.remove(record.id);
    const matrix = vectors && vectors.length === passages.length ? toMatrix(vectors) : undefined;
    const known = { record, version, first: this.owners.length, ...(matrix ? { matrix } : {}) };
    this.known.set(record.id, known);
    this.live += passages.length;
    for (const { text, heading } of passages) {
      const id = this.owners.push(known) - 1;
      const above = [record.title, ...heading.filter((part) => part !== record.title)];
      this.lexical.add({ id, text, heading: above.join("\n") });
    }
  }

  /** Removes a document, if it is there. */
  remove(id: string): void {
    const known = this.known.get(id);
    if (!known) return;
    this.known.delete(id);
    for (let at = known.first; this.owners[at] === known; at++) {
      this.owners[at] = undefined;
      this.lexical.discard(at);
      this.live--;
    }
  }

  /** The passages that fit the words of a query best. */
  byWords(query: string, limit: number, allowed?: Allowed): Hit[] {
    const filter = allowed && (({ id }: { id: number }) => {
      const owner = this.owners[id];
      return owner !== undefined && allowed(owner.record);
    });
    return this.lexical.search(query, filter ? { filter } : {}).slice(0, limit)
      .flatMap(({ id, score }) => {
        const owner = this.owners[id];
        return owner ? [{ document: owner.record.id, n: id - owner.first, score }] : [];
      });
  }

  /** The passages whose vectors are nearest to a unit vector. */
  byMeaning(vector: Float32Array, limit: number, allowed?: Allowed): Hit[] {
    const hits: Hit[] = [];
    let least = -Infinity;
    for (const { record, matrix } of this.known.values()) {
      if (!matrix || matrix.length !== vector.length * record.passages) continue;
      if (allowed && !allowed(record)) continue;
      cosines(matrix, vector).forEach((score, n) => {
        if (score > least) hits.push({ document: record.id, n, score });
      });
      if (hits.length > 10 * limit) least = keepBest(hits, limit);
    }
    keepBest(hits, limit);
    return hits;
  }
}

/** Sorts, cuts and gives the score that it takes to be among the best. */
function keepBest(hits: Hit[], limit: number): number {
  hits.sort((a, b) => b.score - a.score).splice(limit);
  return hits.length < limit ? -Infinity : hits[limit - 1]!.score;
}

function toMatrix(vectors: Uint8Array[]): Float32Array {
  const size = (vectors[0]?.byteLength ?? 0) / Float32Array.BYTES_PER_ELEMENT;
  const matrix = new Float32Array(size * vectors.length);
  vectors.forEach((bytes, index) => setRow(matrix, index, size, bytes));
  return matrix;
}
