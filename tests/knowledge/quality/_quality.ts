/**
 * How well searches rank: a corpus of 12 documents from the documentation of four packages (licences
 * in `documents/LICENSES.txt`), questions in other words than theirs, and which sections answer them
 * (2: well, 1: partly).
 */
import type { Knowledge, SearchAnswer, SearchResult } from "../../../knowledge/mod.ts";
import { LOCAL } from "../../_caller.ts";

/** A section that answers a question: of a document, by its heading or by what it contains. */
interface Relevant {
  document: string;
  heading?: string;
  contains?: string;
  grade: number;
}

/** A question with its answers. */
export interface Question {
  query: string;
  relevant: Relevant[];
}

const here = new URL(".", import.meta.url);
const never = new AbortController().signal;

/** The labelled questions. */
export const QUESTIONS: Question[] = JSON.parse(
  Deno.readTextFileSync(new URL("queries.json", here)),
);

/** Adds the corpus. */
export async function addCorpus({ add }: Pick<Knowledge, "add">): Promise<void> {
  const files = [...Deno.readDirSync(new URL("documents", here))]
    .filter(({ name }) => name.endsWith(".md")).map(({ name }) => name).sort();
  for (const name of files) {
    const bytes = await Deno.readFile(new URL(`documents/${name}`, here));
    const title = name.replace(".md", "").replaceAll("_", " ");
    await add(LOCAL, { bytes, type: "text/markdown", name, title }, never);
  }
}

/**
 * nDCG@10 (Järvelin and Kekäläinen, 2002) of each question. A section counts once: further passages
 * of it bring nothing.
 */
export async function measure(
  search: (query: string) => Promise<SearchAnswer>,
): Promise<{ query: string; ndcg: number }[]> {
  const scores = [];
  for (const { query, relevant } of QUESTIONS) {
    const { results } = await search(query);
    const open = new Set(relevant);
    const gains = results.slice(0, 10).map((result) => {
      const fit = [...open].filter((one) => fits(one, result))
        .toSorted((a, b) => b.grade - a.grade)[0];
      if (fit) open.delete(fit);
      return fit?.grade ?? 0;
    });
    const ideal = relevant.map(({ grade }) => grade).toSorted((a, b) => b - a);
    scores.push({ query, ndcg: discounted(gains) / discounted(ideal) });
  }
  return scores;
}

/** The mean. */
export function mean(scores: { ndcg: number }[]): number {
  return scores.reduce((sum, { ndcg }) => sum + ndcg, 0) / scores.length;
}

function fits({ document, heading, contains }: Relevant, result: SearchResult): boolean {
  return result.document.title === document.replaceAll("_", " ") &&
    (heading === undefined || result.heading.at(-1) === heading) &&
    (contains === undefined || result.text.includes(contains));
}

function discounted(gains: number[]): number {
  return gains.reduce((sum, gain, rank) => sum + (2 ** gain - 1) / Math.log2(rank + 2), 0);
}
