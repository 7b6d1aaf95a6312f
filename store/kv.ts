/**
 * The port to a key-value store with atomic, checked commits. Values are bytes of at most
 * {@linkcode MAX_VALUE_BYTES}; larger ones are chunked by `store/values.ts`.
 *
 * Only check, set and delete: that is all that every adapter does alike.
 *
 * @module
 */

/** One part of a key. */
export type KeyPart = string | number;
/** A key: ordered by its parts, strings before numbers as in Deno KV. */
export type Key = readonly KeyPart[];

/** The largest value an adapter must take. */
export const MAX_VALUE_BYTES = 60_000;

/** A value with its version. */
export interface Entry {
  key: Key;
  value: Uint8Array;
  versionstamp: string;
}

/** The key must be at this version (`null`: must not exist) when the commit happens. */
export interface Check {
  key: Key;
  versionstamp: string | null;
}

/** One change. */
export type Mutation = { key: Key; set: Uint8Array } | { key: Key; delete: true };

/** All of it or nothing. */
export interface Commit {
  checks: Check[];
  mutations: Mutation[];
}

/** Which keys a list walks: below `prefix`, from `start` (inclusive) or up to `end` (exclusive). */
export interface Selector {
  prefix: Key;
  start?: Key;
  end?: Key;
}

/** Options of {@linkcode Kv.list}. */
export interface ListOptions {
  limit?: number;
  reverse?: boolean;
}

/** A key-value store. */
export interface Kv {
  get(key: Key): Promise<Entry | null>;
  getMany(keys: Key[]): Promise<(Entry | null)[]>;
  /** In key order. Never more than a batch in memory. */
  list(selector: Selector, options?: ListOptions): AsyncIterable<Entry>;
  /**
   * Applies a commit.
   *
   * @returns the new versionstamp, or `null` when a check refused it
   * @throws when the outcome is unknown: it may or may not be there afterwards
   */
  commit(commit: Commit): Promise<string | null>;
  close(): Promise<void>;
}
