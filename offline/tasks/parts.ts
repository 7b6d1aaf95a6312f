/**
 * The parts of a goal: what is to be done one by one, and which part needs what came before it.
 * English only; a goal in another language is one part.
 *
 * @module
 */
import { clip, splitSentences } from "../text.ts";

/** What kind of work a part is, as far as its verb tells. */
export type Work = "fetch" | "calculate" | "research" | "write" | "review" | "other";

/** One thing to do. */
export interface Part {
  text: string;
  work: Work;
  /** True when it builds on the part before: “then …”, “… of it”. */
  follows: boolean;
  /** Addresses in it, in order. */
  urls: string[];
  /** A calculation in it, in the notation of programs. */
  formula?: string;
}

const VERBS: [Work, string][] = [
  ["fetch", "fetch|download|open|load|visit|crawl|profile"],
  ["calculate", "calculate|compute|work out|add up|multiply|divide"],
  ["review", "review|check|proofread|critique|verify|assess|evaluate|edit"],
  ["write", "write|draft|compose|create|prepare|produce|make|build|turn|rewrite|report"],
  [
    "research",
    "research|find|investigate|collect|gather|look|search|explore|study|analy[sz]e|compare|identify|list|learn|read|summari[sz]e|extract|explain|describe|what|how|why|who|which|where|when",
  ],
];
const VERB = VERBS.map(([, words]) => words).join("|");
const ADDRESS = /\b(?:https?|artifact):\/\/[^\s<>"'`)\]]+/g;
const NUMBER = String.raw`[-(]*\d[\d.,]*\)*`;
const FORMULA = new RegExp(`${NUMBER}(?:\\s*[-+*/×÷^%]\\s*${NUMBER})+`);
/** Between two parts of one sentence. */
const BREAK = new RegExp(
  String
    .raw`\s*;\s*|\s*[,.]?\s+(?:and\s+)?(?:then|after that|afterwards|finally)\b,?\s+|,?\s+and\s+(?=(?:${VERB})\b)|,\s+(?=(?:${VERB})\b)`,
  "i",
);
const LATER = /^(?:then|after that|afterwards|finally|next)\b,?\s*/i;
const BACK =
  /\b(?:it|them|this|these|those|both|the (?:results?|findings?|summary|summaries|answers?|text|draft|report|article|post|page|data|difference))\b/i;
const MAX_PARTS = 12;

/** Splits a goal. */
export function readParts(goal: string): Part[] {
  const texts = splitSentences(clip(goal, 4_000).replace(/\s+/g, " ")).flatMap(({ text }) =>
    piecesOf(text)
  );
  const parts = texts.map(({ text, later }, index) => readPart(text, later && index > 0));
  return parts.filter(({ text }) => /[\p{L}\p{N}]/u.test(text)).slice(0, MAX_PARTS);
}

interface Piece {
  text: string;
  later: boolean;
}

function piecesOf(sentence: string): Piece[] {
  const pieces: Piece[] = [];
  let rest = sentence.trim();
  let later = LATER.test(rest);
  for (;;) {
    rest = rest.replace(LATER, "");
    const found = BREAK.exec(rest);
    if (!found || found.index === 0) break;
    pieces.push({ text: rest.slice(0, found.index), later });
    later = /\b(?:then|after|finally)/i.test(found[0]);
    rest = rest.slice(found.index + found[0].length);
  }
  return [...pieces, { text: rest, later }];
}

function readPart(text: string, later: boolean): Part {
  const urls = [...text.matchAll(ADDRESS)].map(([url]) => url.replace(/[.,;:!?]+$/, ""));
  const words = text.replace(ADDRESS, " ");
  const formula = FORMULA.exec(words)?.[0];
  return {
    text: text.trim().replace(/[\s,;.]+$/, ""),
    work: workOf(words, urls.length > 0, formula !== undefined),
    follows: later || BACK.test(words),
    urls,
    ...(formula ? { formula: programOf(formula) } : {}),
  };
}

function workOf(words: string, hasUrl: boolean, hasFormula: boolean): Work {
  const first = VERBS.map(([work, list]) => {
    const at = words.search(new RegExp(`\\b(?:${list})\\b`, "i"));
    return { work, at };
  }).filter(({ at }) => at >= 0).sort((a, b) => a.at - b.at)[0]?.work;
  if (hasFormula && (first === undefined || first === "research")) return "calculate";
  if (first === undefined) return hasUrl ? "research" : "other";
  if (first === "fetch" && !hasUrl) return "research";
  return first === "calculate" && !hasFormula ? "other" : first;
}

/** `1,000 × 2^3` as `1000 * 2**3`; brackets that have no partner are left out. */
function programOf(formula: string): string {
  const plain = formula.replace(/(\d),(?=\d{3}\b)/g, "$1").replace(/,/g, ".")
    .replace(/×/g, "*").replace(/÷/g, "/").replace(/\^/g, "**").replace(/[.\s]+$/, "");
  let depth = 0;
  const closed = [...plain].filter((sign) => {
    if (sign === "(") depth++;
    if (sign === ")" && depth-- <= 0) return void (depth = 0);
    return true;
  }).join("");
  return closed + ")".repeat(Math.max(0, depth));
}
