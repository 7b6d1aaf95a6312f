/**
 * From a request's bytes to a checked value: media type, size, JSON, schema, in that order.
 *
 * @module
 */
import type { Context } from "hono";
import type * as z from "zod";
import { joinBytes } from "../bytes.ts";
import { type Issue, OrchestratorError, sentence } from "../errors.ts";
import { parse, toIssues } from "../json/mod.ts";
import type { Json } from "../pipeline/kernel/mod.ts";
import type { AppEnv } from "./deps.ts";
import { errorOffset } from "./json_position.ts";

/** Media types of JSON. */
export const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json[ \t]*(?:;|$)/i;

/** Deeper values are refused: recursion over them would be the sender's to steer. */
const MAX_DEPTH = 64;

/** The variables that limit bodies. */
export type Limit = "MAX_BODY_BYTES" | "MAX_DOCUMENT_BYTES" | "MAX_ARTIFACT_BYTES";

/** A body and what it must be. */
export interface BodyRules<T> {
  schema: z.ZodType<T>;
  /** Of the body as it is sent. */
  max_bytes: number;
  /** The variable that sets it; default `MAX_BODY_BYTES`. */
  limit?: Limit;
  /** Stands for an absent body; without it a body is required. */
  when_empty?: NoInfer<T>;
}

/**
 * Reads and checks a JSON body.
 *
 * @throws `unsupported_media_type`, `payload_too_large`, `invalid_request` (not JSON),
 *   `validation_failed` (JSON, but not what the schema says)
 */
export async function readBody<T>(c: Context<AppEnv>, rules: BodyRules<T>): Promise<T> {
  const request = c.req.raw;
  const bytes = rules.when_empty === undefined
    ? undefined
    : await readBytes(request, rules.max_bytes, rules.limit);
  // Clients that send nothing name no type for it either.
  if (bytes?.length === 0) return rules.when_empty!;
  const type = request.headers.get("content-type");
  if (type === null || !JSON_TYPE.test(type)) {
    throw new OrchestratorError(
      "unsupported_media_type",
      `Cannot read a body of type ${JSON.stringify(type)}: only application/json is supported. ` +
        "Send JSON with that Content-Type.",
    );
  }
  const text = decode(bytes ?? await readBytes(request, rules.max_bytes, rules.limit));
  return validate(rules.schema, parseJson(text));
}

/** `value` as the schema makes it. @throws `validation_failed` with a JSON pointer per problem */
export function validate<T>(schema: z.ZodType<T>, value: Json): T {
  const { data, problems } = parse(schema, value);
  if (problems) throw validationFailed(toIssues(problems));
  return data;
}

/** The 422 for these issues. */
export function validationFailed(issues: Issue[]): OrchestratorError {
  const [first] = issues;
  const where = first ? `: ${first.location || "/"}: ${first.message}` : "";
  return new OrchestratorError(
    "validation_failed",
    `${sentence(`Cannot accept the request${where}`)} Fix the problems listed in \`errors\` and ` +
      "resend the request.",
    { issues },
  );
}

/** A body as text, of whatever type. @throws `payload_too_large`, `invalid_request` (not UTF-8) */
export async function readText(c: Context<AppEnv>, max_bytes: number): Promise<string> {
  return decode(await readBytes(c.req.raw, max_bytes));
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new OrchestratorError(
      "invalid_request",
      "Cannot read the body: it is not valid UTF-8. Encode it as UTF-8.",
    );
  }
}

/**
 * Reads a body of whatever type. Believes a declared length only as far as to refuse it or to read
 * at once; counts otherwise.
 *
 * @throws `payload_too_large`, `invalid_request` when the client stops in the middle
 */
export async function readBytes(
  request: Request,
  max_bytes: number,
  limit: Limit = "MAX_BODY_BYTES",
): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? NaN);
  if (declared > max_bytes) throw tooLarge(max_bytes, limit);
  let bytes: Uint8Array;
  try {
    bytes = declared >= 0 ? await request.bytes() : await receive(request, max_bytes);
  } catch (cause) {
    // The client left, or its connection broke: not an error of this server.
    throw new OrchestratorError(
      "invalid_request",
      "Cannot read the body: the connection closed before all of it arrived. Send the request again.",
      { cause },
    );
  }
  if (bytes.length > max_bytes) throw tooLarge(max_bytes, limit);
  return bytes;
}

/** The body, or what of it is enough to see that it is too long. */
async function receive({ body }: Request, max_bytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    total += chunk.length;
    if (total > max_bytes) break;
  }
  return joinBytes(chunks);
}

function tooLarge(max_bytes: number, limit: Limit): OrchestratorError {
  return new OrchestratorError(
    "payload_too_large",
    `Cannot read the body: it is larger than ${max_bytes} bytes. Send less, or raise ${limit}.`,
    { details: { max_bytes } },
  );
}

/**
 * Parses JSON that strangers wrote.
 *
 * @param part where the text is from, when it is not the whole of what was sent
 * @throws `invalid_request` with line and column when it is not JSON, or when it is too deep
 */
export function parseJson(text: string, part?: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    throw notJson(text, part);
  }
  harden(value, 1);
  return value;
}

/**
 * Checks the depth and drops `__proto__` members: `JSON.parse` makes plain members of them, but the
 * first careless merge further down would not. Of duplicate members the last one counts.
 */
function harden(value: Json, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > MAX_DEPTH) {
    throw new OrchestratorError(
      "invalid_request",
      `Cannot read the JSON: it is nested deeper than ${MAX_DEPTH} levels. Flatten it.`,
    );
  }
  if (Array.isArray(value)) {
    for (const item of value) harden(item, depth + 1);
    return;
  }
  for (const key of Object.keys(value)) {
    if (key === "__proto__") delete value[key];
    else harden(value[key] as Json, depth + 1);
  }
}

function notJson(text: string, part?: string): OrchestratorError {
  const what = part === undefined ? "the JSON" : `the JSON of ${part}`;
  const prefix = part === undefined ? "" : `${part}, `;
  if (text.trim() === "") {
    return new OrchestratorError(
      "invalid_request",
      `Cannot read ${what}: it is empty. Send JSON, at least {}.`,
      { issues: [{ location: part ?? "", message: "empty" }] },
    );
  }
  const before = text.slice(0, errorOffset(text));
  const line = before.split("\n").length;
  const column = before.length - before.lastIndexOf("\n");
  const location = `line ${line}, column ${column}`;
  return new OrchestratorError(
    "invalid_request",
    `Cannot read ${what}: it is not valid at ${location}. Fix it and resend the request.`,
    { issues: [{ location: `${prefix}${location}`, message: "is not valid JSON from here on" }] },
  );
}
