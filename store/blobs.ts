/**
 * Bytes of any length in pieces, each write below a key of its own. Until a record names them, and
 * once none does any more, a marker (`blob_loose`) does: see `artifacts.ts`.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import { keys } from "./keys.ts";
import { type Check, MAX_VALUE_BYTES, type Mutation } from "./kv.ts";
import type { Store } from "./store.ts";
import { setJson } from "./values.ts";

/** Pieces that one commit writes or deletes: 720 KB. */
const PIECES_PER_COMMIT = 12;

type BlobStore = Pick<Store, "get" | "commit" | "kv">;

/**
 * Writes loose bytes.
 *
 * @returns the check that they have not been swept in the meantime, for the commit that names them
 * @throws `conflict`, retryable: they have
 */
export async function writeBlob(
  store: BlobStore,
  tenant: string,
  { write, bytes, at }: { write: string; bytes: Uint8Array; at: number },
): Promise<Check> {
  const key = keys.looseBlob(tenant, write);
  const versionstamp = await store.commit({ checks: [], mutations: markLoose(tenant, write, at) });
  const marker = { key, versionstamp };
  const piece = (n: number): Mutation => {
    const set = bytes.subarray(n * MAX_VALUE_BYTES, (n + 1) * MAX_VALUE_BYTES);
    return { key: keys.blob(tenant, write, n), set };
  };
  const count = Math.ceil(bytes.length / MAX_VALUE_BYTES);
  for (let from = 0; from < count; from += PIECES_PER_COMMIT) {
    const length = Math.min(PIECES_PER_COMMIT, count - from);
    const mutations = Array.from({ length }, (_, i) => piece(from + i));
    if (await store.commit({ checks: [marker], mutations }) === null) throw interrupted();
  }
  return marker;
}

/** All bytes of a write; nothing when they are not, or no longer, all there. */
export async function readBlob(
  { kv }: Pick<BlobStore, "kv">,
  tenant: string,
  { write, size }: { write: string; size: number },
): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const { value } of kv.list({ prefix: keys.blobs(tenant, write) })) {
    if (at + value.length > size) return undefined;
    bytes.set(value, at);
    at += value.length;
  }
  return at === size ? bytes : undefined;
}

/** Deletes loose bytes, their marker last. A write that was published meanwhile has no marker. */
export async function clearBlob(store: BlobStore, tenant: string, write: string): Promise<void> {
  const marker = await store.get(keys.looseBlob(tenant, write));
  if (!marker) return;
  // The marker changes with each commit: the write that it belongs to cannot be published any more.
  let versionstamp: string | null = marker.versionstamp;
  for (let done = false; !done && versionstamp !== null;) {
    const pieces: Mutation[] = [];
    const prefix = keys.blobs(tenant, write);
    for await (const { key } of store.kv.list({ prefix }, { limit: PIECES_PER_COMMIT })) {
      pieces.push({ key, delete: true });
    }
    done = pieces.length < PIECES_PER_COMMIT;
    const rest = done ? [{ key: marker.key, delete: true as const }] : markLoose(tenant, write, 0);
    const checks = [{ key: marker.key, versionstamp }];
    versionstamp = await store.commit({ checks, mutations: [...pieces, ...rest] });
  }
}

/** Says that no record names a write. @param at when it began, in milliseconds; 0: it is over */
export function markLoose(tenant: string, write: string, at: number): Mutation[] {
  return setJson(keys.looseBlob(tenant, write), { at });
}

/** Another write came first, or this one took too long. */
export function interrupted(): OrchestratorError {
  return new OrchestratorError(
    "conflict",
    "Cannot keep a file: somebody else wrote it at the same time, or it took too long. Try again.",
    { kind: "retryable" },
  );
}
