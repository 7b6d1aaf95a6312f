/** How much of what a database takes at once a commit needs. @module */
import { OrchestratorError } from "../errors.ts";
import type { Commit, Key, KvLimits } from "./kv.ts";

/** What a commit needs. Its keys may need less: to count them exactly takes longer. */
export interface Cost {
  checks: number;
  mutations: number;
  /** Bytes of the longest key. */
  key_bytes: number;
  /** Bytes of all keys. */
  commit_key_bytes: number;
  /** Bytes of all keys and values that are written. */
  commit_bytes: number;
}

/** The most bytes of UTF-8 for a unit of a string. */
const UNIT_BYTES = 3;
/** What adapters add to a string in a key, and what they need for a number. */
const STRING_BYTES = 2;
const NUMBER_BYTES = 9;
const encoder = new TextEncoder();

/** Of nothing. */
export function noCost(): Cost {
  return { checks: 0, mutations: 0, key_bytes: 0, commit_key_bytes: 0, commit_bytes: 0 };
}

/** What `commit` needs at most. */
export function costOf(commit: Commit): Cost {
  return count(commit, boundOf);
}

/** What `commit` needs, its keys counted to the byte. */
export function exactCostOf(commit: Commit): Cost {
  return count(commit, sizeOf);
}

/** Adds `more` to `cost`. */
export function add(cost: Cost, more: Cost): void {
  cost.checks += more.checks;
  cost.mutations += more.mutations;
  cost.key_bytes = Math.max(cost.key_bytes, more.key_bytes);
  cost.commit_key_bytes += more.commit_key_bytes;
  cost.commit_bytes += more.commit_bytes;
}

/** True when a database takes that much. */
export function fits(cost: Cost, limits: KvLimits): boolean {
  return cost.checks <= limits.checks && cost.mutations <= limits.mutations &&
    cost.key_bytes <= limits.key_bytes && cost.commit_key_bytes <= limits.commit_key_bytes &&
    cost.commit_bytes <= limits.commit_bytes;
}

/** The error for a commit that the database does not take, however often it is tried. */
export function commitTooLarge(commit: Commit): OrchestratorError {
  const { checks, mutations, commit_key_bytes, commit_bytes } = exactCostOf(commit);
  return new OrchestratorError(
    "payload_too_large",
    `Cannot write ${mutations} changes with ${checks} checks, ${commit_key_bytes} bytes of keys and ${commit_bytes} bytes in one commit: that exceeds the store's limit. Use several steps.`,
  );
}

function count({ checks, mutations }: Commit, sizeOf: (key: Key) => number): Cost {
  let [longest, keys, bytes] = [0, 0, 0];
  for (const { key } of checks) {
    const size = sizeOf(key);
    if (size > longest) longest = size;
    keys += size;
  }
  for (const mutation of mutations) {
    const size = sizeOf(mutation.key);
    if (size > longest) longest = size;
    keys += size;
    bytes += "set" in mutation ? size + mutation.set.length : size;
  }
  return {
    checks: checks.length,
    mutations: mutations.length,
    key_bytes: longest,
    commit_key_bytes: keys,
    commit_bytes: bytes,
  };
}

function boundOf(key: Key): number {
  let size = 0;
  for (const part of key) {
    size += typeof part === "string" ? STRING_BYTES + UNIT_BYTES * part.length : NUMBER_BYTES;
  }
  return size;
}

function sizeOf(key: Key): number {
  let size = 0;
  for (const part of key) {
    size += typeof part === "string" ? STRING_BYTES + encoder.encode(part).length : NUMBER_BYTES;
  }
  return size;
}
