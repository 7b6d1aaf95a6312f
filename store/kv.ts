/**
 * The port to a key-value store with atomic, checked commits. Each adapter declares its
 * {@linkcode KvLimits}; above the port, `writer.ts` stores what is larger.
 *
 * Only check, set and delete: that is all that every adapter does alike.
 *
 * @module
 */

/** One part of a key. */
export type KeyPart = string | number;
/** A key: ordered by its parts, strings before numbers, strings by their UTF-8 bytes. */
export type Key = readonly KeyPart[];

/** The most that an adapter takes at once. */
export interface KvLimits {
  /** Bytes of one value. */
  value_bytes: number;
  /** Checks of one commit. */
  checks: number;
  /** Mutations of one commit. */
  mutations: number;
  /** Bytes of one key. */
  key_bytes: number;
  /** Bytes of all keys of one commit, those of checks included. */
  commit_key_bytes: number;
  /** Bytes of all keys and values that one commit writes. */
  commit_bytes: number;
  /** Keys that `getMany` and `list` read as they are at one moment. */
  snapshot_keys: number;
}

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
  readonly limits: KvLimits;
  get(key: Key): Promise<Entry | null>;
  /** More than `snapshot_keys` may be read one after the other. */
  getMany(keys: Key[]): Promise<(Entry | null)[]>;
  /** In key order, more than `snapshot_keys` in batches. Never more than a batch in memory. */
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
