import { expect } from "expect";
import * as z from "zod";
import { parse } from "../../service/issues.ts";
import { chatRequest, runRequest, workflowRequest } from "../../service/requests.ts";
import type { Json } from "../../pipeline/kernel/events.ts";

const SAMPLE = z.strictObject({
  text: z.string().min(1).max(2).optional(),
  count: z.int().min(1).max(5).optional(),
  share: z.number().positive().lt(1).optional(),
  items: z.array(z.boolean()).min(2).optional(),
  part: z.strictObject({ a: z.unknown().optional() }).optional(),
  map: z.record(z.string(), z.unknown()).optional(),
  mode: z.enum(["on", "off"]).optional(),
});

const CASES: [value: Json, location: string, message: string][] = [
  [{ text: 1 }, "/text", "must be text"],
  [{ text: "" }, "/text", "must have at least 1 character"],
  [{ text: "abc" }, "/text", "must have at most 2 characters"],
  [{ count: 1.5 }, "/count", "must be a whole number"],
  [{ count: 9 }, "/count", "must be at most 5"],
  [{ share: 0 }, "/share", "must be more than 0"],
  [{ share: 1 }, "/share", "must be less than 1"],
  [{ items: [true] }, "/items", "must hold at least 2"],
  [{ items: [true, 1] }, "/items/1", "must be true or false"],
  [{ items: {} }, "/items", "must be a list"],
  [{ map: 1 }, "/map", "must be an object"],
  [{ mode: "of" }, "/mode", "must be one of on, off"],
  [{ part: { b: 1 } }, "/part/b", "unknown field"],
  [{ cuont: 1 }, "/cuont", 'unknown field; did you mean "count"?'],
  [[], "", "must be an object"],
];

for (const [value, location, message] of CASES) {
  Deno.test(`parse() says what is wrong with ${JSON.stringify(value)}`, () => {
    expect(parse(SAMPLE, value)).toEqual({ issues: [{ location, message }] });
  });
}

Deno.test("parse() gives what the schema makes of a value", () => {
  expect(parse(z.strictObject({ n: z.int().default(1) }), {})).toEqual({ data: { n: 1 } });
});

Deno.test("a misspelt field comes before the one that is missing for it", () => {
  expect(parse(runRequest, { pipline: "echo" })).toEqual({
    issues: [
      { location: "/pipline", message: 'unknown field; did you mean "pipeline"?' },
      { location: "/pipeline", message: "missing" },
    ],
  });
});

Deno.test("a chat request without a word says what to send", () => {
  expect(parse(chatRequest, {})).toEqual({
    issues: [{ location: "/messages", message: "missing: send messages or prompt" }],
  });
  const role = { messages: [{ content: "hi" }] };
  expect(parse(chatRequest, role)).toMatchObject({
    issues: [{
      location: "/messages/0/role",
      message: "missing: send one of user, assistant, system",
    }],
  });
});

Deno.test("a data set's path is told what an address looks like", () => {
  expect(parse(workflowRequest, { user_goal: "g", dataset_url: "/tmp/file.csv" })).toEqual({
    issues: [{
      location: "/dataset_url",
      message: "must be an http(s) URL, or artifact://art_… of an uploaded file",
    }],
  });
});
