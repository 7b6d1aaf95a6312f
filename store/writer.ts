/**
 * Commits of values of any size.
 *
 * Boundary: turns values that are larger than the database takes at once into blobs. How a commit is
 * grouped, retried and fenced is the committer's.
 *
 * Invariants
 * 1. A commit is there as a whole or not at all. Its large values are in the same commit of the
 *    database where that has room; otherwise their pieces are written before it, and nothing names
 *    them until it happens.
 * 2. A commit that is refused leaves nothing: its checks are made before the first piece is written,
 *    and what was written before it is deleted after it.
 * 3. Whoever replaces or deletes a value need not know that it is large. Its blob is deleted in the
 *    same commit where this process has read or written it lately; the sweep finds all others.
 *
 * @module
 */
import {
  beginBlob,
  type BlobRecord,
  clearBlob,
  deleteBlob,
  type NewBlob,
  scopeOf,
  setPieces,
} from "./blobs.ts";
import type { Committer } from "./committer.ts";
import { add, costOf, fits } from "./cost.ts";
import { keys } from "./keys.ts";
import type { Check, Commit, Key, Kv, Mutation } from "./kv.ts";
import { planCommit } from "./plan.ts";
import { jsonOf, type Pointer } from "./values.ts";

/** Large values that are remembered. */
const MAX_KNOWN = 4_096;
/** What a piece needs besides its bytes. */
const PIECE_BYTES = 1_000;

/** Commits values of any size. */
export class Writer {
  /** The large values that this process has seen last, by their keys. */
  private readonly known = new Map<string, Pointer>();
  /** Blobs whose commit is still to come. */
  private readonly writing = new Set<string>();
  private made = 0;

  constructor(private readonly kv: Kv, private readonly committer: Committer) {}

  /** See {@linkcode Committer.submit}. */
  commit(commit: Commit): Promise<string | null> {
    return this.isPlain(commit) ? this.committer.submit(commit) : this.commitBlobs(commit);
  }

  /** The value of `key` is large. */
  remember(key: Key, pointer: Pointer): void {
    const name = JSON.stringify(key);
    this.known.delete(name);
    this.known.set(name, pointer);
    if (this.known.size > MAX_KNOWN) this.known.delete(this.known.keys().next().value!);
  }

  /** True while this process writes a blob. */
  isWriting(blob: string): boolean {
    return this.writing.has(blob);
  }

  /** True for a commit that the database takes as it is and that has nothing to do with blobs. */
  private isPlain({ mutations }: Commit): boolean {
    const { value_bytes, commit_bytes } = this.kv.limits;
    let bytes = 0;
    for (const mutation of mutations) {
      if (this.known.size > 0 && this.known.has(JSON.stringify(mutation.key))) return false;
      if (!("set" in mutation)) continue;
      if (mutation.set.length > value_bytes) return false;
      bytes += mutation.set.length;
    }
    return bytes < commit_bytes / 2;
  }

  private async commitBlobs(commit: Commit): Promise<string | null> {
    const { checks } = commit;
    const { room, session } = this.committer;
    const newId = () => `${session}-${++this.made}`;
    const { ahead, blobs, mutations } = planCommit(commit, { room, newId });
    mutations.push(...this.released(commit.mutations, { checks, mutations }));
    for (const { pointer } of ahead) this.writing.add(pointer.blob);
    try {
      for (const [n, blob] of ahead.entries()) {
        if (!await this.writePieces(blob, n === 0 ? checks : [])) return null;
      }
      const stamp = await this.committer.submit({ checks, mutations });
      if (stamp === null) { for (const blob of ahead) await this.discard(blob); }
      else for (const { owner, pointer } of blobs) this.remember(owner, pointer);
      return stamp;
    } finally {
      for (const { pointer } of ahead) this.writing.delete(pointer.blob);
    }
  }

  /** Deletes the blobs of values that `mutations` replace or delete, as far as `commit` has room. */
  private released(mutations: Mutation[], commit: Commit): Mutation[] {
    const released: Mutation[] = [];
    const total = costOf(commit);
    for (const { key } of mutations) {
      const name = JSON.stringify(key);
      const pointer = this.known.get(name);
      if (!pointer) continue;
      this.known.delete(name);
      const deleted = deleteBlob(key, pointer);
      add(total, costOf({ checks: [], mutations: deleted }));
      if (!fits(total, this.committer.room)) break;
      released.push(...deleted);
    }
    return released;
  }

  /** Writes what comes before a commit. @returns false when one of `checks` refused it */
  private async writePieces(blob: NewBlob, checks: Check[]): Promise<boolean> {
    const { room, worker } = this.committer;
    const most = Math.floor(room.commit_bytes / (blob.piece_bytes + PIECE_BYTES));
    for (let from = 0; from < blob.pointer.pieces; from += most) {
      const pieces = setPieces(blob, from, from + most);
      const commit = from === 0
        ? { checks, mutations: [...pieces, beginBlob(blob, worker)] }
        : { checks: [], mutations: pieces };
      if (await this.committer.submit(commit) === null) return false;
    }
    return true;
  }

  /** Deletes what was written before a commit that was refused. What fails here is swept later. */
  private async discard({ owner, pointer }: NewBlob): Promise<void> {
    try {
      const entry = await this.kv.get(keys.blobOf(scopeOf(owner), pointer.blob));
      if (!entry) return;
      await clearBlob(entry, jsonOf<BlobRecord>(entry), (commit) => this.committer.submit(commit));
    } catch {
      // The caller needs the refusal, not this error.
    }
  }
}
