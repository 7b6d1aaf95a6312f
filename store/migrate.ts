/**
 * Brings a store that an earlier program wrote to the form of today.
 *
 * Schema version 1 kept large values in chunks whose keys depended on the value's key only, and files
 * in loose blobs. Both become blobs here, and what no value names is deleted. Small values had no
 * checksum: they get one, if they have the form that their keys promise. One that has another stays
 * as it is, and from then on is damaged, since it has none.
 *
 * Invariants
 * 1. Before anything else is changed, the schema version says so: an older program refuses the store
 *    from then on.
 * 2. Each commit leaves a store from which the migration can continue. An interrupted one resumes
 *    with the next start.
 *
 * @module
 */
import { joinBytes } from "../bytes.ts";
import { publishBlob } from "./blobs.ts";
import { add, costOf, noCost } from "./cost.ts";
import { keys, SCHEMA_VERSION } from "./keys.ts";
import type { Check, Commit, Entry, Key, Kv, Mutation } from "./kv.ts";
import { isChunked, isIntact, isPlain, KINDS } from "./schema_1.ts";
import { checksum, contentOf, damaged, jsonOf, parseContent, setBytes, setJson } from "./values.ts";

/** The record of the schema. */
export interface Schema {
  version: number;
  /** The version from which a migration is under way. */
  from?: number;
}

/** What a migration works on. */
export interface MigrateOptions {
  kv: Kv;
  /** Takes values of any size. */
  commit(commit: Commit): Promise<string | null>;
}

/** What matters here of the record of a file. */
interface FileRecord {
  size: number;
  /** The blob with its bytes, in schema version 1. */
  write?: string;
}

/** Keys that are deleted together. */
const BATCH = 200;
/** Small values that are written together, at most: each needs a check, and keys have any length. */
const VALUES = { checks: 50, bytes: 200_000, key_bytes: 40_000 };

const encoder = new TextEncoder();

/** What the store says of its form; nothing in an empty one. */
export async function schemaOf(kv: Kv): Promise<Schema | null> {
  const entry = await kv.get(keys.schema());
  if (!entry) return null;
  const schema = parseContent<Schema | null>(entry.key, entry.value);
  if (typeof schema?.version === "number") return schema;
  throw damaged(entry.key, "it names no version");
}

/** Plain JSON: programs of every version have to read it. */
export function setSchema(schema: Schema): Mutation {
  return { key: keys.schema(), set: encoder.encode(JSON.stringify(schema)) };
}

/** Migrates a store, or resumes where that was interrupted. */
export async function migrate(options: MigrateOptions, schema: Schema): Promise<void> {
  const { version, from = version } = schema;
  if (from === SCHEMA_VERSION) return;
  const say = (next: Schema) => options.commit({ checks: [], mutations: [setSchema(next)] });
  await say({ version: SCHEMA_VERSION, from });
  await joinChunks(options);
  await moveFiles(options);
  await dropLooseBlobs(options);
  for (const kind of KINDS) await sealValues(options, kind);
  await say({ version: SCHEMA_VERSION });
}

/** Values in chunks become values of today; chunks that belong to none are deleted. */
async function joinChunks({ kv, commit }: MigrateOptions): Promise<void> {
  let owner: Key | undefined;
  let chunks: Key[] = [];
  const finish = async () => {
    if (owner) await joinValue({ kv, commit }, owner);
    await deleteAll(commit, chunks);
    chunks = [];
  };
  for await (const { key } of kv.list({ prefix: ["chunk"] })) {
    const of = key.slice(1, -1);
    if (owner && !isSame(owner, of)) await finish();
    owner = of;
    chunks.push(key);
  }
  await finish();
}

/** A value in chunks is rewritten. One that is not whole stays, as damaged. */
async function joinValue({ kv, commit }: MigrateOptions, owner: Key): Promise<void> {
  const entry = await kv.get(owner);
  if (!entry || !isChunked(entry)) return;
  const count = new DataView(entry.value.buffer, entry.value.byteOffset).getUint32(1);
  const wanted = Array.from({ length: count }, (_, n): Key => ["chunk", ...owner, n]);
  const chunks = (await kv.getMany(wanted)).flatMap((chunk) => chunk ? [chunk.value] : []);
  const content = joinBytes(chunks);
  if (chunks.length < count || !isIntact(owner, content)) return;
  await commit({ checks: [checkOf(entry)], mutations: [setBytes(owner, content)] });
}

/** The bytes of files become values of their own; their pieces stay where they are. */
async function moveFiles({ kv, commit }: MigrateOptions): Promise<void> {
  for await (const entry of kv.list({ prefix: ["artifact"] })) {
    const stored = read<FileRecord>(entry);
    if (stored?.write === undefined || !isIntact(entry.key, contentIn(entry))) continue;
    const { write: blob, ...record } = stored;
    const [, tenant, id] = entry.key as [string, string, string];
    let sum = 0;
    let pieces = 0;
    for await (const { value } of kv.list({ prefix: keys.blobs(tenant, blob) })) {
      sum = checksum(value, sum);
      pieces++;
    }
    const pointer = { blob, size: record.size, checksum: sum, pieces };
    const mutations = [
      setJson(entry.key, record),
      ...publishBlob(keys.artifactBytes(tenant, id), pointer),
    ];
    await commit({ checks: [checkOf(entry)], mutations });
  }
}

/** Pieces that no file names. */
async function dropLooseBlobs({ kv, commit }: MigrateOptions): Promise<void> {
  for await (const { key } of kv.list({ prefix: ["blob_loose"] })) {
    const [, tenant, blob] = key as [string, string, string];
    const pieces: Key[] = [];
    for await (const piece of kv.list({ prefix: keys.blobs(tenant, blob) })) pieces.push(piece.key);
    await deleteAll(commit, [...pieces, key]);
  }
}

/** Small values without a checksum get one. */
async function sealValues({ kv, commit }: MigrateOptions, kind: string): Promise<void> {
  const seal = async (entries: Entry[]) => {
    const mutations = entries.map(({ key, value }) => setBytes(key, value));
    const done = await commit({ checks: entries.map(checkOf), mutations });
    // What another worker has written meanwhile has a checksum.
    if (done === null && entries.length > 1) { for (const entry of entries) await seal([entry]); }
  };
  let batch: Entry[] = [];
  let cost = noCost();
  for await (const entry of kv.list({ prefix: [kind] })) {
    if (!isPlain(entry) || !isIntact(entry.key, entry.value)) continue;
    batch.push(entry);
    const { key, value } = entry;
    add(cost, costOf({ checks: [checkOf(entry)], mutations: [{ key, set: value }] }));
    const { checks, commit_bytes, commit_key_bytes } = cost;
    if (
      checks < VALUES.checks && commit_bytes < VALUES.bytes && commit_key_bytes < VALUES.key_bytes
    ) continue;
    await seal(batch);
    batch = [];
    cost = noCost();
  }
  if (batch.length > 0) await seal(batch);
}

async function deleteAll(commit: MigrateOptions["commit"], doomed: Key[]): Promise<void> {
  for (let at = 0; at < doomed.length; at += BATCH) {
    const mutations = doomed.slice(at, at + BATCH).map((key) => ({ key, delete: true as const }));
    await commit({ checks: [], mutations });
  }
}

function checkOf({ key, versionstamp }: Entry): Check {
  return { key, versionstamp };
}

/** Nothing for a value that is damaged. */
function read<T>(entry: Entry): T | undefined {
  try {
    return jsonOf<T>(entry);
  } catch {
    return undefined;
  }
}

/** Of an entry that was read. */
function contentIn(entry: Entry): Uint8Array {
  return isPlain(entry) ? entry.value : contentOf(entry) as Uint8Array;
}

function isSame(a: Key, b: Key): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
