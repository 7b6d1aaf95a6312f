import { expect } from "expect";
import { parse } from "../../json/parse.ts";
import { chatRequest, runRequest, workflowRequest } from "../../service/requests.ts";

Deno.test("a run request with a misspelt field names both fields", () => {
  expect(parse(runRequest, { pipline: "echo" })).toEqual({
    problems: [
      { path: ["pipline"], message: 'unknown field "pipline"; did you mean "pipeline"?' },
      { path: ["pipeline"], message: "is required" },
    ],
  });
});

Deno.test("a chat request without a word says what to send", () => {
  expect(parse(chatRequest, {})).toEqual({
    problems: [{ path: ["messages"], message: "is required: send messages or prompt" }],
  });
  expect(parse(chatRequest, { messages: [{ content: "hi" }] })).toMatchObject({
    problems: [{
      path: ["messages", 0, "role"],
      message: "is required: one of user, assistant, system",
    }],
  });
});

Deno.test("a data set's path is answered with what an address looks like", () => {
  expect(parse(workflowRequest, { user_goal: "g", dataset_url: "/tmp/file.csv" })).toEqual({
    problems: [{
      path: ["dataset_url"],
      message: "must be an http(s) URL, or artifact://art_… of an uploaded file",
    }],
  });
});
