/** Durable state: the KV port with its adapters, fenced group commit, the key map. @module */
export {
  type ArtifactFile,
  artifactNotFound,
  type ArtifactPlace,
  type ArtifactRecord,
  type Artifacts,
  createArtifacts,
  releaseArtifact,
} from "./artifacts.ts";
export { openDenoKv } from "./deno_kv.ts";
export { keys, SCHEMA_VERSION } from "./keys.ts";
export type { Check, Commit, Entry, Key, Kv, ListOptions, Mutation, Selector } from "./kv.ts";
export { lockDirectory } from "./lock.ts";
export { type OpenStore, openStore, Store, type StoreOptions, type Versioned } from "./store.ts";
export { deleteEntry, readJson, setJson, setText } from "./values.ts";
