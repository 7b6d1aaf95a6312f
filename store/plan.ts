/** How a commit with values of any size is laid out in the database. @module */
import { type NewBlob, newBlob, publishBlob, setPieces } from "./blobs.ts";
import { commitTooLarge, exactCostOf, fits } from "./cost.ts";
import type { Commit, KvLimits, Mutation } from "./kv.ts";
import { hasHeader, HEADER_BYTES } from "./values.ts";

/** Where everything of a commit goes. */
export interface Plan {
  /** Blobs whose pieces are written before the commit. */
  ahead: NewBlob[];
  /** Every blob that the commit publishes. */
  blobs: NewBlob[];
  /** What the commit itself writes. */
  mutations: Mutation[];
}

/** What a plan goes by. */
export interface PlanOptions {
  /** What the commit may need. */
  room: KvLimits;
  newId(): string;
}

type SetMutation = Mutation & { set: Uint8Array };

/** A smaller value makes no room by being written before its commit. */
const SMALL_BYTES = 2_048;
/** What publishing a blob needs. */
const PUBLISH_BYTES = 1_000;

/**
 * Lays a commit out: values that are too large for the database become blobs, and the largest values
 * are written before the commit until the rest fits it.
 *
 * @throws `payload_too_large` when it can never be written
 */
export function planCommit(commit: Commit, { room, newId }: PlanOptions): Plan {
  const blobs = new Map<Mutation, NewBlob>();
  const ahead = new Set<NewBlob>();
  const toBlob = (mutation: SetMutation): NewBlob => {
    if (!hasHeader(mutation.set)) throw new TypeError("A large value was not made by setJson()");
    const content = mutation.set.subarray(HEADER_BYTES);
    const blob = blobs.get(mutation) ?? newBlob(newId(), mutation.key, content, room.value_bytes);
    blobs.set(mutation, blob);
    return blob;
  };
  const sets = commit.mutations.filter(isSet).sort((a, b) => b.set.length - a.set.length);
  for (const mutation of sets) if (mutation.set.length > room.value_bytes) toBlob(mutation);
  while (true) {
    const mutations = layOut(commit.mutations, blobs, ahead);
    const cost = exactCostOf({ checks: commit.checks, mutations });
    if (fits(cost, room)) return { ahead: [...ahead], blobs: [...blobs.values()], mutations };
    if (sets.length === 0 || sets[0]!.set.length < SMALL_BYTES) throw commitTooLarge(commit);
    let over = cost.commit_bytes - room.commit_bytes;
    do {
      const mutation = sets.shift()!;
      ahead.add(toBlob(mutation));
      over -= mutation.set.length - PUBLISH_BYTES;
    } while (over > 0 && sets.length > 0);
  }
}

function layOut(
  mutations: Mutation[],
  blobs: Map<Mutation, NewBlob>,
  ahead: Set<NewBlob>,
): Mutation[] {
  return mutations.flatMap((mutation) => {
    const blob = blobs.get(mutation);
    if (!blob) return [mutation];
    const published = publishBlob(blob.owner, blob.pointer);
    return ahead.has(blob) ? published : [...setPieces(blob), ...published];
  });
}

function isSet(mutation: Mutation): mutation is SetMutation {
  return "set" in mutation;
}
