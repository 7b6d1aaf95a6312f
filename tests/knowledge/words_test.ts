import { expect } from "expect";
import { queryWords, words } from "../../knowledge/words.ts";

Deno.test("words() finds words of many languages", () => {
  expect(words("Running, dogs’ tails!")).toEqual(["run", "dog", "tail"]);
  expect(words("Müller, café ЁЛКА")).toEqual(["muller", "cafe", "елка"]);
  expect(words("東京は日本の首都です")).toContain("首都");
  expect(words("ภาษาไทยง่าย").length).toBeGreaterThan(1);
  expect(words("हिन्दी में")).toEqual(["हिन्दी", "में"]);
});

Deno.test("words() finds the parts of names and numbers, too", () => {
  expect(words("getUserName")).toEqual(["getusernam", "get", "user", "name"]);
  expect(words("v1.25")).toEqual(["v1.25", "v1", "25"]);
  expect(words("2024")).toEqual(["2024"]);
  expect(words('"* (x) -- ;')).toEqual(["x"]);
});

Deno.test("queryWords() leaves out what says nothing, unless nothing else is asked", () => {
  expect(queryWords("What is the price of the dog?")).toEqual(["price", "dog"]);
  expect(queryWords("to be or not to be")).toEqual(["to", "be", "or", "not"]);
  expect(queryWords("die Katze")).toEqual(["die", "katz"]);
  expect(queryWords("?!")).toEqual([]);
});
