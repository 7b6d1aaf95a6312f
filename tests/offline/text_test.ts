import { expect } from "expect";
import { readBrief, readLength, withoutWords } from "../../offline/brief.ts";
import { readMaterial } from "../../offline/material.ts";
import {
  clip,
  countWords,
  plainText,
  readBlocks,
  shorten,
  splitSentences,
  stem,
} from "../../offline/text.ts";

const sentences = (text: string) => splitSentences(text).map((span) => span.text);

Deno.test("splitSentences() keeps abbreviations, decimals and line breaks together", () => {
  expect(sentences("Dr. Smith paid 3.5 euros, e.g. for tea.\nIt was\ncold. Why?")).toEqual([
    "Dr. Smith paid 3.5 euros, e.g. for tea.",
    "It was\ncold.",
    "Why?",
  ]);
  expect(sentences("これは文です。次の文です。")).toEqual(["これは文です。", "次の文です。"]);
});

Deno.test("splitSentences() gives offsets into its text", () => {
  const text = "  One two.  Three four! ";
  for (const span of splitSentences(text)) expect(text.slice(span.from, span.to)).toBe(span.text);
});

Deno.test("readBlocks() finds prose and leaves code, tables and front matter out", () => {
  const text =
    "---\na: 1\n---\n# Title\nLine one\nline two\n\n- item\n| a | b |\n```\ncode\n```\n> quote\n";
  expect(readBlocks(text).map(({ kind, text }) => [kind, text])).toEqual([
    ["heading", "Title"],
    ["paragraph", "Line one\nline two"],
    ["item", "item"],
    ["paragraph", "quote"],
  ]);
  for (const block of readBlocks(text)) expect(text.slice(block.from, block.to)).toBe(block.text);
});

Deno.test("countWords() counts as a reader does", () => {
  expect(
    countWords("# Low-carbon steel\n\nIt costs 3,000 euros [doc-1]. — [a link](https://e.org)"),
  ).toBe(8);
  expect(countWords("")).toBe(0);
});

Deno.test("plainText() strips inline Markdown", () => {
  expect(plainText("**Bold** and *soft* `code` [link](u) ![x](y) note[^1] snake_case <b>x</b>"))
    .toBe("Bold and soft code link note snake_case x");
});

Deno.test("clip() and shorten() keep characters whole", () => {
  expect(clip("a😀", 2)).toBe("a");
  expect(shorten("one two three", 2)).toBe("one two …");
});

Deno.test("stem() brings forms of a word together", () => {
  expect(new Set(["building", "buildings"].map(stem)).size).toBe(1);
  expect(stem("energies")).toBe(stem("energy"));
  expect(stem("größen")).toBe("größen");
});

Deno.test("readLength() reads the usual ways to put it", () => {
  const cases: [unknown, number | undefined][] = [
    ["800 words", 800],
    ["1,200 words", 1_200],
    ["300-500 words", 400],
    ["about 2 pages", 800],
    ["half a page", 200],
    ["a page", 400],
    ["three paragraphs", 240],
    ["5 sentences", 100],
    ["short", 200],
    ["long", 1_000],
    [250, 250],
    ["250", 250],
    ["1 word", 30],
    ["999999 words", 5_000],
    ["as you like", undefined],
    [null, undefined],
  ];
  for (const [wish, words] of cases) expect([wish, readLength(wish)?.words]).toEqual([wish, words]);
});

Deno.test("readBrief() finds topic, tone and form in the ask", () => {
  const brief = (ask: string, context = {}) =>
    readBrief(
      readMaterial({ messages: [{ role: "user", content: ask }], input: { ask, context } }),
    );
  const titles: Record<string, string> = {
    "Draft a blog post about sustainable architecture trends.": "Sustainable architecture trends",
    "Please write a 300-word essay on tea in Japan": "Tea in Japan",
    "Could you summarise the history of cork in 200 words?": "The history of cork",
    "What is a heat pump?": "What is a heat pump?",
    "Write a tagline for our bakery": "Our bakery",
    "Wind power, 2 pages": "Wind power",
    "": "Untitled",
  };
  for (const [ask, title] of Object.entries(titles)) expect(brief(ask).title).toBe(title);
  expect(brief("Write in a friendly tone about cats").tone).toBe("friendly");
  expect(brief("x", { tone: "professional" }).tone).toBe("formal");
  expect(brief("x", { tone: "informal" }).tone).toBe("friendly");
  expect(brief("x", { format: "bulleted list" }).form).toBe("bullets");
  expect(brief("x", { format: "email" }).form).toBe("plain");
  expect(brief("Schreibe über Kork und Häuser").english).toBe(false);
});

Deno.test("withoutWords() closes the gap", () => {
  expect(withoutWords("Cheap heat, cheap and warm", ["cheap"])).toBe("Heat, and warm");
  expect(withoutWords("C++ (a+b)", ["c++"])).toBe("(a+b)");
  expect(withoutWords("Cheapest", ["cheap"])).toBe("Cheapest");
});
