/** What is wrong with a body, in words of our own and with JSON pointers. @module */
import type * as z from "zod";
import type { Issue } from "../errors.ts";
import { nearest } from "../json/mod.ts";
import type { Json } from "../pipeline/kernel/mod.ts";

type Raw = z.core.$ZodRawIssue;

const KINDS: Record<string, string> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** `value` as the schema makes it, or what is wrong: misspelt fields first. */
export function parse<T>(schema: z.ZodType<T>, value: Json): { data: T } | { issues: Issue[] } {
  // What a schema knows is told to the map of messages only, so that is where it is kept.
  const known = new Map<string[], string[]>();
  const error = (issue: Raw) => {
    if (issue.code === "unrecognized_keys") known.set(issue.keys, fieldsOf(issue.inst));
    return words(issue);
  };
  const result = schema.safeParse(value, { error });
  if (result.success) return { data: result.data };
  const { issues } = result.error;
  const unknown = issues.filter((issue) => issue.code === "unrecognized_keys");
  return {
    issues: [
      ...unknown.flatMap(({ path, keys }) =>
        keys.map((key) => ({
          location: pointer([...path, key]),
          message: unknownField(key, known.get(keys) ?? []),
        }))
      ),
      ...issues.filter((issue) => issue.code !== "unrecognized_keys")
        .map(({ path, message }) => ({ location: pointer(path), message })),
    ],
  };
}

/** For what the schemas leave to the library; nothing where it says enough. */
function words(issue: Raw): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "missing";
      return `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case "invalid_value": {
      const values = issue.values.map(String).join(", ");
      const one = issue.values.length > 1 ? "one of " : "";
      return issue.input === undefined
        ? `missing: send ${one}${values}`
        : `must be ${one}${values}`;
    }
    case "too_small":
      return `must ${amount(issue, issue.inclusive ? "at least" : "more than", issue.minimum)}`;
    case "too_big":
      return `must ${amount(issue, issue.inclusive ? "at most" : "less than", issue.maximum)}`;
  }
}

function amount({ origin }: { origin: string }, bound: string, n: number | bigint): string {
  if (origin === "string") return `have ${bound} ${n} ${n === 1 ? "character" : "characters"}`;
  return origin === "array" ? `hold ${bound} ${n}` : `be ${bound} ${n}`;
}

function unknownField(key: string, known: string[]): string {
  const guess = nearest(key, known);
  return guess === undefined ? "unknown field" : `unknown field; did you mean "${guess}"?`;
}

/** Names of the fields of an object's schema. */
function fieldsOf(schema: Raw["inst"]): string[] {
  const def = schema?._zod.def as { shape?: object } | undefined;
  return Object.keys(def?.shape ?? {});
}

/** RFC 6901. */
function pointer(path: PropertyKey[]): string {
  return path.map((part) => "/" + String(part).replaceAll("~", "~0").replaceAll("/", "~1")).join(
    "",
  );
}
