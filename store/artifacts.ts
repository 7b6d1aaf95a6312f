/**
 * Files that runs make or people upload. A file is one record and its bytes in pieces; all pieces
 * of one write are below a key of their own, so that no reader sees a mixture of two writes.
 *
 * Invariants
 * 1. Bytes that are not named by a record are named by a marker (`blob_loose`): from before the
 *    first piece is written until the commit that writes the record, and from the commit that
 *    removes the record until the last piece is gone. A crash leaves nothing that is not found.
 * 2. A record appears, changes and disappears in one commit together with its index.
 * 3. The same place and name give the same id: a repeated attempt replaces what the one before it
 *    left, and writes nothing when the bytes are the same.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { OrchestratorError } from "../errors.ts";
import { clearBlob, interrupted, markLoose, readBlob, writeBlob } from "./blobs.ts";
import { keys } from "./keys.ts";
import type { Check, Commit, Key, Mutation } from "./kv.ts";
import type { Store, Versioned } from "./store.ts";
import { setJson } from "./values.ts";

/** Files that one run may have. */
export const MAX_RUN_ARTIFACTS = 100;
/** A write that has not ended after this long has died. */
const WRITE_MS = 3_600_000;

/** A file as it is put. */
export interface ArtifactFile {
  /** For people; folders and control characters are taken off. */
  name: string;
  /** Media type; what is none becomes `application/octet-stream`. */
  type: string;
  bytes: Uint8Array;
}

/** What is known of a file. */
export interface ArtifactRecord {
  /** `art_…` */
  id: string;
  name: string;
  type: string;
  /** In bytes. */
  size: number;
  /** Hexadecimal. */
  sha256: string;
  /** The run and step that made it; absent for an upload. */
  run_id?: string;
  step?: string;
  /** RFC 3339 UTC. */
  created_at: string;
}

/** Where a file comes from. */
export interface ArtifactPlace {
  /** Absent: an upload. */
  run?: string;
  step?: string;
  /** The same for every attempt to put the same file. */
  key: string;
}

/** Whose files; a caller is one. */
export interface Owner {
  readonly tenant: string;
}

/** Keeps files. Every file belongs to a tenant; another tenant does not find it. */
export interface Artifacts {
  /**
   * Keeps a file. A file of a run replaces the one of the same place and name.
   *
   * @throws `payload_too_large` for a file that is too large and for one too many of a run;
   *   `idempotency_mismatch` for an upload whose key was used for other bytes
   */
  put(owner: Owner, place: ArtifactPlace, file: ArtifactFile): Promise<ArtifactRecord>;
  get(owner: Owner, id: string): Promise<ArtifactRecord | null>;
  /** @throws `not_found` */
  read(owner: Owner, id: string): Promise<Uint8Array>;
  /** Those of a run, oldest first. */
  list(owner: Owner, run: string): Promise<ArtifactRecord[]>;
  /** False when there is none. */
  remove(owner: Owner, id: string): Promise<boolean>;
  /** Removes old uploads and loose bytes; gives how many records each slice removed. */
  sweep(): AsyncGenerator<number, void>;
}

/** What artifacts need. */
export interface ArtifactOptions {
  /** Milliseconds since the epoch. */
  now: () => number;
  newId: () => string;
  /** Largest file. */
  max_bytes: number;
  /** How long an upload is kept, in milliseconds; 0: for ever. */
  keep_ms: number;
}

type ArtifactStore = Pick<Store, "get" | "getMany" | "list" | "commit" | "kv">;

/** The record as it is stored. */
interface Stored extends ArtifactRecord {
  /** Names the pieces. */
  write: string;
}

/** Makes the keeper of files. */
export function createArtifacts(store: ArtifactStore, options: ArtifactOptions): Artifacts {
  return {
    put: ({ tenant }, place, file) => put(store, options, tenant, place, file),
    get: async ({ tenant }, id) => {
      const found = await store.get<Stored>(keys.artifact(tenant, id));
      return found && recordOf(found.value);
    },
    read: ({ tenant }, id) => read(store, tenant, id),
    list: ({ tenant }, run) => list(store, tenant, run),
    async remove({ tenant }, id) {
      while (true) {
        const { write, ...commit } = await releaseArtifact(store, tenant, id);
        if (write === undefined) return false;
        if (await store.commit(commit) === null) continue;
        await clearBlob(store, tenant, write);
        return true;
      }
    },
    sweep: () => sweep(store, options),
  };
}

async function put(
  store: ArtifactStore,
  options: ArtifactOptions,
  tenant: string,
  place: ArtifactPlace,
  file: ArtifactFile,
): Promise<ArtifactRecord> {
  const { now, newId, max_bytes } = options;
  const { bytes } = file;
  if (bytes.length > max_bytes) throw tooLarge(file.name, max_bytes);
  const name = cleanName(file.name);
  const id = `art_${shortHash(tenant, place.run ?? "", place.key, name)}`;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const before = await store.get<Stored>(keys.artifact(tenant, id));
  if (before?.value.sha256 === sha256) return recordOf(before.value);
  if (before && place.run === undefined) throw mismatch(name);
  if (!before && place.run !== undefined) await refuseTooMany(store, tenant, place.run);
  const write = newId();
  const stored: Stored = {
    id,
    name,
    type: cleanType(file.type),
    size: bytes.length,
    sha256,
    ...(place.run === undefined ? {} : { run_id: place.run }),
    ...(place.step === undefined ? {} : { step: place.step }),
    created_at: new Date(now()).toISOString(),
    write,
  };
  const marker = await writeBlob(store, tenant, { write, bytes, at: now() });
  await publish(store, tenant, stored, { marker, before });
  if (before) await clearBlob(store, tenant, before.value.write);
  return recordOf(stored);
}

/** The commit from which on the file exists. */
async function publish(
  store: ArtifactStore,
  tenant: string,
  stored: Stored,
  { marker, before }: { marker: Check; before: Versioned<Stored> | null },
): Promise<void> {
  const key = keys.artifact(tenant, stored.id);
  const committed = await store.commit({
    checks: [{ key, versionstamp: before?.versionstamp ?? null }, marker],
    mutations: [
      ...setJson(key, stored),
      ...setJson(indexKey(tenant, stored), { at: Date.parse(stored.created_at) }),
      { key: marker.key, delete: true },
      ...(before ? markLoose(tenant, before.value.write, 0) : []),
    ],
  });
  if (committed === null) throw interrupted();
}

/**
 * The changes that make a file disappear; its bytes stay behind as loose ones that a sweep removes.
 * No changes for a file that is not there.
 */
export async function releaseArtifact(
  store: Pick<Store, "get">,
  tenant: string,
  id: string,
): Promise<Commit & { write?: string }> {
  const found = await store.get<Stored>(keys.artifact(tenant, id));
  if (!found) return { checks: [], mutations: [] };
  const { write } = found.value;
  const checks = [{ key: found.key, versionstamp: found.versionstamp }];
  const mutations: Mutation[] = [
    { key: found.key, delete: true },
    { key: indexKey(tenant, found.value), delete: true },
    ...markLoose(tenant, write, 0),
  ];
  return { checks, mutations, write };
}

async function read(store: ArtifactStore, tenant: string, id: string): Promise<Uint8Array> {
  // A file that is replaced between the record and its pieces is there under its new write.
  for (let attempt = 0; attempt < 3; attempt++) {
    const found = await store.get<Stored>(keys.artifact(tenant, id));
    if (!found) break;
    const bytes = await readBlob(store, tenant, found.value);
    if (bytes) return bytes;
  }
  throw artifactNotFound(id);
}

async function list(store: ArtifactStore, tenant: string, run: string): Promise<ArtifactRecord[]> {
  const ids: Key[] = [];
  for await (const { key } of store.kv.list({ prefix: keys.artifactsOf(tenant, run) })) {
    ids.push(keys.artifact(tenant, key.at(-1) as string));
  }
  const found = await store.getMany<Stored>(ids);
  return found.flatMap((one) => one ? [recordOf(one.value)] : [])
    .sort((a, b) => a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0);
}

async function* sweep(store: ArtifactStore, options: ArtifactOptions): AsyncGenerator<number> {
  const { now, keep_ms } = options;
  if (keep_ms > 0) {
    for await (const { key, value } of store.list<{ at: number }>({ prefix: keys.uploads() })) {
      if (value.at >= now() - keep_ms) continue;
      const old = await releaseArtifact(store, key[1] as string, key[2] as string);
      await store.commit({ ...old, mutations: [...old.mutations, { key, delete: true }] });
      yield 1;
    }
  }
  for await (const { key, value } of store.list<{ at: number }>({ prefix: keys.looseBlobs() })) {
    if (value.at >= now() - WRITE_MS) continue;
    await clearBlob(store, key[1] as string, key[2] as string);
    yield 0;
  }
}

async function refuseTooMany({ kv }: ArtifactStore, tenant: string, run: string): Promise<void> {
  const limit = MAX_RUN_ARTIFACTS;
  const prefix = keys.artifactsOf(tenant, run);
  if ((await Array.fromAsync(kv.list({ prefix }, { limit }))).length < limit) return;
  throw new OrchestratorError(
    "payload_too_large",
    `Cannot keep another file of ${run}: it has ${limit}, which is the most. Make fewer files.`,
    { details: { max_files: limit } },
  );
}

function indexKey(tenant: string, { id, run_id }: ArtifactRecord): Key {
  return run_id === undefined ? keys.upload(tenant, id) : keys.artifactOf(tenant, run_id, id);
}

function recordOf({ write: _write, ...record }: Stored): ArtifactRecord {
  return record;
}

/** 130 bits of a hash, in letters that ids have. */
function shortHash(...parts: string[]): string {
  const bytes = createHash("sha256").update(JSON.stringify(parts)).digest();
  const letters = "0123456789abcdefghjkmnpqrstvwxyz";
  return Array.from({ length: 26 }, (_, i) => letters[bytes[i]! & 31]).join("");
}

function cleanName(name: string): string {
  const last = name.normalize().split(/[/\\]/).at(-1)!;
  return last.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "").replace(/^\.+/, "").trim().slice(0, 200) ||
    "file";
}

function cleanType(type: string): string {
  const isType = /^[\w.+-]{1,60}\/[\w.+-]{1,80}(?:;[ \t]*charset=[\w-]{1,20})?$/.test(type);
  return isType ? type.toLowerCase() : "application/octet-stream";
}

/** The 404 for a file. */
export function artifactNotFound(id: string): OrchestratorError {
  return new OrchestratorError(
    "not_found",
    `Cannot find the artifact ${
      JSON.stringify(id.slice(0, 100))
    }: there is none with this id. See GET /v1/runs/{id}/artifacts.`,
  );
}

function tooLarge(name: string, max_bytes: number): OrchestratorError {
  return new OrchestratorError(
    "payload_too_large",
    `Cannot keep the file ${
      cleanName(name)
    }: it is larger than ${max_bytes} bytes. Make it smaller.`,
    { details: { max_bytes } },
  );
}

function mismatch(name: string): OrchestratorError {
  return new OrchestratorError(
    "idempotency_mismatch",
    `Cannot keep the file ${name}: this Idempotency-Key was used for other bytes. Use a new key.`,
  );
}
