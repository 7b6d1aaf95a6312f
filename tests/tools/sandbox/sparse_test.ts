import { expect } from "expect";
import fc from "fast-check";
import { expand, squeeze } from "../../../tools/sandbox/sparse.ts";

Deno.test("expand() makes of what squeeze() made the same memory", () => {
  const byte = fc.record({ at: fc.nat(50_000), value: fc.integer({ min: 1, max: 255 }) });
  fc.assert(
    fc.property(fc.nat(50_000), fc.array(byte, { maxLength: 20 }), (length, bytes) => {
      const memory = new Uint8Array(length);
      for (const { at, value } of bytes) memory[at] = value;
      // As it comes out of a frame: somewhere within other bytes.
      const within = new Uint8Array([7, ...squeeze(memory)]).subarray(1);
      expect(expand(within)).toEqual(memory);
    }),
    { numRuns: 50 },
  );
});

Deno.test("squeeze() leaves out pages of zeros", () => {
  const memory = new Uint8Array(1_000_000);
  memory.set([1, 2, 3], 500_000);
  expect(squeeze(memory).length).toBeLessThan(5_000);
});
