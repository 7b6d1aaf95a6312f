/**
 * How many tokens a call used. What a provider reports is a number from outside and is checked; what
 * it does not report is estimated, so that budgets count.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Usage } from "../telemetry/mod.ts";
import type { ModelAnswer, ModelRequest } from "./model.ts";

/** More than any model reads or writes in one call: a larger number is a mistake. */
const MOST_TOKENS = 100_000_000;
/** What the tokenizers of today need for a token of text, about. */
const BYTES_PER_TOKEN = 4;

/**
 * The sum of what a provider reports for one side of a call, such as new and cached input.
 *
 * @returns `undefined` when nothing is reported, or something that is no count of tokens
 */
export function readTokens(...reported: unknown[]): number | undefined {
  const given = reported.filter((value) => value !== undefined && value !== null);
  const counts = given.map(toCount).filter((value) => value !== undefined);
  const isSound = given.length > 0 && counts.length === given.length;
  return isSound ? counts.reduce((sum, value) => sum + value) : undefined;
}

function toCount(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  const isCount = Number.isInteger(number) && (number as number) >= 0 &&
    (number as number) <= MOST_TOKENS;
  return isCount ? number as number : undefined;
}

/** The usage of an answer: what was not counted is estimated and marked as `estimated`. */
export function completeUsage(request: ModelRequest, answer: ModelAnswer): Usage {
  const { usage, text, tool_calls } = answer;
  const { messages, tools, output } = request;
  const input_tokens = usage.input_tokens || estimate([messages, tools, output]);
  const output_tokens = usage.output_tokens || estimate([text, ...tool_calls]);
  const isCounted = input_tokens === usage.input_tokens && output_tokens === usage.output_tokens;
  return isCounted ? usage : { ...usage, input_tokens, output_tokens, estimated: true };
}

function estimate(parts: unknown[]): number {
  const text = parts.map((part) => typeof part === "string" ? part : JSON.stringify(part) ?? "");
  return Math.ceil(Buffer.byteLength(text.join("")) / BYTES_PER_TOKEN);
}
