/**
 * When a server asks to be called again. It is a number from outside: whatever it says, the result is
 * a wait that a clock can hold, or none.
 *
 * @module
 */

/** A longer wait is as good as never. */
const LONGEST_MS = 365 * 86_400_000;

/** `Date` has whole seconds, and servers keep it for one. */
const AGREEMENT_MS = 2_000;

/** The three forms of an HTTP date (RFC 9110, 5.6.7), and RFC 3339, which some servers send. */
const DATE = /^(?:[A-Z][a-z]{2,8},? .+ |\d{4}-\d\d-\d\dT)\d\d:\d\d:\d\d/;

/**
 * Reads `retry-after-ms` and `Retry-After`: seconds, with decimals too, or a date. A date is taken
 * relative to the response's own `Date`: the server's clock may be ahead or behind.
 *
 * @param now milliseconds since the epoch, for a response without a `Date`
 * @returns milliseconds from now on; `undefined` when the response does not say, or not sensibly
 */
export function retryAfterMs(headers: Headers, now: () => number = Date.now): number | undefined {
  const ms = number(headers.get("retry-after-ms"));
  if (ms !== undefined) return bounded(ms);
  const after = headers.get("retry-after")?.trim() ?? "";
  const seconds = number(after);
  if (seconds !== undefined) return bounded(seconds * 1_000);
  const at = date(after);
  return at === undefined ? undefined : bounded(at - serverTime(headers, now()));
}

/** The server's clock; this machine's where they agree, which is finer. */
function serverTime(headers: Headers, now: number): number {
  const sent = date(headers.get("date"));
  return sent === undefined || Math.abs(sent - now) <= AGREEMENT_MS ? now : sent;
}

/** Reads a duration such as `1.5s`, as Google writes it. @returns milliseconds */
export function durationMs(text: unknown): number | undefined {
  const [, value] = /^([\d.]+)s$/.exec(typeof text === "string" ? text : "") ?? [];
  const seconds = number(value);
  return seconds === undefined ? undefined : bounded(seconds * 1_000);
}

function number(text: string | null | undefined): number | undefined {
  const trimmed = text?.trim() ?? "";
  return /^\d+(?:\.\d*)?$/.test(trimmed) ? Number(trimmed) : undefined;
}

function date(text: string | null): number | undefined {
  if (text === null || !DATE.test(text)) return undefined;
  // The oldest form ends in the year and names no zone: it is UTC, too.
  const at = Date.parse(/\d$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(at) ? undefined : at;
}

function bounded(ms: number): number {
  return Math.ceil(Math.min(Math.max(0, ms), LONGEST_MS));
}
