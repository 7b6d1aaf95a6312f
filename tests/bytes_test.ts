import { expect } from "expect";
import { isLonger, joinBytes } from "../bytes.ts";

Deno.test("joinBytes() keeps the order, and copies only what there are several of", () => {
  const [one, two] = [new Uint8Array([1, 2]), new Uint8Array([3])];
  expect(joinBytes([one, two])).toEqual(new Uint8Array([1, 2, 3]));
  expect(joinBytes([one])).toBe(one);
  expect(joinBytes([])).toEqual(new Uint8Array());
});

Deno.test("isLonger() counts bytes of UTF-8, not characters", () => {
  for (
    const [text, bytes] of [["", 0], ["abc", 3], ["é", 2], ["甲", 3], ["😀", 4], ["\ud800", 3]]
  ) {
    expect([text, isLonger(text as string, bytes as number)]).toEqual([text, false]);
    expect([text, isLonger(text as string, bytes as number - 1)]).toEqual([text, true]);
  }
});
