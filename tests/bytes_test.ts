import { expect } from "expect";
import { joinBytes } from "../bytes.ts";

Deno.test("joinBytes() keeps the order, and copies only what there are several of", () => {
  const [one, two] = [new Uint8Array([1, 2]), new Uint8Array([3])];
  expect(joinBytes([one, two])).toEqual(new Uint8Array([1, 2, 3]));
  expect(joinBytes([one])).toBe(one);
  expect(joinBytes([])).toEqual(new Uint8Array());
});
