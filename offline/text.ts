/**
 * Reading text: Markdown blocks with their offsets, sentences, words and terms. Works for any
 * language that `Intl.Segmenter` knows; suffixes are stripped for English only.
 *
 * Everything here is linear in the text's length; callers cut their text with {@linkcode clip} first.
 *
 * @module
 */
import { STOP_WORDS } from "./lexicon.ts";

/** Most characters of one text that the offline model looks at. */
export const MAX_CHARS = 200_000;

/** A piece of a text: `text.slice(from, to)`. */
export interface Span {
  text: string;
  from: number;
  to: number;
}

/** A block of Markdown that holds prose. Code, tables and front matter are left out. */
export interface Block extends Span {
  kind: "heading" | "paragraph" | "item";
}

const SENTENCES = new Intl.Segmenter("en", { granularity: "sentence" });
const WORDS = new Intl.Segmenter("en", { granularity: "word" });
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const ABBREVIATION =
  /(?:^|[\s(])(?:e\.g|i\.e|cf|vs|etc|approx|ca|no|nos|fig|dr|mr|mrs|ms|prof|st|inc|ltd|co|al|\p{Lu}|(?:\p{L}\.)+\p{L})\.\s*$/iu;
const LONGEST_SENTENCE_WORDS = 80;
const LONGEST_SENTENCE_CHARS = 2_000;
/** Most sentences of one block: more are no prose. */
const MAX_SENTENCES = 2_000;

/** The first `max` characters, never ending in half a surrogate pair. */
export function clip(text: string, max = MAX_CHARS): string {
  if (text.length <= max) return text;
  const end = /[\uD800-\uDBFF]/.test(text[max - 1] ?? "") ? max - 1 : max;
  return text.slice(0, end);
}

/** The prose blocks of a Markdown text, in order. */
export function readBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | undefined;
  let fence: string | undefined;
  for (const line of lines(markdown, frontMatterEnd(markdown))) {
    const mark = /^\s{0,3}(```|~~~)/.exec(line.text)?.[1];
    if (mark) fence = fence === undefined ? mark : fence === mark ? undefined : fence;
    const block = mark || fence ? undefined : proseLine(line);
    if (block?.kind === "paragraph" && open && open.kind !== "heading") {
      open.to = block.to;
      open.text = markdown.slice(open.from, open.to);
      continue;
    }
    open = block;
    if (block) blocks.push(block);
  }
  return blocks;
}

function frontMatterEnd(markdown: string): number {
  if (!markdown.startsWith("---\n")) return 0;
  const end = markdown.indexOf("\n---\n", 3);
  return end < 0 ? 0 : end + 5;
}

function* lines(text: string, start: number): Generator<Span> {
  for (let from = start; from < text.length;) {
    const newline = text.indexOf("\n", from);
    const to = newline < 0 ? text.length : newline;
    yield { text: text.slice(from, to), from, to };
    from = to + 1;
  }
}

/** One line as the beginning of a block; nothing for blank lines, rules and table rows. */
function proseLine(line: Span): Block | undefined {
  if (/^\s*(?:\||[-=*_]{3,}\s*$)/.test(line.text)) return undefined;
  const lead = /^\s{0,12}(?:(#{1,6})\s+|([-*+]|\d{1,3}[.)])\s+|(?:>\s?)+)?\s*/.exec(line.text);
  const from = line.from + (lead?.[0].length ?? 0);
  const text = line.text.slice(from - line.from).trimEnd();
  if (text === "") return undefined;
  const kind = lead?.[1] ? "heading" : lead?.[2] ? "item" : "paragraph";
  return { kind, text, from, to: from + text.length };
}

/** The sentences of one block's text, with offsets in `text`. Overlong ones are cut into pieces. */
export function splitSentences(text: string): Span[] {
  const spans: Span[] = [];
  let open: Span | undefined;
  for (const { segment, index } of SENTENCES.segment(text)) {
    if (open) {
      open.text += segment;
      open.to = index + segment.length;
    } else {
      open = { text: segment, from: index, to: index + segment.length };
    }
    const tail = open.text.slice(-16);
    const goesOn = ABBREVIATION.test(tail) || !closes(tail);
    if (goesOn && open.text.length < LONGEST_SENTENCE_CHARS) continue;
    spans.push(...pieces(open));
    open = undefined;
    if (spans.length >= MAX_SENTENCES) break;
  }
  if (open) spans.push(...pieces(open));
  return spans;
}

/** Line breaks inside a paragraph are no ends of sentences. */
function closes(segment: string): boolean {
  return !/\n\s*$/.test(segment) || /[.!?…。！？؟।]["'”’)\]*_]*\s*$/u.test(segment);
}

function pieces(span: Span): Span[] {
  const lead = span.text.length - span.text.trimStart().length;
  const from = span.from + lead;
  const text = span.text.trim();
  if (text === "") return [];
  if (text.length < LONGEST_SENTENCE_WORDS * 5) return [{ text, from, to: from + text.length }];
  const cut: Span[] = [];
  for (const match of text.matchAll(/(?:\S{1,200}\s*){1,60}/g)) {
    const piece = match[0].trimEnd();
    cut.push({ text: piece, from: from + match.index, to: from + match.index + piece.length });
  }
  return cut;
}

/** Text without inline Markdown, footnote marks and tags; white space is folded. */
export function plainText(markdown: string): string {
  return markdown
    .replace(/!\[[^\]\n]{0,300}\]\([^)\n]{0,500}\)/g, "")
    .replace(/\[([^\]\n]{1,300})\]\([^)\n]{0,500}\)/g, "$1")
    .replace(/\s?\[\^?\d{1,3}\]/g, "")
    .replace(/<\/?[a-z][^<>\n]{0,200}>/gi, "")
    .replace(/(\*\*|__|`)/g, "")
    .replace(/(^|[\s(])[*_](?=\S)|(?<=\S)[*_](?=[\s.,;:!?)]|$)/g, "$1")
    .replace(/\s+/g, " ").trim();
}

/** The words of a text as a reader counts them: `low-carbon` is one. */
export function wordsOf(text: string): string[] {
  return text.split(/\s+/).flatMap((token) => {
    if (!/[\p{L}\p{N}]/u.test(token)) return [];
    if (!UNSPACED.test(token)) return [token];
    return Array.from(WORDS.segment(token)).filter((part) => part.isWordLike).map((part) =>
      part.segment
    );
  });
}

/** How many words a Markdown text shows; citations such as `[doc-1]` do not count. */
export function countWords(markdown: string): number {
  return wordsOf(markdown.replace(/\[[^\[\]\n]{1,120}\](?!\()/g, " ")).length;
}

/** The terms of a text for matching: lower case, without stop words, roughly stemmed. */
export function termsOf(text: string): string[] {
  const found: string[] = [];
  for (const [token] of text.toLowerCase().matchAll(/[\p{L}\p{M}\p{N}]{1,64}/gu)) {
    const parts = UNSPACED.test(token) ? wordsOf(token) : [token];
    for (const part of parts) if (!STOP_WORDS.has(part)) found.push(stem(part));
  }
  return found;
}

/** Strips the commonest English endings, so that `buildings` meets `building` and `build`. */
export function stem(word: string): string {
  if (word.length < 5 || !/^[a-z]+$/.test(word)) return word;
  const base = word.replace(/ies$/, "y").replace(/(?:([^s])s|(sse)s)$/, "$1$2");
  return base.length < 6 ? base : base.replace(/(?:ing|ed|ly|ment)$/, "").replace(/e$/, "");
}

/** Upper-cases the first letter. */
export function capitalize(text: string): string {
  const first = String.fromCodePoint(text.codePointAt(0) ?? 32);
  return text === "" ? "" : first.toUpperCase() + text.slice(first.length);
}

/** At most `max` words of a text, with an ellipsis where it was cut. */
export function shorten(text: string, max: number): string {
  const tokens = text.split(/\s+/, max + 1);
  if (tokens.length <= max) return clip(text, max * 40);
  return clip(tokens.slice(0, max).join(" "), max * 40).replace(/[\s,;:–—-]+$/, "") + " …";
}

/** `a`, `a and b`, `a, b and c`. */
export function enumerate(parts: string[]): string {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts[parts.length - 1]}`;
}

/** `1 source`, `2 sources`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
