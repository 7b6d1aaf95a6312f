/** Tokens and money that a model call, a step or a run used. `cost_usd` is 0 when no price is known. */
export interface Usage {
  input_tokens: number;
  output_tokens: number;
  cost_usd: number;
  /** Present when a provider did not report tokens: they are, in part at least, an estimate. */
  estimated?: true;
}

/** No usage at all. */
export const NO_USAGE: Usage = Object.freeze({ input_tokens: 0, output_tokens: 0, cost_usd: 0 });

/** The sum of two usages. */
export function addUsage(a: Usage, b: Usage): Usage {
  return {
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    cost_usd: a.cost_usd + b.cost_usd,
    ...(a.estimated || b.estimated ? { estimated: true } : {}),
  };
}
