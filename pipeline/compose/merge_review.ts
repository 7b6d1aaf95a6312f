/**
 * Merges a review into the draft it is about: applies its edits and tells which sources the result
 * cites. A pure function of its input.
 *
 * Edits are found in the draft as it was, so that no edit changes what another one has written. Of
 * two edits that want the same text, the earlier in the list wins.
 *
 * @module
 */
import type { Json } from "../kernel/mod.ts";
import type { Task } from "../nodes/mod.ts";

/** A change of the draft's text. */
export interface Edit {
  find: string;
  replace: string;
  reason: string;
  /** Every occurrence, not only the first free one. */
  all?: boolean;
}

/** The outcome of an edit. */
export interface MergedEdit {
  find: string;
  replace: string;
  reason: string;
  applied: boolean;
  /** Why it was not applied, or how it was found. */
  note?: string;
}

/** A remark of the reviewer. */
export interface Comment {
  severity: "info" | "minor" | "major";
  message: string;
  quote?: string | null;
}

/** A source of the text. */
export interface MergedSource {
  id: string;
  title?: string | null;
  url?: string | null;
  excerpt?: string | null;
  /** The content names it as `[id]`. */
  cited: boolean;
}

/** What is merged: outputs of the builder, the reviewer and the researcher. */
export interface MergeInput {
  draft: string;
  review?: {
    score?: number;
    summary?: string;
    comments?: Comment[];
    edits?: Edit[];
    violations?: string[];
  };
  research?: { sources?: Omit<MergedSource, "cited">[] };
}

/** The text after review, where it comes from, and what the review said. */
export interface MergeResult {
  content: string;
  /** Cited ones first, in the order of their first citation. */
  sources: MergedSource[];
  review: {
    score: number | null;
    summary: string;
    comments: Comment[];
    edits: MergedEdit[];
    violations: string[];
  };
}

/** Applies the review to the draft. Parts that are missing count as empty. */
export function mergeReview({ draft, review, research }: MergeInput): MergeResult {
  const { content, edits } = applyEdits(draft ?? "", review?.edits ?? []);
  return {
    content,
    sources: orderSources(research?.sources ?? [], content),
    review: {
      score: review?.score ?? null,
      summary: review?.summary ?? "",
      comments: review?.comments ?? [],
      edits,
      violations: review?.violations ?? [],
    },
  };
}

/** The task `merge_review`. */
export const mergeReviewTask: Task = {
  effect: "none",
  run: (input) => mergeReview(input as unknown as MergeInput) as unknown as Json,
};

interface Range {
  from: number;
  to: number;
}

interface Replacement extends Range {
  text: string;
}

function applyEdits(draft: string, edits: Edit[]): { content: string; edits: MergedEdit[] } {
  const claimed: Replacement[] = [];
  const merged = edits.map((edit) => {
    const { ranges, note } = locate(draft, edit, claimed);
    claimed.push(...ranges.map((range) => ({ ...range, text: edit.replace })));
    const { find, replace, reason } = edit;
    return { find, replace, reason, applied: ranges.length > 0, ...(note ? { note } : {}) };
  });
  const inOrder = claimed.toSorted((a, b) => a.from - b.from);
  let content = "";
  let at = 0;
  for (const { from, to, text } of inOrder) {
    content += draft.slice(at, from) + text;
    at = to;
  }
  return { content: content + draft.slice(at), edits: merged };
}

function locate(draft: string, edit: Edit, claimed: Range[]): { ranges: Range[]; note?: string } {
  if (edit.find.trim() === "") return { ranges: [], note: "it has no text to find" };
  if (edit.find === edit.replace) return { ranges: [], note: "it changes nothing" };
  const isExact = draft.includes(edit.find);
  const found = isExact ? exactly(draft, edit.find) : inAnySpacing(draft, edit.find);
  const { ranges, seen } = free(found, claimed, edit.all ? Infinity : 1);
  if (!seen) return { ranges, note: "the draft does not contain this text" };
  if (ranges.length === 0) return { ranges, note: "an earlier edit changes the same text" };
  return { ranges, ...(isExact ? {} : { note: "found with other spacing" }) };
}

/** Every place of the text, overlapping ones included. */
function* exactly(draft: string, find: string): Generator<Range> {
  for (let from = draft.indexOf(find); from >= 0; from = draft.indexOf(find, from + 1)) {
    yield { from, to: from + find.length };
  }
}

/** Models fold line breaks and doubled spaces when they quote. */
function* inAnySpacing(draft: string, find: string): Generator<Range> {
  const words = find.trim().split(/\s+/).map((word) =>
    word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")
  );
  for (const match of draft.matchAll(new RegExp(words.join("\\s+"), "gu"))) {
    yield { from: match.index, to: match.index + match[0].length };
  }
}

/** The first `most` ranges that touch neither `claimed` ones nor each other. */
function free(found: Iterable<Range>, claimed: Range[], most: number) {
  const ranges: Range[] = [];
  let seen = false;
  for (const range of found) {
    seen = true;
    if (range.from < (ranges.at(-1)?.to ?? 0)) continue;
    if (claimed.some((other) => range.from < other.to && other.from < range.to)) continue;
    ranges.push(range);
    if (ranges.length >= most) break;
  }
  return { ranges, seen };
}

function orderSources(sources: Omit<MergedSource, "cited">[], content: string): MergedSource[] {
  const places = citedIds(content);
  const marked = sources.map((source) => ({ ...source, cited: places.has(source.id) }));
  const cited = marked.filter((source) => source.cited)
    .toSorted((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0));
  return [...cited, ...marked.filter((source) => !source.cited)];
}

/** The ids that stand in brackets, alone or with others (`[a]`, `[a, b]`), with their first place. */
function citedIds(content: string): Map<string, number> {
  const places = new Map<string, number>();
  for (const match of content.matchAll(/\[([^\[\]\n]{1,500})\]/g)) {
    const inside = match[1] ?? "";
    for (const id of [inside, ...inside.split(/[,;]/)].map((part) => part.trim())) {
      if (!places.has(id)) places.set(id, match.index);
    }
  }
  return places;
}
