/** What a call used, which is estimated where no provider counts it, and what that costs. @module */
import { Buffer } from "node:buffer";
import { OrchestratorError } from "../errors.ts";
import type { Usage } from "../telemetry/mod.ts";
import type { Draft, ModelRequest } from "./model.ts";
import type { Price } from "./provider.ts";
import { ROWS } from "./providers.ts";

/** Prices by `provider/model`. */
type Prices = Readonly<Record<string, Price>>;

/** The list prices of all providers. */
export const PRICES: Prices = Object.freeze(Object.fromEntries(
  ROWS.flatMap(([name, { prices }]) =>
    Object.entries(prices).map(([model, price]) => [`${name}/${model}`, price])
  ),
));

/** What the tokenizers of today need for a token of text, about. */
const BYTES_PER_TOKEN = 4;

/** The offline model runs on this machine. */
const FREE: Price = Object.freeze({ input: 0, output: 0 });

/**
 * The price of a model, if it is known.
 *
 * @param model `provider/model`
 * @param own prices that go before the table's
 */
export function priceOf(model: string, own: Prices = {}): Price | undefined {
  return model === "offline" ? FREE : find(own, model) ?? find(PRICES, model);
}

/** What a usage costs in USD; 0 when no price is known. Parameters as of {@linkcode priceOf}. */
export function costOf(
  model: string,
  usage: Pick<Usage, "input_tokens" | "output_tokens">,
  own: Prices = {},
): number {
  const price = priceOf(model, own);
  if (!price) return 0;
  return (usage.input_tokens * price.input + usage.output_tokens * price.output) / 1_000_000;
}

/**
 * Refuses a budget in US dollars that could not be enforced.
 *
 * @param unpriced the models that may answer and have no price
 * @throws `model_unpriced`
 */
export function mustBePriced(unpriced: string[]): void {
  if (unpriced.length === 0) return;
  const example = JSON.stringify({ [unpriced[0]!]: { input: 1, output: 2 } });
  throw new OrchestratorError(
    "model_unpriced",
    `A budget of cost_usd cannot be enforced: the price of ${unpriced.join(", ")} is not known. ` +
      `Set LLM_PRICES to its price in USD for a million tokens, for instance ${example}, or limit ` +
      "tokens instead.",
    { details: { models: unpriced } },
  );
}

/**
 * The exact name, or the same name with a date or a channel behind it (`-2025-04-14`, `-latest`,
 * `-preview`): a variant such as `-mini` has a price of its own or none.
 */
function find(prices: Prices, model: string): Price | undefined {
  const base = model.replace(/-(latest|preview(-[\d-]+)?|\d{8}|\d{4}-\d{2}-\d{2})$/, "");
  return prices[model] ?? prices[base];
}

/** The usage of an answer: what was not counted is estimated and marked as `estimated`. */
export function completeUsage(request: ModelRequest, answer: Draft): Usage {
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
