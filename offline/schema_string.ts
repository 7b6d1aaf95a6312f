/**
 * Strings for a schema: a match of its format or pattern in the text, or its most telling sentences.
 *
 * @module
 */
import type { JsonSchema } from "../llm/mod.ts";
import type { Walk } from "./schema_walk.ts";
import { bm25, indexTerms } from "./score.ts";
import { clip, termsOf } from "./text.ts";

/** How each format looks in a text, and what stands in when the text has none. */
const FORMATS: Record<string, { pattern: RegExp; fallback: string }> = {
  date: { pattern: /\b\d{4}-\d\d-\d\d\b/g, fallback: "1970-01-01" },
  "date-time": {
    pattern: /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g,
    fallback: "1970-01-01T00:00:00Z",
  },
  time: { pattern: /\b\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)/g, fallback: "00:00:00Z" },
  email: {
    pattern: /\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+/g,
    fallback: "unknown@example.com",
  },
  uri: { pattern: /\bhttps?:\/\/[^\s<>"'`)\]]{1,500}/g, fallback: "about:blank" },
  url: { pattern: /\bhttps?:\/\/[^\s<>"'`)\]]{1,500}/g, fallback: "https://example.com/" },
  hostname: { pattern: /\b(?:[a-z0-9-]{1,63}\.)+[a-z]{2,20}\b/gi, fallback: "example.com" },
  ipv4: { pattern: /\b\d{1,3}(?:\.\d{1,3}){3}\b/g, fallback: "0.0.0.0" },
  uuid: {
    pattern: /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi,
    fallback: "00000000-0000-0000-0000-000000000000",
  },
};
const TITLE_NAMES = /^(?:title|name|subject|topic|heading|headline|label|goal)$/i;
const LONG_NAMES =
  /(?:summary|answer|content|text|description|message|body|reply|response|overview)/i;
const LONG_SENTENCES = 3;

/** A string for the schema; `fits` decides between candidates. */
export function stringValue(
  schema: JsonSchema,
  walk: Walk,
  fits: (value: string) => boolean,
): string {
  const candidates = [...formatted(schema, walk), ...patterned(schema, walk)];
  const exact = candidates.slice(0, 50).find(fits);
  if (exact !== undefined) return exact;
  const told = typeof schema.default === "string" ? schema.default : undefined;
  return fitLength(told ?? telling(walk), schema, walk);
}

function formatted({ format }: JsonSchema, { evidence }: Walk): string[] {
  const known = typeof format === "string" && Object.hasOwn(FORMATS, format)
    ? FORMATS[format]
    : undefined;
  if (!known) return [];
  const found = `${evidence.ask}\n${evidence.text}`.match(known.pattern) ?? [];
  return [...found.slice(0, 40).map((match) => match.replace(/[.,;:]+$/, "")), known.fallback];
}

/** Words and sentences that may match a pattern. The pattern itself is tried by the validator. */
function patterned(schema: JsonSchema, { evidence, name }: Walk): string[] {
  if (typeof schema.pattern !== "string") return [];
  const examples = [schema.default, schema.examples].flat().filter((value) =>
    typeof value === "string"
  );
  const words = clip(`${evidence.ask} ${evidence.title}`, 500).match(/[\p{L}\p{N}_-]+/gu) ?? [];
  const slug = termsOf(evidence.title).join("-");
  return [...examples, slug, name, ...words, ...words.map((word) => word.toLowerCase())];
}

/** The title for names, else the sentence or sentences that speak most of the property. */
function telling({ name, evidence }: Walk): string {
  if (TITLE_NAMES.test(name)) return evidence.title;
  const sentences = evidence.sentences.slice(0, 400);
  const index = indexTerms(sentences.map(termsOf));
  const scores = bm25(index, termsOf(name.replace(/[_-]/g, " ")));
  const best = [...sentences.keys()].toSorted((a, b) =>
    (scores[b] ?? 0) - (scores[a] ?? 0) || a - b
  );
  const wanted = LONG_NAMES.test(name) ? LONG_SENTENCES : 1;
  const chosen = best.slice(0, wanted).sort((a, b) => a - b).map((i) => sentences[i]);
  return chosen.join(" ") || clip(evidence.ask.trim(), 500) || evidence.title;
}

/** Cuts at a word or adds sentences until the length, counted in code points, is allowed. */
function fitLength(text: string, schema: JsonSchema, { evidence }: Walk): string {
  const least = typeof schema.minLength === "number" ? schema.minLength : 0;
  const most = typeof schema.maxLength === "number" ? schema.maxLength : Infinity;
  let points = Array.from(text);
  for (const sentence of evidence.sentences) {
    if (points.length >= least) break;
    if (!text.includes(sentence)) points.push(" ", ...sentence);
  }
  while (points.length < least && points.length < 100_000) points.push("…");
  if (points.length <= most) return points.join("");
  points = points.slice(0, most);
  const space = points.lastIndexOf(" ");
  const end = space > most / 2 && space >= least ? space : most;
  return points.slice(0, end).join("");
}
