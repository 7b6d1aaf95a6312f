/** Lets a few work at a time; the rest wait in line. @module */

/** A line with `limit` places at its front. */
export interface Turns {
  /** Waits for a place, works, gives the place to the next one. @throws what aborted `signal` */
  take<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** Makes a line in which `limit` may work at a time. */
export function createTurns(limit: number): Turns {
  let free = limit;
  const line = new Set<() => void>();

  async function wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (free > 0) return void free--;
    const turn = Promise.withResolvers<void>();
    const leave = () => turn.reject(signal.reason);
    line.add(turn.resolve);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await turn.promise;
    } finally {
      line.delete(turn.resolve);
      signal.removeEventListener("abort", leave);
    }
  }

  /** The place goes to the first in line without being free in between. */
  function next(): void {
    const [first] = line;
    if (!first) return void free++;
    line.delete(first);
    first();
  }

  return {
    async take(work, signal) {
      await wait(signal);
      try {
        return await work();
      } finally {
        next();
      }
    },
  };
}
