/** Everything about models that the environment decides. @module */
import * as z from "zod";
import { type Issue, sentence } from "../errors.ts";
import { parse, type Problem } from "../json/mod.ts";
import { canonical, type Price } from "../llm/mod.ts";
import { modelIssues, unusedKeys } from "./model_issues.ts";
import type { ProviderName } from "./model_variables.ts";
import { chooseModel, chooseProvider, type Providers, readProviders } from "./providers.ts";
import type { Values } from "./variables.ts";

/** Everything about models. */
export interface ModelsConfig {
  /** Answers where a request names no provider. */
  provider: ProviderName;
  /** Why this provider: the variable that decided, or `no key is set`. */
  chosen_by: string;
  /** A model of `provider`, without its prefix. */
  default_model: string;
  /** `provider/model`, in the order they are tried. */
  fallbacks: string[];
  providers: Providers;
  /** For one attempt. */
  timeout_ms: number;
  /** For a silence in the middle of an answer. */
  stall_timeout_ms: number;
  max_attempts: number;
  /** True when calls have to go through a proxy. */
  proxied: boolean;
  /** By `provider/model`. */
  prices: Record<string, Price>;
  /** What is well formed but may not be what was intended; `check` reports it. */
  warnings?: Issue[];
}

const PRICES = z.record(
  z.string().regex(/^[a-z-]+\/\S+$/, "must be named provider/model"),
  z.strictObject({ input: z.number().nonnegative(), output: z.number().nonnegative() }),
);

/** Shapes the model variables and tells what is wrong with them. */
export function readModels(
  values: Values,
  readText: (path: string) => string,
): { config: ModelsConfig; issues: Issue[] } {
  const first = chooseProvider(values);
  const providers = readProviders(values, first.provider);
  const choice = chooseModel(values.LLM_DEFAULT_MODEL, first, providers);
  const prices = readPrices(values.LLM_PRICES, readText);
  const warnings = unusedKeys(values);
  const config: ModelsConfig = {
    ...choice,
    fallbacks: values.LLM_FALLBACKS.map(canonical),
    providers,
    timeout_ms: values.LLM_TIMEOUT_SECONDS * 1000,
    stall_timeout_ms: values.LLM_STALL_TIMEOUT_SECONDS * 1000,
    max_attempts: values.LLM_MAX_ATTEMPTS,
    proxied: false,
    prices: prices.value,
    ...(warnings.length > 0 && { warnings }),
  };
  return { config, issues: [...prices.issues, ...modelIssues(values, config)] };
}

function readPrices(
  source: string | undefined,
  readText: (path: string) => string,
): { value: Record<string, Price>; issues: Issue[] } {
  if (!source) return { value: {}, issues: [] };
  try {
    const json = source.startsWith("{") ? source : readText(source);
    const { data, problems } = parse(PRICES, JSON.parse(json));
    if (!problems) return { value: data, issues: [] };
    const [{ path, message }] = problems as [Problem];
    return { value: {}, issues: [unusablePrices(`${path.join(".") || "the value"} ${message}`)] };
  } catch (error) {
    return { value: {}, issues: [unusablePrices((error as Error).message)] };
  }
}

function unusablePrices(why: string): Issue {
  return {
    location: "LLM_PRICES",
    message: `cannot be used: ${sentence(why)} Write ` +
      '{"provider/model":{"input":USD,"output":USD}}, or the path of a file that contains it',
  };
}
