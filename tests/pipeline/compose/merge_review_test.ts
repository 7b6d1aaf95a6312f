import { expect } from "expect";
import fc from "fast-check";
import { type Edit, mergeReview, mergeReviewTask } from "../../../pipeline/compose/merge_review.ts";

const edit = (find: string, replace: string, all?: boolean): Edit => ({
  find,
  replace,
  reason: "r",
  ...(all === undefined ? {} : { all }),
});
const merge = (draft: string, ...edits: Edit[]) => mergeReview({ draft, review: { edits } });

Deno.test("mergeReview() replaces the exact text once", () => {
  const { content, review } = merge("a cat, a cat", edit("cat", "dog"));
  expect(content).toBe("a dog, a cat");
  expect(review.edits).toEqual([{ find: "cat", replace: "dog", reason: "r", applied: true }]);
});

Deno.test("mergeReview() gives equal edits one place each, and `all` every place", () => {
  expect(merge("x x x", edit("x", "1"), edit("x", "2")).content).toBe("1 2 x");
  expect(merge("x x x", edit("x", "1", true)).content).toBe("1 1 1");
  expect(merge("aaa", edit("aa", "b", true)).content).toBe("ba");
});

Deno.test("mergeReview() tries other spacing when the exact text is missing", () => {
  const { content, review } = merge("One\n  two (three).", edit(" One two  (three)", "Four"));
  expect(content).toBe("Four.");
  expect(review.edits[0]?.note).toBe("found with other spacing");
});

Deno.test("mergeReview() lets the earlier of two overlapping edits win", () => {
  const { content, review } = merge(
    "one two three",
    edit("two three", "2 3"),
    edit("one two", "1 2"),
  );
  expect(content).toBe("one 2 3");
  expect(review.edits.map(({ applied, note }) => [applied, note])).toEqual([
    [true, undefined],
    [false, "an earlier edit changes the same text"],
  ]);
});

Deno.test("mergeReview() never edits what an edit wrote", () => {
  expect(merge("a", edit("a", "b"), edit("b", "c")).content).toBe("b");
});

Deno.test("mergeReview() reports edits that cannot be applied", () => {
  const { content, review } = merge("text", edit("no", "x"), edit(" ", "x"), edit("text", "text"));
  expect(content).toBe("text");
  expect(review.edits.map(({ applied, note }) => [applied, note])).toEqual([
    [false, "the draft does not contain this text"],
    [false, "it has no text to find"],
    [false, "it changes nothing"],
  ]);
});

Deno.test("mergeReview() takes replacement and search text literally", () => {
  expect(merge("a.b (c)", edit("a.b (c)", "$& $1 \\")).content).toBe("$& $1 \\");
});

Deno.test("mergeReview() lists cited sources first, in the order of the text", () => {
  const sources = ["a", "b", "c", "d d"].map((id) => ({ id, title: id.toUpperCase() }));
  const { sources: ordered } = mergeReview({
    draft: "One [c]. Two [d d, b].",
    review: { edits: [edit(" [c]", "")] },
    research: { sources },
  });
  expect(ordered.map(({ id, cited }) => [id, cited])).toEqual([
    ["b", true],
    ["d d", true],
    ["a", false],
    ["c", false],
  ]);
  expect(ordered[0]?.title).toBe("B");
});

Deno.test("mergeReview() carries the review over, and fills what is missing", () => {
  const review = {
    score: 70,
    summary: "s",
    comments: [{ severity: "minor" as const, message: "m", quote: null }],
    edits: [],
    violations: ["v"],
  };
  expect(mergeReview({ draft: "d", review }).review).toEqual(review);
  expect(mergeReviewTask.run({ draft: "d" }, undefined as never, undefined as never)).toEqual({
    content: "d",
    sources: [],
    review: { score: null, summary: "", comments: [], edits: [], violations: [] },
  });
});

Deno.test("mergeReview() changes nothing but what applied edits name", () => {
  const word = fc.constantFrom("a", "b", "ab", " ", "ba ");
  const text = fc.array(word, { maxLength: 20 }).map((words) => words.join(""));
  fc.assert(
    fc.property(text, fc.array(fc.tuple(text, fc.boolean()), { maxLength: 6 }), (draft, finds) => {
      const edits = finds.map(([find, all]) => edit(find, "", all));
      const { content, review } = merge(draft, ...edits);
      expect(review.edits.length).toBe(edits.length);
      if (!review.edits.some(({ applied }) => applied)) expect(content).toBe(draft);
      else expect(content.length).toBeLessThan(draft.length);
    }),
  );
});
