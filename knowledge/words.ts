/**
 * From text to the words that are searched by, in any language. Chinese, Japanese, Thai and others
 * write no spaces: there the platform's segmenter finds the words. English words are stemmed; what
 * that does to other Latin words it does to a query's words alike.
 *
 * @module
 */
import { stemmer } from "stemmer";

/** Letters, digits, and what belongs to a letter; also inside `user's` and `v1.2`. */
const WORD = /[\p{L}\p{N}\p{M}]+(?:['’.](?=[\p{L}\p{N}])[\p{L}\p{N}\p{M}]+)*/gu;
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });

/** English words that say nothing about what a text is about. */
const EMPTY = new Set(
  ("a an and are as at be but by can do does for from had has have how i if in into is it its me my " +
    "no not of on or our should so such than that the their then there these they this to was we " +
    "what when where which who why will with would you your").split(" "),
);

/** The words of a text as they are indexed. */
export function words(text: string): string[] {
  const found: string[] = [];
  for (const [word] of text.normalize("NFKC").matchAll(WORD)) {
    if (UNSPACED.test(word)) found.push(...segments(word));
    else found.push(...variants(word));
  }
  return found;
}

/** The words of a query: those that say nothing are left out, unless there are no others. */
export function queryWords(query: string): string[] {
  const telling = query.split(/\s+/).filter((word) => !EMPTY.has(word.toLowerCase())).join(" ");
  const found = words(telling);
  return [...new Set(found.length > 0 ? found : words(query))];
}

function segments(text: string): string[] {
  return [...segmenter.segment(text)].filter(({ isWordLike }) => isWordLike)
    .map(({ segment }) => normal(segment));
}

/** `getUserName` is also found by `user`, and `v1.2` by `1.2`'s parts. */
function variants(word: string): string[] {
  const whole = normal(word);
  const parts = word.split(/['’.]|(?<=\p{Ll})(?=\p{Lu})/u);
  if (parts.length === 1) return [whole];
  return [...new Set([whole, ...parts.filter((part) => part.length > 1).map(normal)])];
}

function normal(word: string): string {
  const lower = word.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "")
    .normalize("NFC");
  return /^[a-z'’]+$/.test(lower) ? stemmer(lower.replace(/['’]s?$/, "")) : lower;
}
