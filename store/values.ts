/**
 * The form of values. A value begins with a byte that says what it is and a checksum of the rest:
 *
 * | first byte | after it |
 * |---|---|
 * | 1 | CRC-32 in four bytes, the content |
 * | 4 | CRC-32 in four bytes, a {@linkcode Pointer} to the content as JSON |
 * | any other | none: content of schema version 1 that its migration did not take, or damage |
 *
 * No single flipped bit makes one of the three another, and JSON begins with neither 1 nor 4: the
record of the schema has no header, so that programs of every version can read it.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { OrchestratorError } from "../errors.ts";
import type { Entry, Key, Mutation } from "./kv.ts";

/** The largest JSON value, in bytes: 16 MiB. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024;
/** Bytes before the content. */
export const HEADER_BYTES = 5;
const INLINE = 1;
const POINTER = 4;
/** Room for the checksum follows the first byte. */
const INLINE_HEADER = "\x01\0\0\0\0";
const POINTER_HEADER = "\x04\0\0\0\0";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where the content of a large value is: see `blobs.ts`. */
export interface Pointer {
  blob: string;
  /** In bytes. */
  size: number;
  /** CRC-32 of the content. */
  checksum: number;
  pieces: number;
}

/** A JSON value to the mutation that stores it under `key`. @throws `payload_too_large` */
export function setJson(key: Key, value: unknown): Mutation {
  return setText(key, JSON.stringify(value));
}

/** JSON text to the mutation that stores it under `key`. @throws `payload_too_large` */
export function setText(key: Key, json: string): Mutation {
  const set = encoder.encode(INLINE_HEADER + json);
  const size = set.length - HEADER_BYTES;
  if (size > MAX_VALUE_BYTES) throw tooLarge(size);
  return { key, set: seal(set) };
}

/** Bytes of any length to the mutation that stores them under `key`. */
export function setBytes(key: Key, bytes: Uint8Array): Mutation {
  const set = new Uint8Array(HEADER_BYTES + bytes.length);
  set[0] = INLINE;
  set.set(bytes, HEADER_BYTES);
  return { key, set: seal(set) };
}

/** The mutation that stores a pointer under `key`. */
export function setPointer(key: Key, pointer: Pointer): Mutation {
  return { key, set: seal(encoder.encode(POINTER_HEADER + JSON.stringify(pointer))) };
}

/** True for a value that begins as they do today. */
export function hasHeader(value: Uint8Array): boolean {
  return value[0] === INLINE || value[0] === POINTER;
}

/** The content of an entry that has a header, or where it is. @throws `value_damaged` */
export function contentOf({ key, value }: Pick<Entry, "key" | "value">): Uint8Array | Pointer {
  if (!hasHeader(value)) throw damaged(key, "it has no checksum");
  const content = value.subarray(HEADER_BYTES);
  if (value.length < HEADER_BYTES || checksum(content) !== checksumIn(value)) {
    throw damaged(key, "its checksum does not match its content");
  }
  return value[0] === INLINE ? content : JSON.parse(decoder.decode(content)) as Pointer;
}

/** The value of JSON content. @throws `value_damaged` */
export function parseContent<T>(key: Key, content: Uint8Array): T {
  try {
    return JSON.parse(decoder.decode(content)) as T;
  } catch {
    throw damaged(key, "it is not valid JSON");
  }
}

/** The JSON value of a small entry, also of one without a header. @throws `value_damaged` */
export function jsonOf<T>(entry: Pick<Entry, "key" | "value">): T {
  const content = hasHeader(entry.value) ? contentOf(entry) : entry.value;
  if (content instanceof Uint8Array) return parseContent(entry.key, content);
  throw damaged(entry.key, "its content is elsewhere");
}

/** CRC-32. `before`: that of the bytes before these. */
export function checksum(bytes: Uint8Array, before = 0): number {
  return crc32(bytes, before);
}

/** The error for a value that cannot be read. */
export function damaged(key: Key, why: string): OrchestratorError {
  return new OrchestratorError(
    "value_damaged",
    `Cannot read ${
      nameOf(key)
    } from the store: ${why}. Restore a backup, or see docs/operations.md for what can be done without one.`,
    { details: { key } },
  );
}

/** A key for people. */
export function nameOf(key: Key): string {
  return `\`${key.join("/")}\``;
}

/** Writes the checksum of a value's content into the room before it. */
function seal(value: Uint8Array): Uint8Array {
  const sum = checksum(value.subarray(HEADER_BYTES));
  value[1] = sum >>> 24;
  value[2] = sum >>> 16;
  value[3] = sum >>> 8;
  value[4] = sum;
  return value;
}

function checksumIn(value: Uint8Array): number {
  return (value[1]! << 24 | value[2]! << 16 | value[3]! << 8 | value[4]!) >>> 0;
}

function tooLarge(bytes: number): OrchestratorError {
  return new OrchestratorError(
    "payload_too_large",
    `Cannot store a value of ${bytes} bytes: the limit is ${MAX_VALUE_BYTES}. Return less, or store it elsewhere and return a reference.`,
    { details: { bytes, max_bytes: MAX_VALUE_BYTES } },
  );
}
