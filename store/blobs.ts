/**
 * The contents of large values: bytes in pieces. The pieces of one write are a *blob*; they are below
 * an id that no other write has, so no reader sees a mixture of two writes.
 *
 * Invariants
 * 1. The pointer in a value names its blob. A blob is named by one commit and, once its value was
 *    replaced or deleted, never again: from then on it is garbage.
 * 2. While there are pieces of a blob there is its record (`blob_of`), which says whose it is: the
 *    record comes with the first piece and goes with the last.
 * 3. A blob that is written before the commit with its pointer says so in its record, with the worker
 *    that writes it. When that worker has no lease any more, the commit cannot come any more, either.
 *
 * @module
 */
import { keys } from "./keys.ts";
import type { Commit, Entry, Key, Kv, Mutation } from "./kv.ts";
import { checksum, type Pointer, setJson, setPointer } from "./values.ts";

/** Pieces that are deleted together. */
const PIECES = 200;

/** Whose a blob is. */
export interface BlobRecord {
  /** The key of its value. */
  key: Key;
  pieces: number;
  /** Who writes it, until a value names it. */
  worker?: string;
}

/** A blob that is about to be written. */
export interface NewBlob {
  owner: Key;
  pointer: Pointer;
  content: Uint8Array;
  piece_bytes: number;
}

/** Cuts `content` into a blob. */
export function newBlob(
  blob: string,
  owner: Key,
  content: Uint8Array,
  piece_bytes: number,
): NewBlob {
  const pieces = Math.ceil(content.length / piece_bytes);
  const pointer = { blob, size: content.length, checksum: checksum(content), pieces };
  return { owner, pointer, content, piece_bytes };
}

/** Writes the pieces from `from` to `to`, exclusive. */
export function setPieces(
  { owner, pointer, content, piece_bytes }: NewBlob,
  from = 0,
  to = pointer.pieces,
): Mutation[] {
  return range(from, Math.min(to, pointer.pieces)).map((n) => ({
    key: keys.blob(scopeOf(owner), pointer.blob, n),
    set: content.subarray(n * piece_bytes, (n + 1) * piece_bytes),
  }));
}

/** Says that `worker` writes a blob. */
export function beginBlob({ owner, pointer: { blob, pieces } }: NewBlob, worker: string): Mutation {
  const record: BlobRecord = { key: owner, pieces, worker };
  return setJson(keys.blobOf(scopeOf(owner), blob), record);
}

/** Makes a blob the content of its owner's value. */
export function publishBlob(owner: Key, pointer: Pointer): Mutation[] {
  const record: BlobRecord = { key: owner, pieces: pointer.pieces };
  return [
    setPointer(owner, pointer),
    setJson(keys.blobOf(scopeOf(owner), pointer.blob), record),
  ];
}

/** Deletes a blob with its record. */
export function deleteBlob(owner: Key, { blob, pieces }: Pointer): Mutation[] {
  const scope = scopeOf(owner);
  return [
    ...range(0, pieces).map((n) => ({ key: keys.blob(scope, blob, n), delete: true as const })),
    { key: keys.blobOf(scope, blob), delete: true },
  ];
}

/** The content of a blob; nothing when it is not, or no longer, there as it was written. */
export async function readBlob(
  kv: Kv,
  owner: Key,
  { blob, size, checksum: expected }: Pointer,
): Promise<Uint8Array | undefined> {
  const content = new Uint8Array(size);
  let at = 0;
  for await (const { value } of kv.list({ prefix: keys.blobs(scopeOf(owner), blob) })) {
    if (at + value.length > size) return undefined;
    content.set(value, at);
    at += value.length;
  }
  return at === size && checksum(content) === expected ? content : undefined;
}

/**
 * Deletes a blob that nothing names, its record last.
 *
 * @param record as it was when that was found out: another one leaves the blob as it is
 */
export async function clearBlob(
  { key, versionstamp }: Entry,
  { pieces }: BlobRecord,
  commit: (commit: Commit) => Promise<string | null>,
): Promise<void> {
  const [, scope, blob] = key as [string, string, string];
  const checks = [{ key, versionstamp }];
  for (let from = 0; from <= pieces; from += PIECES) {
    const mutations: Mutation[] = range(from, Math.min(from + PIECES, pieces))
      .map((n) => ({ key: keys.blob(scope, blob, n), delete: true }));
    if (from + PIECES > pieces) mutations.push({ key, delete: true });
    if (await commit({ checks, mutations }) === null) return;
  }
}

/** Blobs are kept below the tenant that their value belongs to, if it belongs to one. */
export function scopeOf(owner: Key): string {
  return String(owner[1] ?? "");
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}
