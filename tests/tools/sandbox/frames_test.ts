import { expect } from "expect";
import { encodeFrame, type Frame, readFrames } from "../../../tools/sandbox/frames.ts";

/** A stream of these bytes, in pieces of `size`. */
function inPieces(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return ReadableStream.from(pieces);
}

const bytes = new Uint8Array([
  ...encodeFrame({ kind: "job", code: "é" }),
  ...encodeFrame({ kind: "file", name: "a" }, new Uint8Array([1, 2, 3])),
  ...encodeFrame({}, new Uint8Array()),
]);

for (const size of [1, 7, 1000]) {
  Deno.test(`readFrames() reads what encodeFrame() wrote, in pieces of ${size}`, async () => {
    const frames = await Array.fromAsync(readFrames(inPieces(bytes, size), 100));
    expect(frames).toEqual([
      { head: { kind: "job", code: "é" }, body: new Uint8Array() },
      { head: { kind: "file", name: "a" }, body: new Uint8Array([1, 2, 3]) },
      { head: {}, body: new Uint8Array() },
    ]);
  });
}

Deno.test("readFrames() refuses a frame that is too long, and a head that is no JSON", async () => {
  const read = (bytes: Uint8Array) => Array.fromAsync<Frame>(readFrames(inPieces(bytes, 50), 100));
  await expect(read(encodeFrame({}, new Uint8Array(100)))).rejects.toBeInstanceOf(RangeError);
  const broken = encodeFrame({});
  broken[8] = 120;
  await expect(read(broken)).rejects.toBeInstanceOf(SyntaxError);
});
