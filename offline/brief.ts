/**
 * What the text should be like, read from the ask and its context: length, tone, form, topic.
 *
 * @module
 */
import { INSTRUCTION_WORDS, STOP_WORDS, type Tone, TONE_WORDS } from "./lexicon.ts";
import type { Material } from "./material.ts";
import { capitalize, clip, shorten, splitSentences, stem, termsOf } from "./text.ts";

/** The form of a text. `plain` has no Markdown. */
export type Form = "article" | "bullets" | "plain";

/** What was asked for. */
export interface Brief {
  /** What the text is about, as a title. */
  title: string;
  /** Terms to look for. */
  terms: string[];
  /** Words the text should have. */
  words: number;
  /** How the request put it; absent when it named no length. */
  length?: string;
  /** Exactly so many paragraphs or list items. */
  parts?: number;
  form: Form;
  tone: Tone;
  forbidden: string[];
  /** False when the request or its documents are in another language: no English phrases then. */
  english: boolean;
}

/** Words of a text when no length is asked for. */
export const DEFAULT_WORDS = 400;
const SHORTEST = 30;
const LONGEST = 5_000;
const PARAGRAPH_WORDS = 80;
const NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight"];
const INSTRUCTION_TERMS = new Set([...INSTRUCTION_WORDS].map(stem));

/** Reads the brief of a request. */
export function readBrief(material: Material): Brief {
  const { ask, context } = material;
  const head = clip(ask, 2_000);
  const length = readLength(context.length) ?? readLength(head);
  const wish = [context.format, head].filter((value) => typeof value === "string").join("\n");
  const title = titleOf(material);
  return {
    title,
    terms: topicTerms(title.endsWith("?") || !sameTopic(title, head) ? `${title} ${head}` : title),
    words: length?.words ?? DEFAULT_WORDS,
    length: length?.phrase,
    parts: length?.parts,
    form: readForm(context.format, length?.bullets ?? false, wish),
    tone: readTone(context.tone, head),
    forbidden: forbiddenWords(context.forbidden_words),
    english: isEnglish(material),
  };
}

/** The terms of a request that name its topic. */
export function topicTerms(request: string): string[] {
  return [...new Set(termsOf(request))].filter((term) =>
    !INSTRUCTION_TERMS.has(term) && !/^\d+$/.test(term)
  ).slice(0, 60);
}

function sameTopic(title: string, ask: string): boolean {
  const terms = new Set(topicTerms(ask));
  return topicTerms(title).some((term) => terms.has(term));
}

interface Length {
  words: number;
  phrase: string;
  parts?: number;
  bullets?: boolean;
}

/** Reads `800 words`, `about 2 pages`, `half a page`, `3 paragraphs`, `5 bullet points`, `short`. */
export function readLength(wish: unknown): Length | undefined {
  if (typeof wish === "number" && wish > 0) return { words: bound(wish), phrase: `${wish} words` };
  if (typeof wish !== "string") return undefined;
  const measured =
    /(half a|\b(?:an?|one|two|three|four|five|six|seven|eight)\b|\d[\d,.]{0,6})(?:\s?(?:-|–|to)\s?(\d[\d,]{0,5}))?[\s-]?(words?|pages?|paragraphs?|sentences?|bullet points?|bullets|points|items)\b/i
      .exec(clip(wish, 2_000));
  if (measured) return measuredLength(measured);
  if (/\b(?:very short|tiny|tweet)\b/i.test(wish)) return { words: 60, phrase: "very short" };
  if (/\b(?:short|brief|concise)\b/i.test(wish)) return { words: 200, phrase: "short" };
  if (/\b(?:long|detailed|in-depth|comprehensive)\b/i.test(wish)) {
    return { words: 1_000, phrase: "long" };
  }
  return /^\s*\d+\s*$/.test(wish) ? readLength(Number(wish)) : undefined;
}

function measuredLength(match: RegExpExecArray): Length {
  const [phrase, amount = "", upTo, unit = ""] = match;
  const low = readNumber(amount);
  const n = upTo ? (low + readNumber(upTo)) / 2 : low;
  const kind = unit.toLowerCase();
  if (kind.startsWith("word")) return { words: bound(n), phrase };
  if (kind.startsWith("page")) return { words: bound(n * DEFAULT_WORDS), phrase };
  if (kind.startsWith("sentence")) return { words: bound(n * 20), phrase };
  const parts = Math.min(40, Math.max(1, Math.round(n)));
  if (kind.startsWith("paragraph")) return { words: bound(parts * PARAGRAPH_WORDS), phrase, parts };
  return { words: bound(parts * 25), phrase, parts, bullets: true };
}

function readNumber(text: string): number {
  const lower = text.toLowerCase();
  if (lower.startsWith("half")) return 0.5;
  if (/^an?$/.test(lower)) return 1;
  const word = NUMBER_WORDS.indexOf(lower);
  return word >= 0 ? word : Number(lower.replace(/,(?=\d{3})/g, "")) || 1;
}

function bound(words: number): number {
  return Math.min(LONGEST, Math.max(SHORTEST, Math.round(words)));
}

function readForm(format: unknown, bullets: boolean, wish: string): Form {
  if (bullets || /\b(?:bullet|bulleted|bullets)\b/i.test(wish)) return "bullets";
  if (typeof format !== "string") return "article";
  if (/\blists?\b/i.test(format)) return "bullets";
  return /\b(?:plain|text|txt|e-?mail)\b/i.test(format) ? "plain" : "article";
}

function readTone(tone: unknown, ask: string): Tone {
  const wishes = [typeof tone === "string" ? tone : "", /\b\w+ tone\b/i.exec(ask)?.[0] ?? ""];
  for (const wish of wishes) {
    if (/\binformal\b/i.test(wish)) return "friendly";
    for (const [name, words] of Object.entries(TONE_WORDS)) {
      if (words.test(wish)) return name as Tone;
    }
  }
  return "informative";
}

function forbiddenWords(value: unknown): string[] {
  const words = Array.isArray(value) ? value : typeof value === "string" ? value.split(",") : [];
  return [
    ...new Set(
      words.filter((word): word is string => typeof word === "string")
        .map((word) => clip(word.trim(), 100)).filter((word) => word !== ""),
    ),
  ].slice(0, 200);
}

/** Matches one of the words as a whole word in any case; nothing when there are none. */
export function forbiddenPattern(words: string[]): RegExp | undefined {
  if (words.length === 0) return undefined;
  const longestFirst = words.toSorted((a, b) => b.length - a.length);
  const any = longestFirst.map((word) => word.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&")).join("|");
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${any})(?![\\p{L}\\p{N}])`, "giu");
}

/** Text without the words, and without the gap that they leave. */
export function withoutWords(text: string, words: string[]): string {
  const pattern = forbiddenPattern(words);
  if (!pattern) return text;
  return capitalize(
    text.replace(pattern, "").replace(/\s+([.,;:!?])/g, "$1").replace(/\s{2,}/g, " ")
      .replace(/^[\s,;:–-]+|[\s,;:–-]+$/g, "").replace(/\b(?:and|of|for|in|on|the)$/i, "").trim(),
  );
}

const MAKE =
  "^(?:please\\s+|kindly\\s+|(?:could|can|would) you\\s+|i(?:'d| would) like you to\\s+|i (?:need|want)\\s+|help me\\s+(?:to\\s+)?)*(?:(?:re)?write|draft|create|compose|prepare|produce|generate|make|give|provide|send|an?\\b|some\\b)[^.!?\\n]{0,80}?";
const INSTRUCTION = new RegExp(
  `${MAKE}\\b(?:about|on|regarding|covering|explaining|describing|comparing|discussing|of)\\s+`,
  "i",
);
const INSTRUCTION_FOR = new RegExp(`${MAKE}\\bfor\\s+`, "i");
const COMMAND =
  /^(?:please\s+|could you\s+|can you\s+)*(?:summari[sz]e|explain|describe|compare|discuss|outline|review|analy[sz]e|introduce|present)\s+(?:to me\s+|me\s+|us\s+)?/i;
const LENGTH_TAIL =
  /[,;]?\s*(?:in|with|of|using|at)?\s*(?:about|around|roughly|at most|up to|no more than|exactly)?\s*\(?(?:\d[\d,.–-]*|an?|one|two|three|four|five|half a)[\s-]?(?:words?|pages?|paragraphs?|sentences?|bullet points?)\b(?:\s+(?:long|in total|or so|max(?:imum)?|at most|each))?[\s.!?]*$/i;

/** What the text is about: taken from the ask, or from the conversation when the ask points back. */
function titleOf({ ask, history, documents, research }: Material): string {
  const first = splitSentences(clip(ask, 1_000))[0]?.text.replace(/\s+/g, " ") ?? "";
  const topic = first.replace(LENGTH_TAIL, "")
    .replace(INSTRUCTION.test(first) ? INSTRUCTION : INSTRUCTION_FOR, "").replace(COMMAND, "")
    .replace(/[\s.!,:;]+$/, "");
  if (topicTerms(topic).length > 0) return capitalize(shorten(topic, 14));
  const before = history.findLast((turn) => turn.role === "assistant")?.content ?? "";
  const heading = /^#{1,6}\s+(.{1,200})$/m.exec(before)?.[1];
  const given = documents[0]?.title ?? research?.sources[0]?.title;
  return heading ?? given ?? (topic === "" ? "Untitled" : capitalize(topic));
}

/** English when enough of its little words occur; short requests only need to be ASCII. */
function isEnglish({ ask, documents, history, research }: Material): boolean {
  const sample = [
    clip(ask, 2_000),
    clip(documents[0]?.text ?? research?.findings[0]?.claim ?? "", 2_000),
    clip(history.at(-1)?.content ?? "", 500),
  ].join(" ");
  const tokens = sample.toLowerCase().match(/[\p{L}\p{M}]+/gu) ?? [];
  // deno-lint-ignore no-control-regex
  if (tokens.length < 12) return /^[\x00-\x7F“”‘’–—…]*$/.test(sample);
  return tokens.filter((token) => STOP_WORDS.has(token)).length / tokens.length > 0.18;
}
