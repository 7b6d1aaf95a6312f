/** What tokens cost. */
import { OrchestratorError } from "../errors.ts";
import type { Usage } from "../telemetry/mod.ts";

/** Price of a model, in USD for a million tokens. */
export interface Price {
  input: number;
  output: number;
}

/** The day of {@linkcode PRICES}; providers change theirs, `LLM_PRICES` overrides. */
export const PRICES_AS_OF = "2026-11-01";

/** List prices by `provider/model`, without discounts for caches and batches. */
export const PRICES: Readonly<Record<string, Price>> = Object.freeze({
  "openai/gpt-5.5": { input: 5, output: 30 },
  "openai/gpt-5.4": { input: 2.5, output: 15 },
  "openai/gpt-5.4-mini": { input: 0.75, output: 4.5 },
  "openai/gpt-5.4-nano": { input: 0.2, output: 1.25 },
  "openai/gpt-5.2": { input: 1.75, output: 14 },
  "openai/gpt-5.1": { input: 1.25, output: 10 },
  "openai/gpt-5": { input: 1.25, output: 10 },
  "openai/gpt-5-mini": { input: 0.25, output: 2 },
  "openai/gpt-5-nano": { input: 0.05, output: 0.4 },
  "openai/gpt-4.1": { input: 2, output: 8 },
  "openai/gpt-4.1-mini": { input: 0.4, output: 1.6 },
  "openai/gpt-4o": { input: 2.5, output: 10 },
  "openai/gpt-4o-mini": { input: 0.15, output: 0.6 },
  "anthropic/claude-fable-5-1": { input: 10, output: 50 },
  "anthropic/claude-opus-5-5": { input: 4, output: 20 },
  "anthropic/claude-opus-5": { input: 5, output: 25 },
  "anthropic/claude-opus-4-8": { input: 5, output: 25 },
  "anthropic/claude-opus-4-5": { input: 5, output: 25 },
  "anthropic/claude-sonnet-5-5": { input: 2, output: 10 },
  "anthropic/claude-sonnet-5": { input: 2, output: 10 },
  "anthropic/claude-sonnet-4-6": { input: 3, output: 15 },
  "anthropic/claude-sonnet-4-5": { input: 3, output: 15 },
  "anthropic/claude-haiku-4-5": { input: 1, output: 5 },
  "google/gemini-3.8-flash": { input: 0.75, output: 3.75 },
  "google/gemini-3.1-pro": { input: 2, output: 12 },
  "google/gemini-3-flash": { input: 0.5, output: 3 },
  "google/gemini-2.5-pro": { input: 1.25, output: 10 },
  "google/gemini-2.5-flash": { input: 0.3, output: 2.5 },
  "google/gemini-2.5-flash-lite": { input: 0.1, output: 0.4 },
});

/** The offline model runs on this machine. */
const FREE: Price = Object.freeze({ input: 0, output: 0 });

/** Prices by `provider/model`. */
type Prices = Readonly<Record<string, Price>>;

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
