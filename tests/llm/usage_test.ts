import { expect } from "expect";
import { createAnthropicModel, createOpenaiModel, type ModelAnswer } from "../../llm/mod.ts";
import { completeUsage, readTokens } from "../../llm/usage.ts";
import { sse } from "../_mock/script.ts";
import { ask, KEY, test } from "./_setup.ts";

const ABSURD = ["abc", "", -1, 1.5, NaN, Infinity, 1e300, "1e3", "-1", {}, [], true];

test("readTokens() adds up counts and takes digits in text for one", () => {
  expect(readTokens(3)).toBe(3);
  expect(readTokens("12")).toBe(12);
  expect(readTokens(1, undefined, null, 2)).toBe(3);
  expect(readTokens(0)).toBe(0);
});

test("readTokens() believes nothing where something is no count", () => {
  for (const value of ABSURD) {
    expect([value, readTokens(value)]).toEqual([value, undefined]);
    expect(readTokens(5, value)).toBeUndefined();
  }
  expect(readTokens()).toBeUndefined();
  expect(readTokens(undefined, null)).toBeUndefined();
});

const answer = (more: Partial<ModelAnswer>): ModelAnswer => ({
  text: "",
  tool_calls: [],
  finish_reason: "stop",
  usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
  model: "m",
  ...more,
});
const request = { messages: [{ role: "user" as const, content: "x".repeat(400) }] };

test("completeUsage() leaves what was counted", () => {
  const usage = { input_tokens: 7, output_tokens: 2, cost_usd: 0 };
  expect(completeUsage(request, answer({ text: "hello", usage }))).toBe(usage);
  const nothing = { input_tokens: 7, output_tokens: 0, cost_usd: 0 };
  expect(completeUsage(request, answer({ usage: nothing }))).toBe(nothing);
});

test("completeUsage() estimates what was not counted, and says so", () => {
  const whole = completeUsage(request, answer({ text: "y".repeat(40) }));
  expect(whole).toMatchObject({ output_tokens: 10, estimated: true });
  expect(whole.input_tokens).toBeGreaterThan(100);
  expect(whole.input_tokens).toBeLessThan(120);
  const usage = { input_tokens: 7, output_tokens: 0, cost_usd: 0 };
  const tool_calls = [{ id: "a", name: "look", arguments: '{"for":"it"}' }];
  const part = completeUsage(request, answer({ usage, tool_calls }));
  expect(part).toMatchObject({ input_tokens: 7, estimated: true });
  expect(part.output_tokens).toBeGreaterThan(3);
});

const streaming = (events: unknown[]) => () =>
  Promise.resolve(
    new Response(events.map((event) => sse(event)).join(""), {
      headers: { "content-type": "text/event-stream" },
    }),
  );

test("openai leaves out numbers of usage that are none", async () => {
  for (const value of ABSURD) {
    const fetch = streaming([
      { choices: [{ delta: { content: "hi" }, finish_reason: "stop" }] },
      { choices: [], usage: { prompt_tokens: value, completion_tokens: 3 } },
    ]);
    const { answer } = await ask(createOpenaiModel({ fetch }));
    expect(answer.usage).toEqual({ input_tokens: 0, output_tokens: 3, cost_usd: 0 });
  }
});

test("anthropic reads the input tokens that come with the last event only", async () => {
  const fetch = streaming([
    { type: "message_start", message: { usage: { input_tokens: "abc" } } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "hi" } },
    {
      type: "message_delta",
      delta: { stop_reason: "end_turn" },
      usage: { input_tokens: 9, cache_read_input_tokens: 4, output_tokens: -5 },
    },
    { type: "message_stop" },
  ]);
  const { answer } = await ask(createAnthropicModel({ apiKey: KEY, fetch }));
  expect(answer.usage).toEqual({ input_tokens: 13, output_tokens: 0, cost_usd: 0 });
});

test("anthropic takes events without usage", async () => {
  const fetch = streaming([
    { type: "message_start", message: {} },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "hi" } },
    { type: "message_delta", delta: { stop_reason: "end_turn" } },
    { type: "message_stop" },
  ]);
  const { answer } = await ask(createAnthropicModel({ apiKey: KEY, fetch }));
  expect(answer.usage).toEqual({ input_tokens: 0, output_tokens: 0, cost_usd: 0 });
});
