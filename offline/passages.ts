/**
 * Passages: the smallest pieces of a document that can be quoted alone. A passage is a sentence
 * together with the following ones that lean on it ("It …", "However …").
 *
 * @module
 */
import { LEANING_EARLY, LEANING_START } from "./lexicon.ts";
import type { Finding, Source } from "./material.ts";
import { bm25, cosine, count, indexTerms, normalize, type TermIndex } from "./score.ts";
import { type Block, plainText, readBlocks, splitSentences, termsOf, wordsOf } from "./text.ts";

/** A quotable piece of a document. */
export interface Passage {
  text: string;
  source: string;
  /** Heading that it stands under; empty at the top of a document. */
  heading: string;
  /** Place in its document, from 0 (top) to 1. */
  position: number;
  words: number;
  terms: string[];
  /** It leans on a sentence that is not part of it. */
  leaning: boolean;
}

/** Passages with the figures that relevance is made of. */
export interface ScoredPassages {
  passages: Passage[];
  /** 0 to 1; the best passage has 1 when anything matches. */
  scores: number[];
  index: TermIndex;
  /** Terms of the query that occur nowhere. */
  missing: string[];
}

/** Most passages that are compared with each other: similarity is quadratic. */
const MAX_PASSAGES = 1_500;
const LONGEST_PASSAGE = { sentences: 3, words: 75 };

/** Cuts documents into passages, in reading order. */
export function readPassages(documents: Source[]): Passage[] {
  const each = Math.max(20, Math.floor(MAX_PASSAGES / Math.max(1, documents.length)));
  return documents.flatMap((document) => passagesOf(document, each)).slice(0, MAX_PASSAGES);
}

function passagesOf(document: Source, most: number): Passage[] {
  const passages: Passage[] = [];
  const title = (document.title ?? "").toLowerCase();
  let heading = "";
  for (const block of readBlocks(document.text)) {
    if (passages.length >= most) break;
    if (block.kind === "heading") {
      const text = plainText(block.text).replace(/\s*#+$/, "");
      heading = text.toLowerCase() === title ? "" : text;
      continue;
    }
    for (const sentences of groups(block)) {
      const text = sentences.join(" ");
      const passage = {
        text,
        source: document.id,
        heading,
        position: block.from / Math.max(1, document.text.length),
        words: wordsOf(text).length,
        terms: termsOf(text),
        leaning: leans(text),
      };
      if (isQuotable(passage)) passages.push(passage);
    }
  }
  return passages.slice(0, most);
}

/** True when a text cannot be understood without the sentence before it. */
export function leans(text: string): boolean {
  return LEANING_START.test(text) || LEANING_EARLY.test(text) || /\b(?:as well|too)\.$/.test(text);
}

/** The sentences of a block, those that lean on each other together. */
function groups(block: Block): string[][] {
  const grouped: string[][] = [];
  let words = 0;
  for (const span of splitSentences(block.text)) {
    const sentence = plainText(span.text);
    const length = wordsOf(sentence).length;
    const last = grouped.at(-1);
    const fits = last && last.length < LONGEST_PASSAGE.sentences &&
      words + length <= LONGEST_PASSAGE.words;
    if (fits && leans(sentence)) {
      last.push(sentence);
      words += length;
    } else {
      grouped.push([sentence]);
      words = length;
    }
  }
  return grouped;
}

/** Left out: fragments, questions, lead-ins ("as follows:") and lines without letters. */
function isQuotable(passage: Passage): boolean {
  const { text, words, terms } = passage;
  return words >= 4 && terms.length >= 2 && !/[?:？؟]$/.test(text) && /\p{L}{2}/u.test(text);
}

/**
 * Scores passages for a query: BM25 of the text and, at half weight, of its heading, then how
 * central it is to its collection, its place, and whether it holds figures.
 */
export function scorePassages(
  passages: Passage[],
  query: string[],
  titles: Map<string, string>,
): ScoredPassages {
  const index = indexTerms(passages.map((passage) => passage.terms));
  const headings = indexTerms(
    passages.map(({ heading, source }) => termsOf(`${heading} ${titles.get(source) ?? ""}`)),
  );
  const matches = normalize(bm25(index, query));
  const context = normalize(bm25(headings, query));
  const central = normalize(centrality(index));
  const scores = passages.map((passage, i) => {
    const relevance = (matches[i] ?? 0) + 0.5 * (context[i] ?? 0);
    const score = 0.5 * relevance + 0.3 * (central[i] ?? 0) + 0.15 * (1 - passage.position) +
      (/\d/.test(passage.text) ? 0.05 : 0);
    return passage.leaning ? score * 0.5 : score;
  });
  const known = (term: string) => index.frequency.has(term) || headings.frequency.has(term);
  return {
    passages,
    scores: normalize(scores),
    index,
    missing: query.filter((term) => !known(term)),
  };
}

/** Closeness of each text to what the whole collection is about. */
function centrality(index: TermIndex): number[] {
  const centroid = new Map<string, number>();
  for (const text of index.texts) {
    for (const [term, n] of text) centroid.set(term, (centroid.get(term) ?? 0) + n);
  }
  return index.texts.map((text) => cosine(text, centroid));
}

/** How alike two passages are, 0 to 1. */
export function alike(scored: ScoredPassages, a: number, b: number): number {
  const [left, right] = [scored.index.texts[a], scored.index.texts[b]];
  return left && right ? cosine(left, right, scored.index) : 0;
}

/**
 * A label for a group of texts: the pair of neighbouring words, or else the word, that is frequent
 * in the group and rare outside; empty when nothing stands out.
 */
export function keyPhrase(texts: string[], others: string[]): string {
  const outside = count(others.flatMap(phrases));
  const inside = count(texts.flatMap(phrases));
  let best = "";
  let bestScore = 0;
  for (const [phrase, n] of inside) {
    if (n < 2) continue;
    const score = n / (1 + (outside.get(phrase) ?? 0)) * (phrase.includes(" ") ? 2 : 1);
    if (score > bestScore) [best, bestScore] = [phrase, score];
  }
  return best;
}

/** Content words and their neighbouring pairs, in lower case. */
function phrases(text: string): string[] {
  const found: string[] = [];
  for (const clause of text.toLowerCase().split(/[^\p{L}\p{M}\p{N}\s-]+/u)) {
    let before = "";
    for (const word of wordsOf(clause)) {
      const carries = word.length > 3 && word.length < 30 && termsOf(word).length > 0 &&
        !/\d/.test(word);
      if (carries) found.push(word);
      if (carries && before) found.push(`${before} ${word}`);
      before = carries ? word : "";
    }
  }
  return found;
}

/** Findings as passages, so that the same scores serve every agent. Their order is their place. */
export function findingPassages(findings: Finding[]): Passage[] {
  const total = count(findings.map(({ sources }) => sources[0] ?? ""));
  const seen = new Map<string, number>();
  return findings.map(({ claim, topic, sources }) => {
    const source = sources[0] ?? "";
    const place = seen.get(source) ?? 0;
    seen.set(source, place + 1);
    return {
      text: claim,
      source,
      heading: topic,
      position: place / Math.max(1, total.get(source) ?? 1),
      words: wordsOf(claim).length,
      terms: termsOf(claim),
      leaning: leans(claim),
    };
  });
}
