import { expect } from "expect";
import { createStampReader, messageMark, now, readMessageMark, stamp } from "../../bench/stamp.ts";

Deno.test("createStampReader() returns each newer stamp once", () => {
  const read = createStampReader();
  expect(read("a @@1000.125@@ b @@1000.250@@")).toEqual([1000.125, 1000.25]);
  expect(read("the whole text again: @@1000.125@@ @@1000.250@@ @@1001.000@@")).toEqual([1001]);
});

Deno.test("createStampReader() puts together a stamp that was cut anywhere", () => {
  const text = "some words @@1790000000000.125@@ more";
  for (let cut = 0; cut <= text.length; cut++) {
    const read = createStampReader();
    const found = [text.slice(0, cut), text.slice(cut)].flatMap(read);
    expect(found).toEqual([1790000000000.125]);
  }
});

Deno.test("stamp() is read back as the time it was made", () => {
  const before = now();
  const [sent = 0] = createStampReader()(stamp());
  expect(sent).toBeGreaterThan(before - 1);
  expect(sent).toBeLessThan(now() + 1);
});

Deno.test("readMessageMark() finds the count, 0 without one", () => {
  expect(readMessageMark(`data: {"d":"${messageMark(21)} words"}`)).toBe(21);
  expect(readMessageMark("words")).toBe(0);
});
