import type { Hit } from "./document.ts";

/** What the best fit by meaning weighs against the best fit by words. */
const MEANING = 0.5;

/**
 * One ranking out of two: the weighted sum of both scores, each brought to 0 … 1 first. Bruch, Gai,
 * Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (2022) find that better than a sum
 * of ranks, and so do we: with ranks, a weak model's first guess weighs as much as a perfect match of
 * words.
 *
 * @param byWords scores from 0 on
 * @param byMeaning cosines: only their differences say something
 */
export function fuse(byWords: Hit[], byMeaning: Hit[]): Hit[] {
  const fused = new Map<string, Hit>();
  const near = scaled(byMeaning, byMeaning.at(-1)?.score ?? 0)
    .map((hit) => ({ ...hit, score: MEANING * hit.score }));
  for (const hit of [...scaled(byWords, 0), ...near]) {
    const id = `${hit.document}#${hit.n}`;
    fused.set(id, { ...hit, score: hit.score + (fused.get(id)?.score ?? 0) });
  }
  return [...fused.values()].sort((a, b) => b.score - a.score);
}

/** The best one gets 1, `least` 0. The best one comes first. */
function scaled(hits: Hit[], least: number): Hit[] {
  const range = (hits[0]?.score ?? 0) - least;
  return hits.map((hit) => ({ ...hit, score: range > 0 ? (hit.score - least) / range : 1 }));
}
