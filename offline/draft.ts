/**
 * A draft under review: its sentences and headings with their offsets, and edits of exact text.
 *
 * @module
 */
import type { Brief } from "./brief.ts";
import type { Plan, Research } from "./material.ts";
import { type Block, countWords, readBlocks, type Span, splitSentences } from "./text.ts";

/** A draft that is longer than this is reviewed up to here. */
const MAX_BLOCKS = 1_000;
const MAX_SENTENCES = 2_000;

/** A sentence of the draft; offsets are those of the draft. */
export interface Sentence extends Span {
  block: Block;
  first: boolean;
  last: boolean;
}

/** A citation such as `[doc-1]`; `[a, b]` makes two of the same place. */
export interface Mark extends Span {
  id: string;
}

/** What a check sees. */
export interface Draft {
  text: string;
  words: number;
  blocks: Block[];
  sentences: Sentence[];
  brief: Brief;
  research?: Research;
  plan?: Plan;
}

/** A change of `text.slice(from, to)`. */
export interface Change {
  from: number;
  to: number;
  replace: string;
  reason: string;
}

/** What a check has to say. */
export interface Remark {
  severity: "info" | "minor" | "major";
  message: string;
  quote?: string;
  /** A rule was broken that the request or the sources set. */
  violation?: string;
  change?: Change;
}

/** An edit as reviewers propose it: the exact text to find. */
export interface Edit {
  find: string;
  replace: string;
  /** Every occurrence, not only the first. */
  all: boolean;
  reason: string;
}

/** Reads a draft. */
export function readDraft(
  text: string,
  brief: Brief,
  research: Research | undefined,
  plan: Plan | undefined,
): Draft {
  const blocks = readBlocks(text);
  const prose = blocks.filter(({ kind }) => kind !== "heading").slice(0, MAX_BLOCKS);
  const sentences = prose.flatMap((block) => {
    const spans = splitSentences(block.text);
    return spans.map((span, i) => ({
      text: span.text,
      from: block.from + span.from,
      to: block.from + span.to,
      block,
      first: i === 0,
      last: i === spans.length - 1,
    }));
  }).slice(0, MAX_SENTENCES);
  return { text, words: countWords(text), blocks, sentences, brief, research, plan };
}

/** The citations in a text. Code, links, task boxes and asides of several words are none. */
export function marksIn(text: string): Mark[] {
  const prose = text.replace(/`[^`\n]{0,500}`/g, (code) => " ".repeat(code.length));
  return [...prose.matchAll(/\[([^\[\]\n]{1,120})\](?![(:])/g)].flatMap((match) =>
    (match[1] ?? "").split(/[,;]/).map((id) => id.trim())
      .filter((id) => /^[^\s^]+$/.test(id) && !/^(?:x|sic|…|\.\.\.)$/i.test(id))
      .map((id) => ({ id, text: match[0], from: match.index, to: match.index + match[0].length }))
  );
}

/** The change that takes a sentence away, with the gap or the empty line that it would leave. */
export function removal(text: string, sentence: Sentence, reason: string): Change {
  let { from, to } = sentence;
  if (!sentence.first) from -= gapBefore(text, from);
  else if (!sentence.last) to += gap(text, to);
  else {
    from = text.lastIndexOf("\n", from - 1) + 1;
    while (text[to] === "\n") to++;
  }
  return { from, to, replace: "", reason };
}

function gap(text: string, at: number): number {
  return /^\s{0,20}/.exec(text.slice(at, at + 20))?.[0].length ?? 0;
}

function gapBefore(text: string, at: number): number {
  return /\s{0,20}$/.exec(text.slice(Math.max(0, at - 20), at))?.[0].length ?? 0;
}

/**
 * Changes as edits. The text to find is widened to the left until its first free occurrence is the
 * one that is meant; changes that touch an earlier one are left out.
 */
export function toEdits(text: string, changes: Change[], limit: number): Edit[] {
  const claimed: { from: number; to: number }[] = [];
  const edits: Edit[] = [];
  for (const wanted of changes) {
    if (edits.length >= limit) break;
    const change = behindClaimed(text, wanted, claimed);
    const from = uniqueFrom(text, change, claimed);
    if (from === undefined) continue;
    claimed.push({ from, to: change.to });
    edits.push({
      find: text.slice(from, change.to),
      replace: text.slice(from, change.from) + change.replace,
      all: false,
      reason: change.reason,
    });
  }
  return edits;
}

/** Two removals in a row both want the space between them: the earlier one has it. */
function behindClaimed(text: string, change: Change, claimed: { from: number; to: number }[]) {
  const before = claimed.find(({ from, to }) => from <= change.from && change.from < to);
  if (!before || before.to >= change.to) return change;
  const shared = text.slice(change.from, before.to);
  return shared.trim() === "" ? { ...change, from: before.to } : change;
}

function uniqueFrom(text: string, change: Change, claimed: { from: number; to: number }[]) {
  const free = (from: number, to: number) =>
    claimed.every((range) => to <= range.from || from >= range.to);
  for (const extra of [0, 10, 30, 90, 270, 1_000]) {
    const from = wholeCharacter(text, Math.max(0, change.from - extra));
    if (!free(from, change.to)) return undefined;
    const find = text.slice(from, change.to);
    if (find === "") continue;
    let at = text.indexOf(find);
    while (at >= 0 && at < from && !free(at, at + find.length)) at = text.indexOf(find, at + 1);
    if (at === from) return from;
  }
  return undefined;
}

function wholeCharacter(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xDC00 && code <= 0xDFFF ? Math.max(0, at - 1) : at;
}
