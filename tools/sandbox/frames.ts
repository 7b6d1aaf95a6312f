/**
 * How a process and its child talk over pipes: frames of a JSON head and bytes, each with its length
 * in front (32 bits, big endian).
 *
 * @module
 */

import { joinBytes } from "../../bytes.ts";

/** One message. */
export interface Frame {
  head: Record<string, unknown>;
  body: Uint8Array<ArrayBuffer>;
}

const PREFIX = 8;

/** The bytes of a frame. */
export function encodeFrame(
  head: Record<string, unknown>,
  body: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const bytes = new Uint8Array(PREFIX + text.length + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, text.length);
  view.setUint32(4, body.length);
  bytes.set(text, PREFIX);
  bytes.set(body, PREFIX + text.length);
  return bytes;
}

/**
 * Reads frames until the stream ends.
 *
 * @throws RangeError when a frame says that it is longer than `max_bytes`; SyntaxError when its head
 *   is not JSON
 */
export async function* readFrames(
  stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  max_bytes: number,
): AsyncGenerator<Frame> {
  const chunks: Uint8Array[] = [];
  let held = 0;
  let wanted = PREFIX;
  for await (const chunk of stream) {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= wanted) {
      const bytes = joinBytes(chunks);
      const [head, body] = lengths(bytes);
      if (head + body > max_bytes) throw new RangeError(`a frame of ${head + body} bytes`);
      wanted = PREFIX + head + body;
      chunks.splice(0, chunks.length, bytes);
      if (held < wanted) break;
      yield decode(bytes, head, wanted);
      chunks.splice(0, 1, bytes.subarray(wanted));
      held -= wanted;
      wanted = PREFIX;
    }
  }
}

function lengths(bytes: Uint8Array): [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [view.getUint32(0), view.getUint32(4)];
}

function decode(bytes: Uint8Array, head: number, end: number): Frame {
  const text = new TextDecoder().decode(bytes.subarray(PREFIX, PREFIX + head));
  return { head: JSON.parse(text), body: bytes.slice(PREFIX + head, end) as Frame["body"] };
}
