/**
 * The reviewer: runs every check over the draft and proposes edits of its exact text.
 *
 * Score: 100, less 15 for each major and 5 for each minor comment, never below 0.
 *
 * @module
 */
import type { Brief } from "./brief.ts";
import { CHECKS } from "./checks.ts";
import { type Edit, marksIn, readDraft, type Remark, toEdits } from "./draft.ts";
import type { Material } from "./material.ts";
import { plural } from "./text.ts";

/** What the reviewer says. */
export interface Review {
  score: number;
  summary: string;
  comments: { severity: "info" | "minor" | "major"; message: string; quote: string | null }[];
  edits: Edit[];
  violations: string[];
}

const COST = { info: 0, minor: 5, major: 15 } as const;
const MAX_COMMENTS = 50;
const MAX_EDITS = 100;

/** Reviews the draft; without one it says that there is nothing to review. */
export function review(material: Material, brief: Brief): Review {
  const text = material.draft ?? "";
  if (text.trim() === "") return nothingToReview();
  const draft = readDraft(text, brief, material.research, material.plan);
  const remarks = CHECKS.flatMap((check) => check(draft));
  const edits = toEdits(text, remarks.flatMap(({ change }) => change ?? []), MAX_EDITS);
  const score = Math.max(0, remarks.reduce((left, { severity }) => left - COST[severity], 100));
  return {
    score,
    summary: summary(remarks, edits.length, draft.words, text),
    comments: mostSevere(remarks).slice(0, MAX_COMMENTS).map(({ severity, message, quote }) => ({
      severity,
      message,
      quote: quote ?? null,
    })),
    edits,
    violations: [...new Set(remarks.flatMap(({ violation }) => violation ?? []))],
  };
}

function mostSevere(remarks: Remark[]): Remark[] {
  return remarks.toSorted((a, b) => COST[b.severity] - COST[a.severity]);
}

function summary(remarks: Remark[], edits: number, words: number, text: string): string {
  const problems = remarks.filter(({ severity }) => severity !== "info").length;
  const sources = new Set(marksIn(text).map((mark) => mark.id)).size;
  const found = problems === 0
    ? "No problem was found."
    : `${plural(problems, "problem")} found, ${plural(edits, "edit")} proposed.`;
  return `The draft has ${words} words and cites ${plural(sources, "source")}. ${found}`;
}

function nothingToReview(): Review {
  return {
    score: 0,
    summary: "There is no draft to review.",
    comments: [{ severity: "major", message: "The draft is empty.", quote: null }],
    edits: [],
    violations: [],
  };
}
