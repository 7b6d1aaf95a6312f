/**
 * Reads values with zod schemas. What is wrong is described here and nowhere else: no message of the
 * library leaves this file.
 *
 * @module
 */
import type * as z from "zod";
import type { Issue } from "../errors.ts";
import { unknownName } from "./suggest.ts";
import type { Path } from "./value.ts";
import {
  mustBeKind,
  mustBeOneOf,
  mustHave,
  mustHaveFormat,
  NOT_VALID,
  oneOf,
  REQUIRED,
} from "./words.ts";

/** One thing that is wrong with a value, and where. */
export interface Problem {
  path: Path;
  message: string;
}

/** What {@linkcode parse} found. */
export type Parsed<T> =
  | { data: T; problems?: undefined }
  | { data?: undefined; problems: Problem[] };

type Raw = z.core.$ZodRawIssue;
type Checked = z.core.$ZodIssue;

/** `value` as the schema makes it, or what is wrong with it: misspelt fields first. */
export function parse<T>(schema: z.ZodType<T>, value: unknown): Parsed<T> {
  const { data, success } = schema.safeParse(value);
  return success ? { data } : { problems: problemsIn(schema, value) };
}

/** Parses again, for the messages: most values are right and need none. */
function problemsIn(schema: z.ZodType, value: unknown): Problem[] {
  // Only the map of messages sees the schema of an issue, so its fields are noted there.
  const known: Fields = new Map();
  const error = (issue: Raw) => {
    if (issue.code === "unrecognized_keys") known.set(issue.keys, fieldsOf(issue.inst));
    return describe(issue);
  };
  const issues = schema.safeParse(value, { error }).error?.issues ?? [];
  const problems = issues.flatMap((issue) => problemsOf(issue, value, known));
  const misspelt = new Set(problems.filter(({ unknown }) => unknown));
  return [...misspelt, ...problems.filter((problem) => !misspelt.has(problem))]
    .map(({ path, message }) => ({ path, message }));
}

/** The problems as issues: their locations are JSON pointers (RFC 6901). */
export function toIssues(problems: readonly Problem[]): Issue[] {
  return problems.map(({ path, message }) => ({ location: pointer(path), message }));
}

/** A path as a JSON pointer; empty for the whole value. */
export function pointer(path: Path): string {
  return path.map((part) => "/" + String(part).replaceAll("~", "~0").replaceAll("/", "~1")).join(
    "",
  );
}

type Found = Problem & { unknown?: boolean };
/** The fields that an object may have, by the list of those that it may not have. */
type Fields = Map<string[], string[] | undefined>;

function problemsOf(issue: Checked, value: unknown, known: Fields): Found[] {
  const path = issue.path.map((part) => typeof part === "symbol" ? String(part) : part);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: unknownName("field", key, known.get(issue.keys)),
      unknown: true,
    }));
  }
  if (issue.code === "invalid_union") {
    if (valueAt(value, path) === undefined) return [{ path, message: REQUIRED }];
    const meant = issue.errors.find((option) => !option.some(isOtherType));
    if (meant) {
      const inner = meant.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
      return inner.flatMap((one) => problemsOf(one, value, known));
    }
  }
  // What is wrong with the name of a field is in the issues of its key.
  const { message } = issue.code === "invalid_key" ? issue.issues[0] ?? issue : issue;
  return [{ path, message }];
}

/** The option of a union that wants another type altogether is not the one that was intended. */
function isOtherType({ path, code }: Checked): boolean {
  return path.length === 0 && code !== "unrecognized_keys";
}

/** What an issue means; schemas with a message of their own do not get here. */
function describe(issue: Raw): string {
  const { input } = issue;
  switch (issue.code) {
    case "invalid_type":
      return input === undefined ? REQUIRED : mustBeKind([expectedOf(issue)]);
    case "invalid_value":
      return input === undefined
        ? `${REQUIRED}: ${oneOf(issue.values)}`
        : mustBeOneOf(issue.values);
    case "too_small":
      return amount(issue, issue.inclusive ? "at least" : "more than", issue.minimum);
    case "too_big":
      return amount(issue, issue.inclusive ? "at most" : "less than", issue.maximum);
    case "not_multiple_of":
      return `must be a multiple of ${issue.divisor}`;
    case "invalid_format":
      return formatOf(issue);
    case "invalid_union":
      return unionOf(issue);
    case "invalid_key":
      return "has a name that is not valid";
    default:
      return NOT_VALID;
  }
}

type Format = { format?: string };

/** The library expects a number where the schema is for integers. */
function expectedOf({ expected, inst }: Raw & { code: "invalid_type" }): string {
  const def = inst?._zod.def as Format & { checks?: { _zod: { def: Format } }[] } | undefined;
  const formats = [def?.format, ...(def?.checks ?? []).map(({ _zod }) => _zod.def.format)];
  return expected === "number" && formats.includes("safeint") ? "int" : expected;
}

const UNITS: Record<string, string> = { string: "character", array: "item", set: "item" };

function amount(issue: { origin: string; exact?: boolean }, bound: string, n: number | bigint) {
  const unit = UNITS[issue.origin];
  if (unit) return mustHave(issue.exact ? "exactly" : bound, n, unit);
  return `must be ${bound} ${n}`;
}

function formatOf(issue: Raw & { code: "invalid_format" }): string {
  const { format, prefix, suffix, includes, pattern } = issue as Record<string, unknown>;
  if (format === "starts_with") return `must start with ${JSON.stringify(prefix)}`;
  if (format === "ends_with") return `must end with ${JSON.stringify(suffix)}`;
  if (format === "includes") return `must contain ${JSON.stringify(includes)}`;
  return format === "regex" ? `must match ${pattern}` : mustHaveFormat(String(format));
}

/** What the options want; what is wrong within one of them is reported there. */
function unionOf(issue: Raw & { code: "invalid_union" }): string {
  const allowed = issue.options as unknown[] | undefined;
  if (allowed?.length) return mustBeOneOf(allowed);
  const first = (issue.errors ?? []).flatMap((option) => option[0]?.message ?? []);
  const messages = [...new Set(first)];
  if (messages.length === 0) return NOT_VALID;
  const kinds = messages.flatMap((message) => /^must be (.*)$/s.exec(message)?.[1] ?? []);
  return kinds.length === messages.length
    ? `must be ${kinds.join(" or ")}`
    : messages.join(", or ");
}

/** The names of the fields of an object's schema. */
function fieldsOf(schema: Raw["inst"]): string[] | undefined {
  const def = schema?._zod.def as { shape?: object } | undefined;
  return def?.shape && Object.keys(def.shape);
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (here, part) => (here as Record<string | number, unknown> | null | undefined)?.[part],
    value,
  );
}
