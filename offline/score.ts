/**
 * Relevance: BM25 for "speaks to the ask", cosine similarity for "says the same", and maximal
 * marginal relevance (Carbonell and Goldstein, 1998) to choose texts that are relevant and unlike.
 *
 * @module
 */

/** Terms of a collection of texts, ready to be scored against. */
export interface TermIndex {
  texts: Map<string, number>[];
  lengths: number[];
  mean_length: number;
  /** Texts that hold the term. */
  frequency: Map<string, number>;
}

const K1 = 1.2;
const B = 0.75;

/** Indexes texts that were cut into terms. */
export function indexTerms(texts: string[][]): TermIndex {
  const frequency = new Map<string, number>();
  const counted = texts.map((terms) => {
    const counts = count(terms);
    for (const term of counts.keys()) frequency.set(term, (frequency.get(term) ?? 0) + 1);
    return counts;
  });
  const lengths = texts.map((terms) => terms.length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return { texts: counted, lengths, mean_length: total / Math.max(1, texts.length), frequency };
}

/** How often each value occurs. */
export function count(values: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** Rarity of a term: Lucene's BM25 form, never negative. */
export function rarity(index: TermIndex, term: string): number {
  const n = index.frequency.get(term) ?? 0;
  return Math.log(1 + (index.texts.length - n + 0.5) / (n + 0.5));
}

/** BM25 of every text of the index for the query's terms. */
export function bm25(index: TermIndex, query: string[]): number[] {
  const terms = [...new Set(query)].filter((term) => index.frequency.has(term));
  return index.texts.map((counts, i) => {
    const norm = K1 * (1 - B + B * (index.lengths[i] ?? 0) / Math.max(1, index.mean_length));
    return terms.reduce((sum, term) => {
      const tf = counts.get(term) ?? 0;
      return tf === 0 ? sum : sum + rarity(index, term) * tf * (K1 + 1) / (tf + norm);
    }, 0);
  });
}

/** Cosine of two bags of terms, 0 to 1; each term weighs its rarity in `index` when one is given. */
export function cosine(
  a: Map<string, number>,
  b: Map<string, number>,
  index?: TermIndex,
): number {
  const weigh = (term: string) => index ? rarity(index, term) : 1;
  const norm = (bag: Map<string, number>) => {
    let sum = 0;
    for (const [term, n] of bag) sum += (n * weigh(term)) ** 2;
    return Math.sqrt(sum);
  };
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  let dot = 0;
  for (const [term, n] of small) dot += n * (large.get(term) ?? 0) * weigh(term) ** 2;
  return dot === 0 ? 0 : dot / (norm(a) * norm(b));
}

/** Scales figures so that the largest is 1. */
export function normalize(values: number[]): number[] {
  const top = values.reduce((max, value) => Math.max(max, value), 0);
  return top === 0 ? values : values.map((value) => value / top);
}

/**
 * Chooses by maximal marginal relevance.
 *
 * @param scores relevance of each candidate
 * @param similarity of two candidates, 0 to 1
 * @param enough told each choice; true ends the choosing
 * @returns indexes, best first
 */
export function chooseDiverse(
  scores: number[],
  similarity: (a: number, b: number) => number,
  enough: (chosen: number) => boolean,
): number[] {
  const rest = new Set(scores.keys());
  const nearest = scores.map(() => 0);
  const chosen: number[] = [];
  while (rest.size > 0) {
    let best = -1;
    let bestValue = -Infinity;
    for (const i of rest) {
      const value = 0.75 * (scores[i] ?? 0) - 0.25 * (nearest[i] ?? 0);
      if (value > bestValue) [best, bestValue] = [i, value];
    }
    rest.delete(best);
    chosen.push(best);
    if (enough(best)) break;
    for (const i of rest) nearest[i] = Math.max(nearest[i] ?? 0, similarity(best, i));
  }
  return chosen;
}
