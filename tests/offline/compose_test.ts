import { expect } from "expect";
import { Validator } from "@cfworker/json-schema";
import { countWords, splitSentences } from "../../offline/text.ts";
import { mergeReview } from "../../pipeline/compose/merge_review.ts";
import { ASK, ask, bare, compose, DOCUMENTS, outputSchema } from "./_setup.ts";

const CITED = /\[([a-z0-9-]+)\]/g;

Deno.test("researcher: every claim stands word for word in the document it cites", async () => {
  const { research } = await compose(ASK, { length: "800 words" });
  expect(research.findings.length).toBeGreaterThan(25);
  for (const { claim, sources } of research.findings) {
    expect(sources.length).toBeGreaterThan(0);
    for (const id of sources) {
      const document = DOCUMENTS.find((candidate) => candidate.id === id);
      expect(bare(document?.text ?? "")).toContain(bare(claim));
    }
  }
  expect(research.sources.map(({ id, title }) => [id, title])).toEqual([
    ["materials", "Materials and reuse in sustainable architecture"],
    ["energy", "Energy and climate in sustainable architecture"],
  ]);
});

Deno.test("researcher: the same statement in two documents becomes one finding with both sources", async () => {
  const text =
    "Cork panels insulate walls very well. Cork oaks are peeled every nine years by hand.";
  const { research } = await compose("Write about cork", {}, [
    { id: "a", text },
    { id: "b", text: `${text} Portugal harvests half of the cork of the world.` },
  ]);
  const panels = research.findings.filter(({ claim }) => claim.includes("Cork panels"));
  expect(panels.map(({ sources }) => sources)).toEqual([["a", "b"]]);
});

Deno.test("researcher: a document that never speaks of the ask is left out and named in the gaps", async () => {
  const { research, draft } = await compose("Write about timber", {}, [
    DOCUMENTS[0]!,
    {
      id: "soup",
      text: "Leek soup needs leeks and potatoes. It boils for twenty minutes in a pot.",
    },
  ]);
  expect(research.findings.flatMap(({ sources }) => sources)).not.toContain("soup");
  expect(research.gaps.join(" ")).toContain("soup");
  expect(draft).not.toContain("Leek");
});

Deno.test("researcher: terms that no document mentions are gaps", async () => {
  const { research } = await compose("Write about hempcrete buildings", {});
  expect(research.gaps).toContain("No document mentions “hempcrete”.");
});

Deno.test("without documents nobody states a fact", async () => {
  const { research, plan, draft, review } = await compose(ASK, { length: "800 words" }, []);
  expect(research.findings).toEqual([]);
  expect(research.gaps[0]).toMatch(/^No documents were given/);
  expect(plan.sections.length).toBe(5);
  expect(draft).toContain("# Sustainable architecture trends");
  expect(draft).toContain("adds no facts of its own");
  expect(draft.match(CITED)).toBe(null);
  expect(review.violations).toEqual([]);
  expect(review.comments[0]?.message).toMatch(/^There is no material/);
  expect(review.score).toBe(85);
});

Deno.test("the outputs fulfil the schemas of the agents' profiles", async () => {
  for (const documents of [DOCUMENTS, []]) {
    const made = await compose(ASK, { length: "300 words" }, documents);
    const outputs = { researcher: made.research, planner: made.plan, reviewer: made.review };
    for (const [agent, output] of Object.entries(outputs)) {
      expect(new Validator(outputSchema(agent), "2020-12").validate(output).errors).toEqual([]);
    }
  }
});

Deno.test("planner: the sections' words add up to the asked length", async () => {
  for (const length of ["100 words", "350 words", "about 2 pages", "3 paragraphs", "short"]) {
    const { plan } = await compose(ASK, { length });
    const asked = { "100 words": 100, "350 words": 350, "about 2 pages": 800, "3 paragraphs": 240 };
    const total = plan.sections.reduce((sum, section) => sum + section.words, 0);
    expect(total).toBe((asked as Record<string, number>)[length] ?? 200);
    expect(plan.sections.every((section) => section.words > 0 && section.points.length > 0)).toBe(
      true,
    );
  }
});

Deno.test("builder: 100 to 800 words are met within ten per cent, in every tone", async () => {
  for (const tone of ["informative", "formal", "friendly", "persuasive"]) {
    for (const words of [100, 150, 200, 300, 450, 600, 800]) {
      const { draft } = await compose(ASK, { length: `${words} words`, tone });
      expect(Math.abs(countWords(draft) - words)).toBeLessThanOrEqual(words * 0.1);
    }
  }
});

Deno.test("builder: no sentence twice, every figure cited, only known sources", async () => {
  const { draft } = await compose(ASK, { length: "800 words" });
  const body = draft.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const sentences = body.flatMap((line) => splitSentences(line)).map(({ text }) => text);
  expect(new Set(sentences.map(bare)).size).toBe(sentences.length);
  for (const sentence of sentences.filter((text) => /\d/.test(bare(text)))) {
    expect(sentence).toMatch(/\[(?:materials|energy)\]/);
  }
  const cited = new Set([...draft.matchAll(CITED)].map((match) => match[1]));
  expect(cited).toEqual(new Set(["materials", "energy"]));
});

Deno.test("builder: too little material gives a shorter text that says so", async () => {
  const { research, draft, review } = await compose("Write about cork", { length: "500 words" }, [{
    id: "cork",
    text: "Cork panels insulate walls very well. Portugal harvests half of the world's cork.",
  }]);
  expect(countWords(draft)).toBeLessThan(100);
  expect(draft).toMatch(/hold about 13 usable words .* stays below the 500 words asked for/);
  expect(research.gaps).toContain("The material holds about 13 words for a text of 500 words.");
  expect(review.comments.filter(({ severity }) => severity !== "info")).toEqual([]);
});

Deno.test("builder: passages that do not fit are not called missing", async () => {
  const finding = (i: number) => ({
    claim: `The cork of tree ${i} is${" very".repeat(30)} light, and so it is for the others.`,
    topic: "Cork",
    sources: ["a"],
  });
  const research = {
    summary: "",
    findings: [1, 2, 3].map(finding),
    sources: [{ id: "a", title: null, url: null, excerpt: null }],
    gaps: [],
  };
  const draft = await ask("writing", { ask: "Cork", context: { length: "60 words" }, research });
  expect(draft).toContain("no further passage of the documents fits into the 60 words asked for");
});

Deno.test("an editor's remarks are not quoted as a document", async () => {
  const text = await ask("none", { topic: "tea", remarks: ["Say more about the leaves of tea."] });
  expect(text).toContain("There is nothing to answer “Tea” from");
  expect(text).not.toContain("[remarks]");
});

Deno.test("builder: tones differ in openings and contractions", async () => {
  const documents = [{
    id: "d",
    text: "The hall is not heated by gas. It is warm because the walls do not leak any of the air.",
  }];
  const friendly = (await compose("Write about the hall", { tone: "friendly" }, documents)).draft;
  const formal = (await compose("Write about the hall", { tone: "formal" }, documents)).draft;
  expect(friendly).toContain("isn't heated");
  expect(friendly).toContain("don't leak");
  expect(formal).toContain("is not heated");
});

Deno.test("builder: bullets, paragraphs and plain text are forms it knows", async () => {
  const bullets = (await compose("Give me 5 bullet points on timber", {})).draft;
  expect(bullets.split("\n").filter((line) => line.startsWith("- ")).length).toBe(5);
  expect(bullets).toMatch(/^# Timber\n/);
  const paragraphs = (await compose(ASK, { length: "3 paragraphs" })).draft;
  expect(paragraphs.split("\n\n").length).toBe(3);
  const plain = (await compose(ASK, { format: "plain text", length: "300 words" })).draft;
  expect(plain).not.toMatch(/^#/m);
});

Deno.test("forbidden words never reach the merged text", async () => {
  const forbidden_words = ["sustainable", "timber", "carbon dioxide"];
  const made = await compose(ASK, { length: "300 words", forbidden_words });
  const spoilt =
    `${made.draft}\n\nTimber is sustainable. Nothing else matters.\n\n- More Timber.\n`;
  for (const draft of [made.draft, spoilt]) {
    const review = draft === made.draft
      ? made.review
      : (await reviewOf(draft, made, forbidden_words)).review;
    const { content } = mergeReview({ draft, review, research: made.research });
    expect(content).not.toMatch(/sustainable|timber|carbon dioxide/i);
    expect(content.length).toBeGreaterThan(500);
  }
});

async function reviewOf(
  draft: string,
  made: Awaited<ReturnType<typeof compose>>,
  forbidden_words: string[],
) {
  const { ask } = await import("./_setup.ts");
  const { research, plan } = made;
  const input = { ask: ASK, context: { forbidden_words }, research, plan, draft };
  const schema = outputSchema("reviewer");
  const text = await ask("review", input, { output: { name: "review", schema } });
  return { review: JSON.parse(text) };
}

Deno.test("a clean draft of its own passes the review", async () => {
  const { draft, review } = await compose(ASK, { length: "800 words", tone: "formal" });
  expect(review.violations).toEqual([]);
  expect(review.score).toBeGreaterThanOrEqual(95);
  const { content } = mergeReview({ draft, review });
  expect(Math.abs(countWords(content) - 800)).toBeLessThanOrEqual(80);
});

Deno.test("a follow-up works on the reply before and keeps its topic", async () => {
  const first = await compose(ASK, { length: "400 words" });
  const { plan, draft } = await compose("Make it shorter, 120 words please.", {}, [], [
    { role: "user", content: ASK },
    { role: "assistant", content: first.draft },
  ]);
  expect(plan.title).toBe("Sustainable architecture trends");
  expect(Math.abs(countWords(draft) - 120)).toBeLessThanOrEqual(12);
  expect(draft).toContain("[turn-2]");
});

Deno.test("other languages: no English phrases of its own", async () => {
  const { draft } = await compose("Schreibe einen Text über Kork, 60 Wörter.", {}, [{
    id: "kork",
    text:
      "Kork dämmt Wände sehr gut. Die Eichen werden alle neun Jahre geschält. Portugal erntet etwa die Hälfte der Welternte. Korkplatten nehmen kaum Wasser auf und bleiben lange elastisch.",
  }]);
  expect(draft).toContain("Kork dämmt Wände sehr gut");
  expect(draft).not.toMatch(/\b(?:the|what|one document|overview)\b/i);
});
