/**
 * Values are JSON as UTF-8 bytes. One that is larger than an adapter takes is cut into chunks
 * beside it; its own key then holds a pointer, told apart by a first byte that JSON never has.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import { keys } from "./keys.ts";
import { type Entry, type Key, type Kv, MAX_VALUE_BYTES, type Mutation } from "./kv.ts";

/** The largest value that is stored at all. */
export const MAX_CHUNKED_BYTES = 16 * 1024 * 1024;
const POINTER = 0;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** JSON text to the mutations that store it under `key`. @throws `payload_too_large` */
export function setText(key: Key, text: string): Mutation[] {
  const bytes = encoder.encode(text);
  if (bytes.length <= MAX_VALUE_BYTES) return [{ key, set: bytes }];
  if (bytes.length > MAX_CHUNKED_BYTES) throw tooLarge(bytes.length);
  const mutations: Mutation[] = [];
  for (let at = 0, n = 0; at < bytes.length; at += MAX_VALUE_BYTES, n++) {
    mutations.push({
      key: keys.chunk(key, n),
      set: bytes.subarray(at, at + MAX_VALUE_BYTES),
    });
  }
  mutations.push({ key, set: pointer(mutations.length) });
  return mutations;
}

/** A JSON value to the mutations that store it under `key`. @throws `payload_too_large` */
export function setJson(key: Key, value: unknown): Mutation[] {
  return setText(key, JSON.stringify(value));
}

/** The mutations that delete `entry` with its chunks. */
export function deleteEntry(entry: { key: Key; value: Uint8Array }): Mutation[] {
  const mutations: Mutation[] = [{ key: entry.key, delete: true }];
  for (let n = 0; n < chunkCount(entry.value); n++) {
    mutations.push({ key: keys.chunk(entry.key, n), delete: true });
  }
  return mutations;
}

/** The text of an entry, its chunks joined. */
export async function readText(kv: Kv, entry: Entry): Promise<string> {
  const count = chunkCount(entry.value);
  if (count === 0) return decoder.decode(entry.value);
  const chunkKeys = Array.from({ length: count }, (_, n) => keys.chunk(entry.key, n));
  const chunks = await kv.getMany(chunkKeys);
  const text = new TextDecoder();
  let out = "";
  for (const chunk of chunks) {
    if (!chunk) throw new Error(`Cannot read ${entry.key.join("/")}: a chunk is missing`);
    out += text.decode(chunk.value, { stream: true });
  }
  return out + text.decode();
}

/** The JSON value of an entry, its chunks joined. */
export async function readJson<T>(kv: Kv, entry: Entry): Promise<T> {
  return JSON.parse(await readText(kv, entry)) as T;
}

/** True when a mutation only writes a chunk: it is invisible until its pointer is committed. */
export function isChunk(mutation: Mutation): boolean {
  return mutation.key[0] === "chunk";
}

function pointer(chunks: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = POINTER;
  new DataView(bytes.buffer).setUint32(1, chunks);
  return bytes;
}

function chunkCount(value: Uint8Array): number {
  if (value[0] !== POINTER) return 0;
  return new DataView(value.buffer, value.byteOffset).getUint32(1);
}

function tooLarge(bytes: number): OrchestratorError {
  return new OrchestratorError(
    "payload_too_large",
    `Cannot store a value of ${bytes} bytes: the limit is ${MAX_CHUNKED_BYTES}. Return less, or store it elsewhere and return where.`,
  );
}
