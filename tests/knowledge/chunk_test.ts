import { expect } from "expect";
import fc from "fast-check";
import { chunk, MAX_PASSAGE_CHARS } from "../../knowledge/chunk.ts";
import type { Block } from "../../knowledge/read/mod.ts";
import { readMarkdown } from "../../knowledge/read/markdown.ts";

const text = (text: string, location = {}): Block => ({ kind: "text", text, location });
const sentences = (count: number) =>
  Array.from({ length: count }, (_, n) => `This is sentence number ${n} of a long text.`).join(" ");

Deno.test("a passage ends at a heading and knows the headings above it", async () => {
  const { blocks } = await readMarkdown(
    "intro\n\n# A\n\none\n\n### B\n\ntwo\n\n## C\n\nthree\n\n# D\n\nfour",
  );
  expect(chunk(blocks).map(({ text, heading }) => [text, heading])).toEqual([
    ["intro", []],
    ["one", ["A"]],
    ["two", ["A", "B"]],
    ["three", ["A", "C"]],
    ["four", ["D"]],
  ]);
});

Deno.test("short paragraphs share a passage, long ones are cut at sentences and overlap", () => {
  expect(chunk([text("one"), text("two")]).map(({ text }) => text)).toEqual(["one\n\ntwo"]);
  const passages = chunk([text(sentences(60), { offset: 100 })]);
  expect(passages.length).toBeGreaterThan(2);
  for (const [index, passage] of passages.entries()) {
    expect(passage.text).toMatch(/^This is sentence/);
    expect(passage.text).toMatch(/text\.$/);
    expect(passage.text.length).toBeLessThanOrEqual(MAX_PASSAGE_CHARS);
    if (index === 0) continue;
    const first = passage.text.split("\n\n")[0]!;
    expect(passages[index - 1]!.text.endsWith(first)).toBe(true);
    expect(sentences(60).startsWith(first, passage.location.offset! - 100)).toBe(true);
  }
});

Deno.test("a page is not left, and rows do not overlap", () => {
  const pages = chunk([text("first", { page: 1 }), text("second", { page: 2 })]);
  expect(pages.map(({ text, location }) => [text, location])).toEqual([
    ["first", { page: 1 }],
    ["second", { page: 2 }],
  ]);
  const rows = Array.from({ length: 40 }, (_, n): Block => ({
    kind: "row",
    text: `row ${n} ${"x".repeat(90)}.`,
    location: { row: n + 1 },
  }));
  const passages = chunk(rows);
  expect(passages.flatMap(({ text }) => text.split("\n"))).toEqual(rows.map(({ text }) => text));
  expect(passages[1]!.location.row).toBe(passages[0]!.text.split("\n").length + 1);
});

Deno.test("of whatever text, nothing is lost and no passage is too long", () => {
  const part = fc.oneof(
    fc.string({ maxLength: 3_000 }),
    fc.string({ unit: "grapheme", maxLength: 2_000 }),
    fc.constant("長い文章。".repeat(500)),
    fc.constant("word ".repeat(600)),
    fc.constant("😀".repeat(1_100)),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
      const passages = chunk(parts.map((one) => text(one)));
      const all = passages.map(({ text }) => text).join(" ");
      for (const passage of passages) {
        expect(passage.text.length).toBeLessThanOrEqual(MAX_PASSAGE_CHARS);
        expect(passage.text.isWellFormed() || !parts.join("").isWellFormed()).toBe(true);
      }
      for (const word of parts.join(" ").split(/\s+/).filter((word) => word.length < 400)) {
        expect(all.includes(word)).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});
