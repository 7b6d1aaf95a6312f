import { expect } from "expect";
import { readYaml } from "../../../pipeline/language/yaml.ts";
import { within } from "../../_yardstick.ts";

const TOO_DEEP = [{
  location: "line 1",
  message: "values are nested deeper than 64 levels; flatten them",
}];

for (const opening of ["[", "{a: ", "[{", "[\n", "- ", "? "]) {
  Deno.test(`readYaml() refuses deep nesting of ${JSON.stringify(opening)} before it parses`, async () => {
    const text = opening.repeat(262_000 / opening.length);
    const { issues } = await within(700, () => readYaml(text));
    expect(issues).toEqual(TOO_DEEP);
  });
}

Deno.test("readYaml() accepts 64 levels, in brackets and in lines, but no more", () => {
  const nested = (
    depth: number,
  ) => ["[".repeat(depth) + "]".repeat(depth), "- ".repeat(depth) + "a"];
  for (const text of nested(64)) expect(readYaml(text).issues).toEqual([]);
  for (const text of nested(65)) expect(readYaml(text).issues).toEqual(TOO_DEEP);
});

Deno.test("readYaml() takes no brackets and dashes in texts for nesting", () => {
  const brackets = "[{- ".repeat(100);
  const texts = [`a: "${brackets}"`, `a: '${brackets}'`, `a: |\n  ${brackets}`, `a: x${brackets}`];
  for (const text of texts) expect(readYaml(text).issues).toEqual([]);
  expect(readYaml(`a: 1 # ${brackets}`).value).toEqual({ a: 1 });
  expect(readYaml(`a: {${Array.from({ length: 100 }, (_, n) => `k${n}: {b: 1}`)}}`).issues)
    .toEqual([]);
  expect(readYaml("- [a]\n- {b: [c]}\n".repeat(200)).issues).toEqual([]);
});
