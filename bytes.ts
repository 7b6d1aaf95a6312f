/** The bytes of `chunks` in one piece: a single chunk itself, of several a copy. */
export function joinBytes(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  // None of them is shared memory.
  if (chunks.length === 1) return chunks[0] as Uint8Array<ArrayBuffer>;
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The most bytes that a unit of a string takes in UTF-8. */
const UNIT_BYTES = 3;
const encoder = new TextEncoder();

/** True when `text` takes more than `limit` bytes in UTF-8. Encodes it only if its length does not tell. */
export function isLonger(text: string, limit: number): boolean {
  if (text.length > limit) return true;
  return text.length * UNIT_BYTES > limit && encoder.encode(text).length > limit;
}
