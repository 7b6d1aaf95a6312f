/** Longer names are not misspellings, and comparing them takes long. */
const MAX_NAME_CHARS = 64;

/** The candidate that `name` is most likely a misspelling of: within an edit distance of 2, or of a third of its length. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > MAX_NAME_CHARS) return;
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least && distance < candidate.length) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * `unknown <what> "<name>"`, with the nearest known name, or the list of all when it is short.
 *
 * @param candidates the known names; absent when they are not known
 */
export function unknownName(what: string, wanted: string, candidates?: Iterable<string>): string {
  const known = [...candidates ?? []];
  const guess = nearest(wanted, known);
  const name = wanted.length > MAX_NAME_CHARS ? `${wanted.slice(0, MAX_NAME_CHARS)}…` : wanted;
  const unknown = `unknown ${what} "${name}"`;
  if (candidates === undefined) return unknown;
  if (guess !== undefined) return `${unknown}; did you mean "${guess}"?`;
  if (known.length === 0) return `${unknown}; none is available`;
  const shown = known.slice(0, 12).join(", ");
  return `${unknown}; available: ${shown}${known.length > 12 ? ", …" : ""}`;
}

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      row.push(cost);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
