import { expect } from "expect";
import { costOf, PRICES, PRICES_AS_OF, rowOf } from "../../llm/mod.ts";
import { priceOf } from "../../llm/prices.ts";
import { test } from "./_setup.ts";

const usage = { input_tokens: 2_000_000, output_tokens: 500_000 };

test("costOf() multiplies tokens and prices", () => {
  expect(costOf("openai/gpt-4.1", usage)).toBeCloseTo(2 * 2 + 8 * 0.5);
});

test("costOf() takes dated and channel names for the model, variants not", () => {
  const mini = costOf("openai/gpt-4.1-mini", usage);
  expect(costOf("openai/gpt-4.1-mini-2025-04-14", usage)).toBe(mini);
  expect(costOf("anthropic/claude-haiku-4-5-20251001", usage)).toBeCloseTo(2 + 2.5);
  expect(costOf("google/gemini-2.5-pro-preview-05-06", usage)).toBeCloseTo(2.5 + 5);
  expect(costOf("openai/gpt-4.1-giant", usage)).toBe(0);
});

test("costOf() puts own prices first and knows nothing of others", () => {
  expect(costOf("openai/gpt-4.1", usage, { "openai/gpt-4.1": { input: 0, output: 0 } })).toBe(0);
  expect(costOf("local/llama", usage, { "local/llama": { input: 1, output: 2 } })).toBe(3);
  expect(costOf("offline", usage)).toBe(0);
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
