/** Deletes the blobs that no value names: of replaced and deleted values, and of dead writers. @module */
import { type BlobRecord, clearBlob } from "./blobs.ts";
import { keys } from "./keys.ts";
import type { Commit, Entry, Kv } from "./kv.ts";
import { contentOf, jsonOf } from "./values.ts";

/** What a sweep needs. */
export interface SweepOptions {
  kv: Kv;
  /** Of this process. */
  worker: string;
  commit(commit: Commit): Promise<string | null>;
  /** True while this process writes a blob. */
  isWriting(blob: string): boolean;
  /** The workers that have a lease. */
  workers(): Promise<string[]>;
}

/** Records that are looked at together. */
const BATCH = 50;

/** One pass over all blobs; gives how many each slice of it has deleted. */
export async function* sweepBlobs(options: SweepOptions): AsyncGenerator<number, void> {
  let batch: Entry[] = [];
  for await (const entry of options.kv.list({ prefix: keys.blobOwners() })) {
    batch.push(entry);
    if (batch.length < BATCH) continue;
    yield await sweepSome(options, batch);
    batch = [];
  }
  yield await sweepSome(options, batch);
}

async function sweepSome(options: SweepOptions, entries: Entry[]): Promise<number> {
  const found = entries.flatMap((entry) => {
    const record = recordOf(entry);
    return record ? [{ entry, record, blob: entry.key.at(-1) as string }] : [];
  });
  // Both after the records: a lease that is gone stays gone, and so does a name.
  const owners = await options.kv.getMany(found.map(({ record }) => record.key));
  const alive = found.some(({ record }) => record.worker !== undefined)
    ? await options.workers()
    : [];
  const garbage = found.filter(({ record: { worker }, blob }, n) => {
    if (worker === undefined) return !mayName(owners[n]!, blob);
    return worker === options.worker ? !options.isWriting(blob) : !alive.includes(worker);
  });
  for (const { entry, record } of garbage) {
    await clearBlob(entry, record, options.commit);
  }
  return garbage.length;
}

/** One that cannot be read stays: whose the blob is cannot be known. */
function recordOf(entry: Entry): BlobRecord | undefined {
  try {
    return jsonOf<BlobRecord>(entry);
  } catch {
    return undefined;
  }
}

/** True unless it is certain that a value does not name a blob. */
function mayName(owner: Entry | null, blob: string): boolean {
  if (!owner) return false;
  try {
    const content = contentOf(owner);
    return !(content instanceof Uint8Array) && content.blob === blob;
  } catch {
    return true;
  }
}
