import { expect } from "expect";
import { fillJson, fillQuery, fillText, placeholders } from "../../../tools/http/template.ts";

Deno.test("fillText() puts arguments in, encoded part by part", () => {
  const args = { id: "a/b c", n: 3, list: ["x,y", 2], flag: false, none: null, deep: { a: 1 } };
  expect(fillText("/{id}/{n}", args, encodeURIComponent)).toBe("/a%2Fb%20c/3");
  expect(fillText("{list}", args, encodeURIComponent)).toBe("x%2Cy,2");
  expect(fillText("{flag}{none}{deep}", args)).toBe('false{"a":1}');
});

Deno.test("fillText() leaves a text out when an argument is missing", () => {
  expect(fillText("Bearer {token}", {})).toBeUndefined();
  expect(fillText("{toString}", {})).toBeUndefined();
  expect(fillText("{ not one } {}", {})).toBe("{ not one } {}");
});

Deno.test("fillQuery() repeats parameters, joins them, and leaves out what is missing", () => {
  const args = { tags: ["a", "b"], filter: { state: "open", n: 1 }, q: "x y" };
  expect(fillQuery({
    tag: "{tags*}",
    tags: "{tags}",
    filter: "{filter*}",
    q: "{q}",
    single: "{q*}",
    fixed: "1",
    gone: "{gone}",
  }, args)).toEqual([
    ["tag", "a"],
    ["tag", "b"],
    ["tags", "a,b"],
    ["state", "open"],
    ["n", "1"],
    ["q", "x y"],
    ["single", "x y"],
    ["fixed", "1"],
  ]);
});

Deno.test("fillJson() keeps types, and leaves out what is missing", () => {
  const template = {
    n: "{n}",
    text: "is {n}",
    all: ["{n}", "{gone}", 1],
    gone: "{gone}",
    no: null,
  };
  expect(fillJson(template, { n: 3 })).toEqual({ n: 3, text: "is 3", all: [3, 1], no: null });
  expect(fillJson("{body}", { body: { a: [1] } })).toEqual({ a: [1] });
  expect(fillJson("{body}", {})).toBeUndefined();
});

Deno.test("placeholders() finds names at any depth", () => {
  expect(placeholders({ a: ["{x}", { b: "{y*} {z.w}" }], c: 1 })).toEqual(["x", "y", "z.w"]);
});
