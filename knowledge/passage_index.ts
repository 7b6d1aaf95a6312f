/**
 * One collection, searchable, in memory: the words of passages, their vectors and the documents'
 * records. The passages' text is not here: it is read from the store once a passage is found.
 *
 * Words are in a full-text index of SQLite (FTS5), which ranks by BM25; they come to it as
 * `words.ts` makes them, so that it has nothing to do with languages. Why this index:
 * docs/decisions/015-search-index.md.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { DocumentRecord, Hit, Passage } from "./document.ts";
import { cosines, setRow } from "./vectors.ts";
import { queryWords, words } from "./words.ts";

interface Known {
  record: DocumentRecord;
  /** Tells this state of the document from others. */
  version: string;
  /** Row of its first passage; the others follow. */
  first: number;
  /** A row for each passage; absent when it has no vectors of the model. */
  matrix?: Float32Array;
}

/** Which documents a search looks at; nothing: all. */
export type Allowed = (record: DocumentRecord) => boolean;

/** Nothing but spaces ends a word, and the text itself is not kept. */
const TABLE = `CREATE VIRTUAL TABLE passages USING fts5(
  text, heading, content='', contentless_delete=1,
  tokenize="unicode61 remove_diacritics 0 categories 'L* N* M* P* S* Co'"
)`;
/** Headings and titles are short and say what a passage is about: they count double. */
const SEARCH = `SELECT rowid, -bm25(passages, 1.0, 2.0) AS score FROM passages
  WHERE passages MATCH ? ORDER BY score DESC LIMIT ?`;
/** Words of more characters are also found by their beginnings: shorter ones begin too many. */
const SHORT_CHARS = 3;
/** Words of a query that are looked for: whoever sends whole pages does not get to stop the others. */
const MAX_WORDS = 64;
/** Passages that are indexed before others get their turn on the event loop. */
const TURN = 50;

/** See the module. */
export class PassageIndex {
  private readonly known = new Map<string, Known>();
  /** By row: whose passage it is. */
  private readonly owners: (Known | undefined)[] = [];
  private readonly insert: StatementSync;
  private readonly delete: StatementSync;
  private readonly find: StatementSync;
  private live = 0;

  /** @param database a fresh one, this index's own */
  constructor(private readonly database: DatabaseSync) {
    database.exec(TABLE);
    this.insert = database.prepare("INSERT INTO passages (rowid, text, heading) VALUES (?, ?, ?)");
    this.delete = database.prepare("DELETE FROM passages WHERE rowid BETWEEN ? AND ?");
    this.find = database.prepare(SEARCH);
  }

  /** Makes an empty one. */
  static async create(): Promise<PassageIndex> {
    const { DatabaseSync } = await import("node:sqlite");
    return new PassageIndex(new DatabaseSync(":memory:"));
  }

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

  /** Adds a document in the state `version`, replacing any earlier one. One at a time. */
  async add(
    record: DocumentRecord,
    version: string,
    passages: Passage[],
    vectors: Uint8Array[] | undefined,
  ): Promise<void> {
    this.remove(record.id);
    const matrix = vectors && vectors.length === passages.length ? toMatrix(vectors) : undefined;
    const known = { record, version, first: this.owners.length, ...(matrix ? { matrix } : {}) };
    this.known.set(record.id, known);
    for (let at = 0; at < passages.length; at += TURN) {
      if (at > 0) await new Promise((resolve) => setTimeout(resolve, 0));
      this.addSome(known, passages.slice(at, at + TURN));
    }
  }

  /** Removes a document, if it is there. */
  remove(id: string): void {
    const known = this.known.get(id);
    if (!known) return;
    this.known.delete(id);
    let at = known.first;
    for (; this.owners[at] === known; at++) this.owners[at] = undefined;
    this.delete.run(known.first, at - 1);
    this.live -= at - known.first;
  }

  /** The passages that fit the words of a query best, the best first. */
  byWords(query: string, limit: number, allowed?: Allowed): Hit[] {
    const wanted = queryWords(query).slice(0, MAX_WORDS);
    if (wanted.length === 0) return [];
    const match = wanted.map((word) => `"${word}"${word.length > SHORT_CHARS ? "*" : ""}`);
    // What a filter leaves over is known only afterwards.
    const rows = this.find.all(match.join(" OR "), allowed ? -1 : limit);
    const hits: Hit[] = [];
    for (const { rowid, score } of rows as { rowid: number; score: number }[]) {
      const owner = this.owners[rowid];
      if (!owner || (allowed && !allowed(owner.record))) continue;
      hits.push({ document: owner.record.id, n: rowid - owner.first, score });
      if (hits.length === limit) break;
    }
    return hits;
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

  private addSome(known: Known, passages: Passage[]): void {
    const { title } = known.record;
    this.database.exec("BEGIN");
    for (const { text, heading } of passages) {
      const row = this.owners.push(known) - 1;
      const above = [title, ...heading.filter((part) => part !== title)].join("\n");
      this.insert.run(row, words(text).join(" "), words(above).join(" "));
    }
    this.database.exec("COMMIT");
    this.live += passages.length;
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
