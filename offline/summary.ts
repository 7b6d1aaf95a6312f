/**
 * The summarizer: what was asked and how the answer began, exchange by exchange. It shortens and
 * leaves out; it puts nothing into other words.
 *
 * @module
 */
import { type Material, record } from "./material.ts";
import { clip, plainText, readBlocks, shorten, splitSentences } from "./text.ts";

/** Longest summary; what is oldest goes first. */
const MAX_LINES = 40;
const MAX_CHARS = 4_000;
const QUESTION_WORDS = 30;
const ANSWER_WORDS = 40;

/** Brings the summary so far and new exchanges together. */
export function summarize({ fields }: Material): { summary: string } {
  const before = typeof fields.summary === "string" ? fields.summary.split("\n") : [];
  const lines = [
    ...before,
    ...(Array.isArray(fields.exchanges) ? fields.exchanges.flatMap(lineOf) : []),
  ]
    .map((line) => line.trim()).filter((line) => line !== "").slice(-MAX_LINES);
  while (lines.length > 1 && lines.join("\n").length > MAX_CHARS) lines.shift();
  return { summary: clip(lines.join("\n"), MAX_CHARS) };
}

function lineOf(value: unknown): string[] {
  const { user, assistant } = record(value);
  if (typeof user !== "string" || user.trim() === "") return [];
  const asked = `- The user: “${shorten(plainText(clip(user, 4_000)), QUESTION_WORDS)}”`;
  const answer = typeof assistant === "string" ? firstSentence(assistant) : "";
  return [answer === "" ? asked : `${asked} The answer: “${shorten(answer, ANSWER_WORDS)}”`];
}

/** The first sentence of the text proper: headings say little. */
function firstSentence(markdown: string): string {
  const blocks = readBlocks(clip(markdown, 4_000));
  const block = blocks.find(({ kind }) => kind !== "heading") ?? blocks[0];
  return plainText(splitSentences(block?.text ?? "")[0]?.text ?? "");
}
