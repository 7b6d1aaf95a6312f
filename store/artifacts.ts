/**
 * Files that runs make or people upload: a record and its bytes.
 *
 * Invariants
 * 1. A record appears, changes and disappears in one commit together with its bytes and its index.
 * 2. The same place and name give the same id: a repeated attempt replaces what the one before it
 *    left, and writes nothing when the bytes are the same.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { OrchestratorError } from "../errors.ts";
import type { At, ReadOptions } from "./contents.ts";
import { keys } from "./keys.ts";
import type { Commit, Key, Mutation } from "./kv.ts";
import type { Store } from "./store.ts";
import { setBytes, setJson } from "./values.ts";

/** Files that one run may have. */
export const MAX_RUN_ARTIFACTS = 100;

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
  /** False if it does not exist. */
  remove(owner: Owner, id: string): Promise<boolean>;
  /** Removes old uploads; gives how many each slice removed. */
  sweep(): AsyncGenerator<number, void>;
}

/** What artifacts need. */
export interface ArtifactOptions {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Largest file. */
  max_bytes: number;
  /** How long an upload is kept, in milliseconds; 0: for ever. */
  keep_ms: number;
}

type ArtifactStore = Pick<
  Store,
  "get" | "getMany" | "getToReplace" | "getBytes" | "list" | "keys" | "commit"
>;

/** Makes the keeper of files. */
export function createArtifacts(store: ArtifactStore, options: ArtifactOptions): Artifacts {
  return {
    put: ({ tenant }, place, file) => put(store, options, tenant, place, file),
    get: async ({ tenant }, id) => {
      return (await store.get<ArtifactRecord>(keys.artifact(tenant, id)))?.value ?? null;
    },
    read: ({ tenant }, id) => read(store, tenant, id),
    list: ({ tenant }, run) => list(store, tenant, run),
    async remove({ tenant }, id) {
      while (true) {
        const removed = await removeArtifact(store, tenant, id);
        if (removed.mutations.length === 0) return false;
        if (await store.commit(removed) !== null) return true;
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
  const { now, max_bytes } = options;
  const { bytes } = file;
  if (bytes.length > max_bytes) throw tooLarge(file.name, max_bytes);
  const name = cleanName(file.name);
  const id = `art_${shortHash(tenant, place.run ?? "", place.key, name)}`;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const key = keys.artifact(tenant, id);
  const before = await store.getToReplace<ArtifactRecord>(key);
  if (before?.value?.sha256 === sha256) return before.value;
  if (before?.value && place.run === undefined) throw mismatch(name);
  if (!before && place.run !== undefined) await refuseTooMany(store, tenant, place.run);
  const record: ArtifactRecord = {
    id,
    name,
    type: cleanType(file.type),
    size: bytes.length,
    sha256,
    ...(place.run === undefined ? {} : { run_id: place.run }),
    ...(place.step === undefined ? {} : { step: place.step }),
    created_at: new Date(now()).toISOString(),
  };
  const committed = await store.commit({
    checks: [{ key, versionstamp: before?.versionstamp ?? null }],
    mutations: [
      setJson(key, record),
      setJson(indexKey(tenant, record), { at: Date.parse(record.created_at) }),
      setBytes(keys.artifactBytes(tenant, id), bytes),
    ],
  });
  if (committed === null) throw interrupted(name);
  return record;
}

/**
 * The changes that make a file disappear; none for a file that is not there. Of a file whose record
 * is damaged the run is unknown: the run's index is left to the caller.
 */
async function removeArtifact(
  store: Pick<Store, "getMany">,
  tenant: string,
  id: string,
): Promise<Commit> {
  const key = keys.artifact(tenant, id);
  let damaged: At | undefined;
  const onDamaged: ReadOptions["onDamaged"] = (_error, at) => damaged = at;
  const [found] = await store.getMany<ArtifactRecord>([key], { onDamaged });
  const at = found ?? damaged;
  if (!at) return { checks: [], mutations: [] };
  const index = found ? indexKey(tenant, found.value) : keys.upload(tenant, id);
  return {
    checks: [{ key, versionstamp: at.versionstamp }],
    mutations: [key, index, keys.artifactBytes(tenant, id)].map((key) => ({ key, delete: true })),
  };
}

/** The changes that delete the files of a run, one file at once. */
export async function* artifactsLeftBy(
  store: Pick<Store, "getMany" | "keys">,
  tenant: string,
  run: string,
): AsyncGenerator<Mutation[], void> {
  for await (const { key } of store.keys({ prefix: keys.artifactsOf(tenant, run) })) {
    const { mutations } = await removeArtifact(store, tenant, key.at(-1) as string);
    yield [{ key, delete: true }, ...mutations];
  }
}

async function read(store: ArtifactStore, tenant: string, id: string): Promise<Uint8Array> {
  const bytes = await store.getBytes(keys.artifactBytes(tenant, id));
  if (!bytes) throw artifactNotFound(id);
  return bytes;
}

async function list(store: ArtifactStore, tenant: string, run: string): Promise<ArtifactRecord[]> {
  const ids: Key[] = [];
  for await (const { key } of store.keys({ prefix: keys.artifactsOf(tenant, run) })) {
    ids.push(keys.artifact(tenant, key.at(-1) as string));
  }
  const found = await store.getMany<ArtifactRecord>(ids, { onDamaged() {} });
  return found.flatMap((one) => one ? [one.value] : [])
    .sort((a, b) => a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0);
}

async function* sweep(store: ArtifactStore, options: ArtifactOptions): AsyncGenerator<number> {
  const { now, keep_ms } = options;
  if (keep_ms <= 0) return;
  for await (const { key, value } of store.list<{ at: number }>({ prefix: keys.uploads() })) {
    if (value.at >= now() - keep_ms) continue;
    const old = await removeArtifact(store, key[1] as string, key[2] as string);
    await store.commit({ ...old, mutations: [...old.mutations, { key, delete: true }] });
    yield 1;
  }
}

async function refuseTooMany(store: ArtifactStore, tenant: string, run: string): Promise<void> {
  const limit = MAX_RUN_ARTIFACTS;
  const prefix = keys.artifactsOf(tenant, run);
  if ((await Array.fromAsync(store.keys({ prefix }, { limit }))).length < limit) return;
  throw new OrchestratorError(
    "payload_too_large",
    `Cannot store another file of ${run}: the limit is ${limit} files. Create fewer files.`,
    { details: { max_files: limit } },
  );
}

function indexKey(tenant: string, { id, run_id }: ArtifactRecord): Key {
  return run_id === undefined ? keys.upload(tenant, id) : keys.artifactOf(tenant, run_id, id);
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
    `No artifact has the ID ${
      JSON.stringify(id.slice(0, 100))
    }. GET /v1/runs/{id}/artifacts lists them.`,
  );
}

function tooLarge(name: string, max_bytes: number): OrchestratorError {
  return new OrchestratorError(
    "payload_too_large",
    `Cannot store the file ${
      cleanName(name)
    }: it is larger than ${max_bytes} bytes. Make it smaller.`,
    { details: { max_bytes } },
  );
}

function mismatch(name: string): OrchestratorError {
  return new OrchestratorError(
    "idempotency_mismatch",
    `Cannot store the file ${name}: this Idempotency-Key was already used for different bytes. Use a new key.`,
  );
}

/** Another write came first. */
function interrupted(name: string): OrchestratorError {
  return new OrchestratorError(
    "conflict",
    `Cannot store the file ${name}: another request wrote it at the same time. Retry.`,
    { kind: "retryable" },
  );
}
