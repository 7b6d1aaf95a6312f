/**
 * Values of schema version 1 that are stored without a checksum: whether one still is what that
 * version wrote can only be seen by its form.
 *
 * @module
 */
import type { Entry, Key } from "./kv.ts";
import { contentOf, hasHeader, parseContent } from "./values.ts";

/** True for a JSON value that is what its key promises. */
type Shape = (value: unknown, key: Key) => boolean;

/** First byte of a value that is stored in chunks; their number follows. */
const CHUNKED = 0;

const isString: Shape = (value) => typeof value === "string";
const isNumber: Shape = (value) => typeof value === "number";
const isObject: Shape = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isArray: Shape = (value) => Array.isArray(value);
const anything: Shape = () => true;

/** An object with at least these properties. */
function has(properties: Record<string, Shape>): Shape {
  const wanted = Object.entries(properties);
  return (value, key) =>
    isObject(value, key) &&
    wanted.every(([name, shape]) => shape((value as Record<string, unknown>)[name], key));
}

/** Several properties of one shape. */
function each(names: string, shape: Shape): Record<string, Shape> {
  return Object.fromEntries(names.split(" ").map((name) => [name, shape]));
}

/** The header of the run that the key names. */
const isRun = has({
  ...each("pipeline version status created_at", isString),
  tenant: (value, key) => value === key[1],
  id: (value, key) => value === key[2],
});

const isStep = has({ step: isString });
const EVENTS: Record<string, Shape> = {
  "run.started": has(each("pipeline version", isString)),
  "run.waiting": has({ for: isArray }),
  "run.failed": has({ error: isObject }),
  "step.started": has({ step: isString, attempt: isNumber }),
  "step.completed": isStep,
  "step.failed": has({ step: isString, error: isObject }),
  "step.skipped": isStep,
  "signal.received": has({ name: isString }),
};

const isEvent = has({ type: isString, seq: isNumber, at: isString });
const isCommit: Shape = (value, key) =>
  Array.isArray(value) && value.length > 0 &&
  value.every((one) => isEvent(one, key) && (EVENTS[one.type] ?? anything)(one, key));
const isPipeline = has({ ...each("name text version created_at by", isString), number: isNumber });

/** What is stored under the keys of each kind. */
const SHAPES: Record<string, Shape> = {
  approval: has({
    ...each("id tenant run_id step pipeline title preview created_at status", isString),
    ...each("ancestors decisions", isArray),
    approvers: isNumber,
  }),
  approval_of: isObject,
  approval_pending: isObject,
  artifact: has({ ...each("id name type sha256 created_at", isString), size: isNumber }),
  artifact_of: has({ at: isNumber }),
  artifact_upload: has({ at: isNumber }),
  cache: has({ expires_at: isNumber }),
  collection: has({ name: isString, documents: isNumber, passages: isNumber }),
  conversation: has(each("user assistant", isString)),
  conversation_at: anything,
  definition: isString,
  document: has({
    ...each("id collection title type hash created_at", isString),
    ...each("size passages", isNumber),
    metadata: isObject,
  }),
  document_key: isString,
  document_of: isString,
  ended: has({ at: isString }),
  idempotency: has({ ...each("fingerprint run", isString), expires_at: isNumber }),
  inbox: has({ type: isString }),
  journal: isCommit,
  lease: has({ worker: isString, batch: isNumber, at: isNumber }),
  live: has({ run: isRun, worker: isString }),
  mcp_pin: isString,
  memory: has({
    ...each("id user_id text created_at updated_at", isString),
    source: isObject,
  }),
  memory_of: isString,
  passage: has({ text: isString, heading: isArray, location: isObject }),
  pipeline: isPipeline,
  pipeline_change: isObject,
  pipeline_version: isPipeline,
  removing: isObject,
  run: isRun,
  schedule: has({ rule: isString, last: isNumber }),
  slot: has({ run: isString }),
  summary: has(each("text upto", isString)),
  timer: isObject,
  tool: isObject,
  turn: isObject,
  unfinished: has(each("collection worker", isString)),
  waiting: has({ run: isRun }),
};

const VECTOR = "vector";

/** The first part of all keys whose values had no checksum. */
export const KINDS: readonly string[] = [...Object.keys(SHAPES), VECTOR];

/** True for a value whose content is in chunks. */
export function isChunked({ value }: Entry): boolean {
  return value[0] === CHUNKED;
}

/** True for a value that has no checksum. Numbers of a vector may begin like one that has. */
export function isPlain(entry: Entry): boolean {
  if (entry.key[0] !== VECTOR) return !hasHeader(entry.value);
  return entry.value.length % 4 === 0 && !isSealed(entry);
}

/** True for content that is what `key` promises, as far as that can be seen. */
export function isIntact(key: Key, content: Uint8Array): boolean {
  const kind = String(key[0]);
  if (kind === VECTOR) return content.length % 4 === 0;
  try {
    return SHAPES[kind]?.(parseContent(key, content), key) ?? false;
  } catch {
    return false;
  }
}

function isSealed(entry: Entry): boolean {
  try {
    contentOf(entry);
    return true;
  } catch {
    return false;
  }
}
