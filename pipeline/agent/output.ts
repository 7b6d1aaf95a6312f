import type { Json } from "../kernel/mod.ts";
import type { JsonSchema } from "../../llm/mod.ts";
import { schemaIssues } from "../../json/mod.ts";

/** A model's answer as data, or what is wrong with it. */
export type Output = { value: Json } | { problems: string[] };

/** Unfinished openings that are tried before a text counts as holding no JSON. */
const MAX_OPENINGS = 20;

/** Reads an answer that should be JSON of a schema; code fences and prose around it are tolerated. */
export function readOutput(text: string, schema: JsonSchema): Output {
  const found = findJson(text, schema.type === "array" ? "[" : "{");
  if (!found) return { problems: ["the answer is not JSON"] };
  const issues = schemaIssues(schema, found.value);
  if (issues.length === 0) return found;
  return { problems: issues.map(({ location, message }) => `${location}: ${message}`) };
}

function findJson(text: string, open: "{" | "["): { value: Json } | undefined {
  const whole = tryParse(text);
  if (whole) return whole;
  let at = text.indexOf(open);
  for (let tries = 0; at !== -1 && tries < MAX_OPENINGS; tries++) {
    const end = endOfJson(text, at);
    const found = end === undefined ? undefined : tryParse(text.slice(at, end));
    if (found) return found;
    at = text.indexOf(open, at + 1);
  }
}

function tryParse(text: string): { value: Json } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** The position after the bracket that closes the one at `start`. */
function endOfJson(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start, quoted = false; at < text.length; at++) {
    const character = text[at];
    if (quoted) {
      if (character === "\\") at++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "{" || character === "[") depth++;
    else if ((character === "}" || character === "]") && --depth === 0) return at + 1;
  }
}
