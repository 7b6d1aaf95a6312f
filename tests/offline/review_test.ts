import { expect } from "expect";
import type { Research } from "../../offline/material.ts";
import type { Review } from "../../offline/review.ts";
import { countWords } from "../../offline/text.ts";
import { mergeReview } from "../../pipeline/compose/merge_review.ts";
import { ask, outputSchema } from "./_setup.ts";

const RESEARCH: Research = {
  summary: "",
  findings: [
    { claim: "Cement causes 8 % of all emissions.", topic: "Concrete", sources: ["a"] },
    { claim: "Heat pumps deliver four units of heat.", topic: "Heat", sources: ["b"] },
  ],
  sources: ["a", "b"].map((id) => ({ id, title: null, url: null, excerpt: null })),
  gaps: [],
};

/** Reviews a draft and gives what the merge makes of it, too. */
async function reviewed(draft: string, context: Record<string, unknown> = {}, extra = {}) {
  const input = { ask: "Write about heat", context, research: RESEARCH, draft, ...extra };
  const output = { name: "review", schema: outputSchema("reviewer") };
  const review: Review = JSON.parse(await ask("review", input, { output }));
  const merged = mergeReview({ draft, review, research: RESEARCH });
  return { review, merged };
}

const messages = (review: Review) => review.comments.map(({ message }) => message).join("\n");

Deno.test("review: a figure without citation gets the one of the finding that says it", async () => {
  const { review, merged } = await reviewed("Cement causes 8 % of all emissions.");
  expect(review.comments[0]?.severity).toBe("major");
  expect(merged.content).toBe("Cement causes 8 % of all emissions [a].");
});

Deno.test("review: a figure that no finding supports is flagged and left alone", async () => {
  const draft = "In 1850 nobody owned a fridge.";
  const { review, merged } = await reviewed(draft);
  expect(messages(review)).toContain("no finding supports it");
  expect(merged.content).toBe(draft);
  expect(review.score).toBe(85);
});

Deno.test("review: an unknown source is replaced by the right one, or taken out", async () => {
  const { review, merged } = await reviewed(
    "Heat pumps deliver four units of heat [zz]. Cats sleep a lot [yy]. Fine [x](https://e.org).",
  );
  expect(merged.content).toBe(
    "Heat pumps deliver four units of heat [b]. Cats sleep a lot. Fine [x](https://e.org).",
  );
  expect(review.violations).toEqual([
    "Citation of an unknown source: [zz]",
    "Citation of an unknown source: [yy]",
  ]);
});

Deno.test("review: repeated sentences and doubled words go", async () => {
  const { merged } = await reviewed(
    "Warm rooms need the the right valves. Radiators hang below windows. Warm rooms need the right valves.",
  );
  expect(merged.content).toBe("Warm rooms need the right valves. Radiators hang below windows.");
});

Deno.test("review: forbidden words go from headings, and elsewhere with their sentence", async () => {
  const { review, merged } = await reviewed(
    "# Cheap heat\n\nHeat is very cheap. Heat is good. Nobody likes CHEAP radiators. Cheap is cheap.\n\n- cheap\n- warm valves\n",
    { forbidden_words: ["cheap", "very"] },
  );
  expect(merged.content).toBe("# Heat\n\nHeat is good.\n\n- warm valves\n");
  expect(review.violations.length).toBeGreaterThan(0);
  expect(merged.review.edits.every(({ applied }) => applied)).toBe(true);
});

Deno.test("review: a forbidden adverb goes alone", async () => {
  const { merged } = await reviewed("Heat is very good and truly simple.", {
    forbidden_words: "very, truly",
  });
  expect(merged.content).toBe("Heat is good and simple.");
});

Deno.test("review: contractions are spelled out in the formal tone only", async () => {
  const draft = "It's warm. We don't freeze.";
  expect((await reviewed(draft, { tone: "formal" })).merged.content)
    .toBe("It is warm. We do not freeze.");
  expect((await reviewed(draft)).merged.content).toBe(draft);
});

Deno.test("review: overlong sentences are cut where two clauses meet", async () => {
  const half = Array.from({ length: 24 }, (_, i) => `word${"abcdefghijklmnopqrstuvwxyz"[i]}`);
  const { merged, review } = await reviewed(`${half.join(" ")}; ${half.reverse().join(" ")}.`);
  expect(messages(review)).toContain("This sentence has 48 words");
  expect(merged.content).toMatch(/^worda.* wordx\. Wordx .* worda\.$/);
});

Deno.test("review: a text that is too long is cut to the asked length", async () => {
  const nouns = ["pumps", "valves", "pipes", "boilers", "meters", "tanks", "fans", "ducts"];
  const sentences = nouns.flatMap((noun) => [
    `Good ${noun} make heat cheap for tenants of ${noun[0]} houses.`,
    `Painters colour ${noun} in green or ${noun[0]} grey on holidays.`,
  ]);
  const draft = sentences.join(" ");
  const { review, merged } = await reviewed(draft, { length: "110 words" });
  expect(messages(review)).toContain("110 were asked for");
  expect(Math.abs(countWords(merged.content) - 110)).toBeLessThanOrEqual(11);
  expect(merged.content.match(/heat/g)?.length).toBe(8);
});

Deno.test("review: sections of the plan that are missing are named", async () => {
  const section = (heading: string) => ({ heading, points: [], sources: [], words: 100 });
  const plan = { title: "Heat", sections: [section("Pumps"), section("Pipes")], tasks: [] };
  const { review } = await reviewed("# Heat\n\n## Pumps\n\nThey hum.", { length: 200 }, { plan });
  expect(messages(review)).toContain("lacks: Pipes");
});

Deno.test("review: the score is 100 less 15 for each major and 5 for each minor comment", async () => {
  const { review } = await reviewed("It hums in 1999. Pipes are are warm.");
  expect(review.comments.map(({ severity }) => severity).toSorted()).toEqual([
    "info",
    "major",
    "minor",
  ]);
  expect(review.score).toBe(80);
});

Deno.test("review: without a draft there is nothing to review", async () => {
  const { review } = await reviewed("  ");
  expect(review.score).toBe(0);
  expect(review.summary).toBe("There is no draft to review.");
});

Deno.test("review: edits find their exact place even when the same words stand elsewhere", async () => {
  const draft = "Code `it it` first. Then it it happened. And again it it came.";
  const { merged } = await reviewed(draft);
  expect(merged.content).toBe("Code `it` first. Then it happened. And again it came.");
});
