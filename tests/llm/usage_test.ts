import { expect } from "expect";
import {
  costOf,
  createAnthropicModel,
  createOpenaiModel,
  type ModelAnswer,
  PRICES,
  PRICES_AS_OF,
  rowOf,
} from "../../llm/mod.ts";
import { readTokens } from "../../llm/answer.ts";
import { completeUsage, priceOf } from "../../llm/usage.ts";
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

const MANY = { input_tokens: 2_000_000, output_tokens: 500_000 };

test("costOf() multiplies tokens and prices", () => {
  expect(costOf("openai/gpt-4.1", MANY)).toBeCloseTo(2 * 2 + 8 * 0.5);
});

test("costOf() takes dated and channel names for the model, variants not", () => {
  const mini = costOf("openai/gpt-4.1-mini", MANY);
  expect(costOf("openai/gpt-4.1-mini-2025-04-14", MANY)).toBe(mini);
  expect(costOf("anthropic/claude-haiku-4-5-20251001", MANY)).toBeCloseTo(2 + 2.5);
  expect(costOf("google/gemini-2.5-pro-preview-05-06", MANY)).toBeCloseTo(2.5 + 5);
  expect(costOf("openai/gpt-4.1-giant", MANY)).toBe(0);
});

test("costOf() puts own prices first and knows nothing of others", () => {
  expect(costOf("openai/gpt-4.1", MANY, { "openai/gpt-4.1": { input: 0, output: 0 } })).toBe(0);
  expect(costOf("local/llama", MANY, { "local/llama": { input: 1, output: 2 } })).toBe(3);
  expect(costOf("offline", MANY)).toBe(0);
});

test("priceOf() tells a price of nothing from none", () => {
  expect(priceOf("offline")).toEqual({ input: 0, output: 0 });
  expect(priceOf("local/llama")).toBeUndefined();
  expect(priceOf("local/llama", { "local/llama": { input: 0, output: 0 } }))
    .toEqual({ input: 0, output: 0 });
});

test("PRICES holds positive prices and their day", () => {
  expect(PRICES_AS_OF).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  for (const [model, price] of Object.entries(PRICES)) {
    const [provider, ...rest] = model.split("/");
    expect(rowOf(provider!)?.prices[rest.join("/")]).toBe(price);
    expect(price.output).toBeGreaterThan(price.input);
    expect(price.input).toBeGreaterThan(0);
  }
});
