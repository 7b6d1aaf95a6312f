/** Durable state: the KV port with its adapters, fenced group commit, the key map. @module */
export {
  type ArtifactFile,
  artifactNotFound,
  type ArtifactPlace,
  type ArtifactRecord,
  type Artifacts,
  artifactsLeftBy,
  createArtifacts,
} from "./artifacts.ts";
export { type At, isDamaged, type ReadOptions, refuseDamaged, type Versioned } from "./contents.ts";
export { openDenoKv } from "./deno_kv.ts";
export { keys, SCHEMA_VERSION } from "./keys.ts";
export type {
  Check,
  Commit,
  Entry,
  Key,
  Kv,
  KvLimits,
  ListOptions,
  Mutation,
  Selector,
} from "./kv.ts";
export { holdDirectory, lockDirectory } from "./lock.ts";
export { type OpenStore, openStore } from "./open.ts";
export { Store, type StoreOptions } from "./store.ts";
export { findDamagedIn } from "./verify.ts";
export { MAX_VALUE_BYTES, setBytes, setJson, setText } from "./values.ts";
