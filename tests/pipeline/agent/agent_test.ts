import { expect } from "expect";
import { readOutput } from "../../../pipeline/agent/agent.ts";
import { within } from "../../_yardstick.ts";

const SCHEMA = { type: "object", required: ["a"], properties: { a: { type: "number" } } };

Deno.test("readOutput() finds JSON in fences and prose", () => {
  for (
    const text of [
      '{"a":1}',
      '\n```json\n{"a": 1}\n```\n',
      'Here it is [1]: {"a": 1}. Use {braces} well.',
      'First {not this} then {"a":1}',
      'Sure!\n\n```\n{ "a": 1, "s": "}\\"{" }\n```',
    ]
  ) {
    expect(readOutput(text, SCHEMA)).toMatchObject({ value: { a: 1 } });
  }
  expect(readOutput("It is [1, 2], see {x}", { type: "array" })).toEqual({ value: [1, 2] });
  expect(readOutput('"text"', { type: "string" })).toEqual({ value: "text" });
});

Deno.test("readOutput() lists what does not fit", () => {
  expect(readOutput("no", SCHEMA)).toEqual({ problems: ["the answer is not JSON"] });
  expect(readOutput('{"a": 1', SCHEMA)).toEqual({ problems: ["the answer is not JSON"] });
  expect(readOutput('{"a": "x"}', SCHEMA)).toEqual({
    problems: [expect.stringMatching(/^\/a: .*number/)],
  });
});

Deno.test("readOutput() is quick with texts full of openings", async () => {
  const read = await within(1_000, () => readOutput("{".repeat(200_000), SCHEMA));
  expect(read).toEqual({ problems: ["the answer is not JSON"] });
});
