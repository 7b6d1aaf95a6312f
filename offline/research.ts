/**
 * The researcher: an extractive summary. Every finding is a passage of a document and cites it;
 * without documents it says so and states nothing.
 *
 * @module
 */
import type { Brief } from "./brief.ts";
import {
  documentsOrConversation,
  type Finding,
  type Material,
  type Research,
  type Source,
} from "./material.ts";
import {
  alike,
  keyPhrase,
  type Passage,
  readPassages,
  type ScoredPassages,
  scorePassages,
} from "./passages.ts";
import { chooseDiverse } from "./score.ts";
import { capitalize, clip, enumerate, plainText, plural, readBlocks, shorten } from "./text.ts";

/** Two passages that are this alike say the same. */
const SAME = 0.8;
/** The writer needs more to choose from than it will use. */
const SPARE = 1.5;
const SUMMARY_PASSAGES = 3;
const EXCERPT_WORDS = 40;

/** Finds what the documents say about the ask. */
export function research(material: Material, brief: Brief): Research {
  const documents = documentsOrConversation(material);
  const titles = new Map(documents.map((document) => [document.id, document.title ?? ""]));
  const passages = readPassages(documents);
  if (passages.length === 0) return nothingFound(brief, documents);
  const scored = scorePassages(passages, brief.terms, titles);
  const { chosen, twins } = choose(scored, brief);
  return {
    summary: summarize(scored, chosen),
    findings: inReadingOrder(chosen).map((i) => finding(scored, i, twins.get(i) ?? [], titles)),
    sources: documents.map((document) => ({
      id: document.id,
      title: document.title ?? null,
      url: document.url ?? null,
      excerpt: excerpt(document),
    })),
    gaps: gaps(scored, chosen, brief, titles),
  };
}

interface Choice {
  /** Best first. */
  chosen: number[];
  /** Documents that say the same as a chosen passage. */
  twins: Map<number, string[]>;
}

function choose(scored: ScoredPassages, brief: Brief): Choice {
  const { passages, scores } = scored;
  const offTopic = sourcesOffTopic(scored, brief.terms);
  const usable = passages.map((passage, i) => offTopic.has(passage.source) ? 0 : scores[i] ?? 0);
  let words = 0;
  const ranked = chooseDiverse(usable, (a, b) => alike(scored, a, b), (i) => {
    words += passages[i]?.words ?? 0;
    return words >= brief.words * SPARE + 150;
  });
  const chosen: number[] = [];
  const twins = new Map<number, string[]>();
  for (const i of ranked) {
    if (offTopic.has(passages[i]?.source ?? "")) continue;
    const twin = chosen.find((j) => alike(scored, i, j) > SAME);
    if (twin === undefined) chosen.push(i);
    else twins.set(twin, [...twins.get(twin) ?? [], passages[i]?.source ?? ""]);
  }
  return { chosen, twins };
}

/** Documents in which no term of the ask occurs, when it occurs in others. */
function sourcesOffTopic(scored: ScoredPassages, terms: string[]): Set<string> {
  const sources = new Set(scored.passages.map((passage) => passage.source));
  const onTopic = new Set(
    scored.passages.filter((passage) => terms.some((term) => passage.terms.includes(term)))
      .map((passage) => passage.source),
  );
  return onTopic.size === 0 ? onTopic : sources.difference(onTopic);
}

function inReadingOrder(indexes: number[]): number[] {
  return indexes.toSorted((a, b) => a - b);
}

function finding(
  { passages }: ScoredPassages,
  i: number,
  twins: string[],
  titles: Map<string, string>,
): Finding {
  const passage = passages[i]!;
  return {
    claim: passage.text,
    topic: passage.heading || topicOf(passage, passages, titles),
    sources: [...new Set([passage.source, ...twins])],
  };
}

/** Top of a document: its title. A document without headings and title: what its words stress. */
function topicOf(passage: Passage, all: Passage[], titles: Map<string, string>): string {
  const title = titles.get(passage.source);
  if (title) return shorten(title, 12);
  const own = all.filter(({ source }) => source === passage.source).map(({ text }) => text);
  return capitalize(keyPhrase(own.slice(0, 60), [])) || passage.source;
}

function summarize({ passages }: ScoredPassages, chosen: number[]): string {
  return inReadingOrder(chosen.slice(0, SUMMARY_PASSAGES)).map((i) => {
    const { text, source } = passages[i]!;
    return cite(text, [source]);
  }).join(" ");
}

/** Puts citations before the text's closing punctuation. */
export function cite(text: string, sources: string[]): string {
  const marks = sources.map((id) => `[${id}]`).join(" ");
  if (marks === "") return text;
  const end = /[.!?…。！？؟।]+["”’)]*$/u.exec(text);
  return end ? `${text.slice(0, end.index)} ${marks}${end[0]}` : `${text} ${marks}`;
}

function excerpt(document: Source): string | null {
  const block = readBlocks(clip(document.text, 5_000)).find(({ kind }) => kind === "paragraph");
  return block ? shorten(plainText(block.text), EXCERPT_WORDS) : null;
}

function gaps(
  { passages, missing }: ScoredPassages,
  chosen: number[],
  brief: Brief,
  titles: Map<string, string>,
): string[] {
  const found: string[] = [];
  if (missing.length > 0) {
    const words = missing.slice(0, 8).map((term) => `“${wordFor(term, brief)}”`);
    found.push(`No document mentions ${enumerate(words)}.`);
  }
  const used = new Set(chosen.map((i) => passages[i]?.source));
  const unused = [...titles.keys()].filter((id) => !used.has(id)).slice(0, 20);
  if (unused.length > 0) found.push(`Nothing on the topic was found in ${enumerate(unused)}.`);
  const words = chosen.reduce((sum, i) => sum + (passages[i]?.words ?? 0), 0);
  if (words < brief.words * 0.85) {
    found.push(`The material holds about ${words} words for a text of ${brief.words} words.`);
  }
  return found;
}

/** The word of the title that a stem was made from. */
function wordFor(term: string, { title }: Brief): string {
  const words = title.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return words.find((word) => word.startsWith(term)) ?? term;
}

function nothingFound(brief: Brief, documents: Source[]): Research {
  const topic = `“${brief.title}”`;
  const why = documents.length === 0
    ? "No documents were given, and the offline model knows nothing by itself: no claim is made."
    : `The ${plural(documents.length, "document")} given hold no readable sentences.`;
  return {
    summary: `There is no material on ${topic} yet.`,
    findings: [],
    sources: [],
    gaps: [
      why,
      ...questions(brief).map((question) => `Open question: ${question}`),
    ],
  };
}

/** What a text on the topic would have to answer. */
export function questions({ title, english }: Brief): string[] {
  if (!english) return [`${title}?`];
  if (title.endsWith("?")) return [title];
  return [
    `What exactly belongs to “${title}”, and what does not?`,
    "Which figures show its size and its direction, and who published them?",
    "Which example shows it best?",
    "What speaks against it, and whom does it concern?",
    "What should the reader do or know afterwards?",
  ];
}
