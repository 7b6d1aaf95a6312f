/**
 * Answers of agents without a skill of their own: extractive, from the documents and the
 * conversation; otherwise an honest word about what the offline model is.
 *
 * @module
 */
import { type Brief, topicTerms } from "./brief.ts";
import type { Material } from "./material.ts";
import { readPassages, scorePassages } from "./passages.ts";
import { cite } from "./research.ts";
import { bm25, indexTerms } from "./score.ts";
import type { Evidence } from "./schema_walk.ts";
import { clip, plainText, readBlocks, shorten, splitSentences, termsOf } from "./text.ts";

const ANSWER_PASSAGES = 3;
const QUOTED_WORDS = 60;
const MAX_TEXT = 20_000;
const ABOUT_HISTORY =
  /\b(?:did|have|had|do)\s+(?:i|we|you)\b.{0,40}\b(?:say|said|ask|asked|tell|told|mention|mentioned|talk|talked|discuss|discussed|write|wrote)\b|\b(?:my|your|our|the)\s+(?:last|previous|earlier|first)\s+(?:message|question|answer|reply|request)\b|\bwhat (?:was|were) (?:i|we|you)\b/i;

/** Answers the ask. */
export function answer(material: Material, brief: Brief): string {
  const about = ABOUT_HISTORY.test(clip(material.ask, 2_000));
  return (about ? fromConversation(material) : undefined) ?? fromDocuments(material) ??
    fromEarlierTurns(material) ?? nothingToGoOn(brief);
}

/** “What did I say before?” */
function fromConversation({ ask, history }: Material): string | undefined {
  const role = /\byou(?:r)?\b(?!.{0,20}\bremember)/i.test(ask) && !/\b(?:i|my|we|our)\b/i.test(ask)
    ? "assistant"
    : "user";
  const turns = history.filter((turn) => turn.role === role);
  const turn = /\bfirst\b/i.test(ask) ? turns[0] : turns.at(-1);
  if (!turn) return undefined;
  const who = role === "user" ? "You said" : "I answered";
  return `${who}: “${shorten(plainText(clip(turn.content, MAX_TEXT)), QUOTED_WORDS)}”`;
}

function fromDocuments({ ask, documents }: Material): string | undefined {
  const passages = readPassages(documents);
  if (passages.length === 0) return undefined;
  const terms = topicTerms(clip(ask, 2_000));
  const titles = new Map(documents.map(({ id, title }) => [id, title ?? ""]));
  const { scores, missing } = scorePassages(passages, terms, titles);
  const best = [...passages.keys()].toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0))
    .slice(0, ANSWER_PASSAGES).sort((a, b) => a - b);
  const found = best.map((i) => cite(passages[i]!.text, [passages[i]!.source])).join(" ");
  const offTopic = terms.length > 0 && missing.length === terms.length;
  return offTopic ? `The documents do not speak of this. What comes nearest: ${found}` : found;
}

/** A sentence of the conversation that shares words with the ask. */
function fromEarlierTurns({ ask, history }: Material): string | undefined {
  const said = history.flatMap(({ role, content }) =>
    splitSentences(clip(content, 2_000)).map(({ text }) => ({ role, text: plainText(text) }))
  ).filter(({ text }) => !text.endsWith("?"));
  const scores = bm25(indexTerms(said.map(({ text }) => termsOf(text))), termsOf(clip(ask, 2_000)));
  const best = scores.indexOf(Math.max(0, ...scores));
  const turn = (scores[best] ?? 0) > 0 ? said[best] : undefined;
  if (!turn) return undefined;
  return `${turn.role === "user" ? "You said" : "I answered"} earlier: “${turn.text}”`;
}

function nothingToGoOn(brief: Brief): string {
  const topic = brief.title === "Untitled" ? "this" : `“${brief.title}”`;
  return `There is nothing to answer ${topic} from: this is the offline model, which knows nothing ` +
    "by itself and only works on what it is given. Send documents along, or set an API key to have " +
    "a language model answer.";
}

/** What a schema is filled from: everything that was given, the sentences nearest to the ask first. */
export function evidenceOf(material: Material, brief: Brief): Evidence {
  const { ask, documents, history, research, draft } = material;
  const texts = [
    ...documents.map((document) => document.text),
    ...(research?.findings.map(({ claim }) => claim) ?? []),
    ...(draft ? [draft] : []),
  ];
  const spoken = [ask, ...history.map(({ content }) => content)];
  const terms = topicTerms(clip(ask, 2_000));
  const found = sentencesOf(texts);
  const scores = bm25(indexTerms(found.map(termsOf)), terms);
  const ranked = [...found.keys()].toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  return {
    ask: clip(ask, 4_000),
    title: brief.title,
    sentences: [...ranked.map((i) => found[i]!), ...sentencesOf(spoken)].slice(0, 500),
    text: clip([...texts, ...spoken].join("\n"), 2 * MAX_TEXT),
  };
}

function sentencesOf(texts: string[]): string[] {
  const all = texts.slice(0, 500).flatMap((text) =>
    readBlocks(clip(text, MAX_TEXT)).flatMap((block) =>
      splitSentences(block.text).map((span) => plainText(span.text))
    )
  );
  return [...new Set(all)].filter((sentence) => /[\p{L}\p{N}]/u.test(sentence)).slice(0, 1_000);
}
