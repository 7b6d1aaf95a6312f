/**
 * Request headers and query parameters with a grammar of their own. What cannot be read is a 400,
 * except for `Prefer`, which RFC 7240 has servers ignore.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Context } from "hono";
import { OrchestratorError, sentence } from "../errors.ts";
import { nearest } from "../json/mod.ts";
import type { Json } from "../pipeline/kernel/mod.ts";
import type { AppEnv } from "./deps.ts";

/** Longest wait a client can ask for, in seconds. */
const MAX_WAIT_S = 300;

/** What a client prefers; see RFC 7240. */
export interface Preference {
  respond_async: boolean;
  /** Seconds, at most 300. */
  wait?: number;
}

/** Reads `Prefer: respond-async, wait=10`; unknown and malformed parts are ignored. */
export function readPrefer(header: string | null): Preference {
  const preference: Preference = { respond_async: false };
  for (const part of header?.toLowerCase().split(",") ?? []) {
    const [token = "", value = ""] = part.split(";")[0]!.split("=").map((text) => text.trim());
    if (token === "respond-async") preference.respond_async = true;
    if (token === "wait" && /^"?\d{1,6}"?$/.test(value)) {
      preference.wait = Math.min(Number(value.replaceAll('"', "")), MAX_WAIT_S);
    }
  }
  return preference;
}

/** A preference that was applied, as `Preference-Applied` shows it. */
export function preferenceApplied({ wait, respond_async }: Preference): string | undefined {
  return wait === undefined ? respond_async ? "respond-async" : undefined : `wait=${wait}`;
}

/** Waits as long as the client prefers: without a preference, to the end. `undefined`: not yet. */
export async function within<T>(
  result: () => Promise<T>,
  { wait, respond_async }: Preference,
): Promise<T | undefined> {
  if (wait === undefined) return respond_async ? undefined : await result();
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), wait * 1000);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      settle();
    };
    result().then((value) => end(() => resolve(value)), (error) => end(() => reject(error)));
  });
}

/** What makes two requests with one `Idempotency-Key` the same request. */
export interface KeyedRequest {
  method: string;
  path: string;
  body: unknown;
}

/**
 * Reads `Idempotency-Key` and adds the fingerprint of the request that it stands for.
 *
 * @throws `invalid_request` unless the key is 1 to 255 characters of printable ASCII
 */
export function readIdempotencyKey(
  header: string | null,
  request: KeyedRequest,
): { key: string; fingerprint: string } | undefined {
  if (header === null) return undefined;
  if (!/^[\x20-\x7e]{1,255}$/.test(header)) {
    throw badHeader("Idempotency-Key", "must be 1 to 255 printable ASCII characters");
  }
  const text = `${request.method} ${request.path}\n${canonicalJson(request.body as Json)}`;
  return { key: header, fingerprint: createHash("sha256").update(text).digest("hex") };
}

/**
 * Reads the entity tags of `If-Match` and `If-None-Match` without their quotes; `*` stays as it is.
 *
 * @throws `invalid_request`
 */
export function readTags(header: string | null, name: string): string[] | undefined {
  if (header === null) return undefined;
  const tags = header.split(",").map((tag) =>
    /^(?:W\/)?"([\x21\x23-\x7e]*)"$|^\*$/.exec(tag.trim())
  );
  if (tags.some((tag) => tag === null)) throw badHeader(name, 'must be * or a list of "tags"');
  return tags.map((tag) => tag![1] ?? "*");
}

/** Reads an integer between `min` and `max`, or `fallback` if the parameter is absent. */
export function readInteger(
  text: string | null | undefined,
  rules: { name: string; min: number; max: number; fallback: number },
): number {
  if (text === null || text === undefined) return rules.fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= rules.min && value <= rules.max) return value;
  throw badHeader(rules.name, `must be an integer from ${rules.min} to ${rules.max}`);
}

/**
 * Reads the query parameters of a list. One that is unknown or there twice would be ignored, and the
 * client would take for filtered what is not.
 *
 * @param names the parameters that the list knows
 * @throws `invalid_request`
 */
export function readQuery<N extends string>(
  { req }: Context<AppEnv>,
  ...names: N[]
): { [name in N]?: string } {
  const given = req.queries();
  for (const [name, values] of Object.entries(given)) {
    if (!(names as string[]).includes(name)) {
      const guess = nearest(name, names);
      throw badHeader(
        `?${name}`,
        guess === undefined
          ? "is not a parameter of this list"
          : `is unknown; did you mean ?${guess}?`,
      );
    }
    if (values.length > 1) throw badHeader(`?${name}`, "is given more than once: send it once");
  }
  return Object.fromEntries(Object.entries(given).map(([name, [value]]) => [name, value])) as {
    [name in N]?: string;
  };
}

/** Reads `?limit` of a list: 1 to 200, 50 unless given. */
export function readLimit(text: string | undefined): number {
  return readInteger(text, { name: "?limit", min: 1, max: 200, fallback: 50 });
}

/** What lists go by: the ids of runs, approvals and documents. A child's has its parent's first. */
const CURSORS = {
  run: /^run_[0-9a-z]{26}(?:\.[0-9a-f]{10})*$/,
  approval: /^apr_[0-9a-z]{26}$/,
  document: /^doc_[0-9a-z]{26}$/,
};

/**
 * Reads `?cursor` of a list. One that is cut off or of another list would skip entries silently.
 *
 * @param of what the list goes by
 * @throws `invalid_request`
 */
export function readCursor(
  text: string | undefined,
  of: keyof typeof CURSORS,
): string | undefined {
  if (text === undefined || CURSORS[of].test(text)) return text;
  throw badHeader(
    "?cursor",
    "must be the next_cursor of an earlier page of this list, or absent for the first page",
  );
}

/** The 400 for a header or query parameter. */
export function badHeader(location: string, message: string): OrchestratorError {
  return new OrchestratorError(
    "invalid_request",
    `Cannot read ${location}: it ${sentence(message)} Fix it and resend the request.`,
    { issues: [{ location, message }] },
  );
}

/** Members in the order of their names, so that their order does not matter. */
function canonicalJson(value: Json | undefined): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.keys(value).sort().filter((key) => value[key] !== undefined)
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`);
  return `{${members.join(",")}}`;
}
