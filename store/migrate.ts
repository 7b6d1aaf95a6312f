/**
 * Brings a store that an earlier program wrote to the form of today.
 *
 * Schema version 1 kept large values in chunks whose keys depended on the value's key only, and files
 * in loose blobs. Both become blobs here, and what no value names is deleted. Small values are read
 * in both forms and stay as they are until they are written again.
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
import { keys, SCHEMA_VERSION } from "./keys.ts";
import type { Check, Commit, Entry, Key, Kv, Mutation } from "./kv.ts";
import { checksum, jsonOf, parseContent, setBytes, setJson } from "./values.ts";

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
/** First byte of the value that schema version 1 stored for one in chunks; their number follows. */
const CHUNKED = 0;

const encoder = new TextEncoder();

/** What the store says of its form; nothing in an empty one. */
export async function schemaOf(kv: Kv): Promise<Schema | null> {
  const entry = await kv.get(keys.schema());
  return entry && parseContent<Schema>(entry.key, entry.value);
}

/** Plain JSON: programs of every version have to read it. */
export function setSchema(schema: Schema): Mutation {
  return { key: keys.schema(), set: encoder.encode(JSON.stringify(schema)) };
}

/** True for a value of schema version 1 whose content is in chunks. */
export function isChunked({ value }: Entry): boolean {
  return value[0] === CHUNKED;
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

/** A value in chunks is rewritten. One whose chunks are not all there stays, as damaged. */
async function joinValue({ kv, commit }: MigrateOptions, owner: Key): Promise<void> {
  const entry = await kv.get(owner);
  if (!entry || !isChunked(entry)) return;
  const count = new DataView(entry.value.buffer, entry.value.byteOffset).getUint32(1);
  const wanted = Array.from({ length: count }, (_, n): Key => ["chunk", ...owner, n]);
  const chunks = (await kv.getMany(wanted)).flatMap((chunk) => chunk ? [chunk.value] : []);
  if (chunks.length < count) return;
  await commit({ checks: [checkOf(entry)], mutations: [setBytes(owner, joinBytes(chunks))] });
}

/** The bytes of files become values of their own; their pieces stay where they are. */
async function moveFiles({ kv, commit }: MigrateOptions): Promise<void> {
  for await (const entry of kv.list({ prefix: ["artifact"] })) {
    const stored = read<FileRecord>(entry);
    if (stored?.write === undefined) continue;
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

function isSame(a: Key, b: Key): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
