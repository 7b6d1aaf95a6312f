/**
 * How a value that does not match its schema is described, for JSON Schema and for zod alike. A
 * message follows the location of the value (`/role: must be one of user, assistant`), so it starts
 * with a small letter and has no full stop.
 *
 * @module
 */

/** For a value that is absent. */
export const REQUIRED = "is required";

/** For what cannot be described any better. */
export const NOT_VALID = "is not valid";

/** Values of an enumeration that a message lists, at most. */
const MAX_VALUES = 20;

const KINDS: Record<string, string> = {
  string: "a string",
  number: "a number",
  integer: "an integer",
  int: "an integer",
  boolean: "true or false",
  array: "an array",
  tuple: "an array",
  object: "an object",
  record: "an object",
};

const FORMATS: Record<string, string> = {
  "date-time": "a date and time such as 2026-01-31T12:00:00Z",
  datetime: "a date and time such as 2026-01-31T12:00:00Z",
  date: "a date such as 2026-01-31",
  time: "a time such as 12:00:00Z",
  duration: "a duration such as PT1H30M",
  email: "an email address",
  hostname: "a host name",
  ipv4: "an IPv4 address",
  ipv6: "an IPv6 address",
  regex: "a regular expression",
  uri: "a URL",
  url: "a URL",
  uuid: "a UUID",
};

/** `must be a string or null`: the names of types as JSON Schema and zod have them. */
export function mustBeKind(types: readonly string[]): string {
  return `must be ${types.map((type) => KINDS[type] ?? type).join(" or ")}`;
}

/** `must be one of user, assistant`. */
export function mustBeOneOf(values: readonly unknown[]): string {
  return `must be ${oneOf(values)}`;
}

/** `one of user, assistant`, or the only value. */
export function oneOf(values: readonly unknown[]): string {
  const shown = values.slice(0, MAX_VALUES).map(show).join(", ");
  return values.length === 1 ? shown : `one of ${shown}${values.length > MAX_VALUES ? ", …" : ""}`;
}

/** Words as they are, everything else as JSON. */
function show(value: unknown): string {
  return typeof value === "string" && /^[\w./:-]+$/.test(value) ? value : JSON.stringify(value);
}

/** `must have at least 3 characters`. */
export function mustHave(bound: string, count: number | bigint, unit: string): string {
  return `must have ${bound} ${count} ${Number(count) === 1 ? unit : `${unit}s`}`;
}

/** `must be an email address`. */
export function mustHaveFormat(format: string): string {
  const known = FORMATS[format];
  return known === undefined ? `must have the format ${format}` : `must be ${known}`;
}
