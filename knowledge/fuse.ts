import type { Hit } from "./document.ts";

/** From Cormack, Clarke, Büttcher, "Reciprocal Rank Fusion" (SIGIR 2009). */
const RRF_K = 60;

/** One ranking out of several: a hit scores the sum of 1 / (60 + its rank) over all of them. */
export function fuse(rankings: Hit[][]): Hit[] {
  const fused = new Map<string, Hit>();
  for (const ranking of rankings) {
    ranking.forEach((hit, index) => {
      const id = `${hit.document}#${hit.n}`;
      const before = fused.get(id)?.score ?? 0;
      fused.set(id, { ...hit, score: before + 1 / (RRF_K + index + 1) });
    });
  }
  return [...fused.values()].sort((a, b) => b.score - a.score);
}
