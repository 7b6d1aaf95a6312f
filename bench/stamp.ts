/**
 * The marks in the mock's answers, which tell whoever reads them when each chunk was sent and how
 * many messages the model was given. They pass through a service as plain text.
 *
 * @module
 */

/** Milliseconds since 1970 with a fraction, comparable between processes of one machine. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** When a chunk is sent: `@@1790000000000.123@@`. */
export function stamp(): string {
  return `@@${now().toFixed(3)}@@`;
}

/** How many messages a request carries: `#m=3#`. */
export function messageMark(count: number): string {
  return `#m=${count}#`;
}

/** The count in the first {@linkcode messageMark} of a text, 0 without one. */
export function readMessageMark(text: string): number {
  return Number(/#m=(\d+)#/.exec(text)?.[1] ?? 0);
}

/** Longer than a stamp: what may be the beginning of one that the next piece completes. */
const TAIL = 40;

/**
 * Reads the stamps of one stream, whose pieces may end within a stamp. Each call returns those newer
 * than all before: a service repeats the whole text at the end, and that is no new chunk.
 */
export function createStampReader(): (piece: string) => number[] {
  let rest = "";
  let newest = 0;
  return (piece) => {
    rest += piece;
    const found: number[] = [];
    let end = 0;
    for (const match of rest.matchAll(/@@(\d+\.\d+)@@/g)) {
      end = match.index + match[0].length;
      const sent = Number(match[1]);
      if (sent <= newest) continue;
      newest = sent;
      found.push(sent);
    }
    rest = rest.slice(Math.max(end, rest.length - TAIL));
    return found;
  };
}
