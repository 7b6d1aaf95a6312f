/** Memory without its zeros: half of a started interpreter's is not used yet. @module */

const PAGE = 4096;
const WORD = 4;

/** What {@linkcode expand} makes the same memory of: its length, then what is not zero and where. */
export function squeeze(memory: Uint8Array): Uint8Array<ArrayBuffer> {
  const runs = usedRuns(memory);
  const size = runs.reduce((sum, [begin, end]) => sum + 2 * WORD + end - begin, WORD);
  const squeezed = new Uint8Array(size);
  const view = new DataView(squeezed.buffer);
  view.setUint32(0, memory.length);
  let at = WORD;
  for (const [begin, end] of runs) {
    view.setUint32(at, begin);
    view.setUint32(at + WORD, end);
    squeezed.set(memory.subarray(begin, end), at + 2 * WORD);
    at += 2 * WORD + end - begin;
  }
  return squeezed;
}

/** The memory that was squeezed. */
export function expand(squeezed: Uint8Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(squeezed.buffer, squeezed.byteOffset, squeezed.length);
  const memory = new Uint8Array(view.getUint32(0));
  for (let at = WORD; at < squeezed.length;) {
    const begin = view.getUint32(at);
    const length = view.getUint32(at + WORD) - begin;
    at += 2 * WORD;
    memory.set(squeezed.subarray(at, at + length), begin);
    at += length;
  }
  return memory;
}

/** From where to where there are pages with something in them. */
function usedRuns(memory: Uint8Array): [number, number][] {
  const runs: [number, number][] = [];
  for (let at = 0; at < memory.length; at += PAGE) {
    const end = Math.min(at + PAGE, memory.length);
    if (isZero(memory, at, end)) continue;
    const last = runs.at(-1);
    if (last?.[1] === at) last[1] = end;
    else runs.push([at, end]);
  }
  return runs;
}

function isZero(memory: Uint8Array, begin: number, end: number): boolean {
  for (let at = begin; at < end; at++) {
    if (memory[at] !== 0) return false;
  }
  return true;
}
