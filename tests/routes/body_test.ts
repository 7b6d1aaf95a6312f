import { expect } from "expect";
import fc from "fast-check";
import { parseJson } from "../../routes/body.ts";
import { errorOffset } from "../../routes/json_position.ts";

const CASES: [text: string, offset: number][] = [
  ["", 0],
  ["  ", 2],
  ["x", 0],
  ["{", 1],
  ["[1,]", 3],
  ["[1 2]", 3],
  ['{"a":1,}', 7],
  ['{"a" 1}', 5],
  ["{a:1}", 1],
  ['{"a":1}}', 7],
  ["[1}", 2],
  ['{"a":1]', 6],
  ["[01]", 1],
  ["1.", 0],
  ["-", 0],
  ["1e5x", 0],
  ["tru", 0],
  ["truex", 0],
  ['"abc', 0],
  ['["\\x"]', 1],
  ['["a\nb"]', 1],
  ["[,]", 1],
  [":", 0],
  ["1 1", 2],
  ["null,", 4],
];

for (const [text, offset] of CASES) {
  Deno.test(`errorOffset() of ${JSON.stringify(text)} is ${offset}`, () => {
    expect(() => JSON.parse(text)).toThrow();
    expect(errorOffset(text)).toBe(offset);
  });
}

Deno.test("errorOffset() reads all valid JSON to its end", () => {
  fc.assert(fc.property(fc.json(), (text) => errorOffset(text) === text.length));
  const text = '{"a":[1,-2.5e+3,true,null,"\\u00e9\\n\\" \x7f"],"b":{},"c":[]}';
  expect(JSON.parse(text)).toBeDefined();
  expect(errorOffset(text)).toBe(text.length);
});

Deno.test("errorOffset() finds the end of valid JSON that is cut off", () => {
  fc.assert(fc.property(fc.array(fc.json(), { minLength: 1 }), (items) => {
    const text = `[${items.join(",")}`;
    return errorOffset(text) === text.length;
  }));
});

Deno.test("errorOffset() takes a long string in its stride", () => {
  const text = `["${"a".repeat(1_000_000)}",]`;
  expect(errorOffset(text)).toBe(text.length - 1);
});

Deno.test("parseJson() gives what JSON.parse gives, without __proto__", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
    const text = JSON.stringify(value);
    if (!text.includes("__proto__")) expect(parseJson(text)).toEqual(JSON.parse(text));
  }));
  expect(Object.keys(parseJson('{"a":{"__proto__":1,"b":2}}') as object)).toEqual(["a"]);
  expect(JSON.stringify(parseJson('{"\\u005f_proto__":1,"b":[{"__proto__":1}]}'))).toBe(
    '{"b":[{}]}',
  );
});

Deno.test("parseJson() says that there is nothing, and which part it could not read", () => {
  const refusal = (text: string, part?: string) => {
    try {
      parseJson(text, part);
    } catch (error) {
      return error;
    }
  };
  expect(refusal(" ")).toMatchObject({
    message: "Cannot read the JSON: it is empty. Send JSON, at least {}.",
    issues: [{ location: "", message: "empty" }],
  });
  expect(refusal("{", "?metadata")).toMatchObject({
    message: expect.stringContaining(
      "Cannot read the JSON of ?metadata: it is not valid at line 1",
    ),
    issues: [{ location: "?metadata, line 1, column 2" }],
  });
});
