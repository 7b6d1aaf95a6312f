import { expect } from "expect";
import { library, NEVER } from "./_setup.ts";
import { addCorpus, mean, measure, QUESTIONS } from "./quality/_quality.ts";
import { LOCAL } from "../_caller.ts";

/** Measured: see docs/knowledge.md. */
const FLOOR = 0.64;

Deno.test("search by words ranks what answers a question near the top", async () => {
  await using docs = await library();
  await addCorpus({ add: (...asked) => docs.knowledge.add(...asked) });
  const [collection] = await docs.knowledge.collections(LOCAL);
  expect(collection!.passages).toBeGreaterThan(60);
  expect(QUESTIONS.length).toBeGreaterThan(25);
  const scores = await measure((query) => docs.knowledge.search(LOCAL, { query }, NEVER));
  expect(mean(scores)).toBeGreaterThan(FLOOR);
});
