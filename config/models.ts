/** Which providers there are keys for, and which one answers. */
import * as z from "zod";
import type { Issue } from "../errors.ts";
import type { Secret } from "./secret.ts";
import type { ProviderName, Values, VariableName } from "./variables.ts";

/** A provider that is reached with a key. */
export interface KeyedProvider {
  api_key: Secret;
  base_url?: string;
}

/** The providers that can be used; absent ones have no key. */
export interface Providers {
  openai?: KeyedProvider;
  anthropic?: KeyedProvider;
  google?: KeyedProvider;
  /** `projects` maps an agent's name to the project that answers for it. */
  customgpt?: KeyedProvider & { projects: Record<string, string> };
  "openai-compatible"?: { api_key?: Secret; base_url: string };
}

/** Price of a model, in USD for a million tokens. */
export interface ModelPrice {
  input: number;
  output: number;
}

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
  prices: Record<string, ModelPrice>;
}

type KeyedName = "openai" | "anthropic" | "google" | "customgpt";

/** The variable that holds a provider's key, in the order in which present keys choose. */
const KEYS: Record<KeyedName, VariableName> = {
  openai: "OPENAI_API_KEY",
  anthropic: "ANTHROPIC_API_KEY",
  google: "GOOGLE_API_KEY",
  customgpt: "CUSTOMGPT_API_KEY",
};

/** Which variable names the CustomGPT project of which agent. */
export const PROJECTS = {
  researcher: "RESEARCH_AGENT_PROJECT_ID",
  planner: "PLANNING_AGENT_PROJECT_ID",
  builder: "BUILDER_AGENT_PROJECT_ID",
  reviewer: "REVIEW_AGENT_PROJECT_ID",
} as const satisfies Record<string, VariableName>;

const DEFAULT_MODELS: Record<Exclude<ProviderName, "openai-compatible">, string> = {
  openai: "gpt-5-mini",
  anthropic: "claude-haiku-4-5",
  google: "gemini-3.8-flash",
  customgpt: "default",
  offline: "offline",
};

const PRICES = z.record(
  z.string().regex(/^[a-z-]+\/\S+$/),
  z.strictObject({ input: z.number().nonnegative(), output: z.number().nonnegative() }),
);

/** Shapes the model variables and tells what is wrong with them. */
export function readModels(
  values: Values,
  readText: (path: string) => string,
): { config: ModelsConfig; issues: Issue[] } {
  const choice = chooseProvider(values);
  const providers = readProviders(values, choice.provider);
  const prices = readPrices(values.LLM_PRICES, readText);
  const config: ModelsConfig = {
    ...choice,
    default_model: values.LLM_DEFAULT_MODEL ?? defaultModel(choice.provider),
    fallbacks: values.LLM_FALLBACKS.map(canonical),
    providers,
    timeout_ms: values.LLM_TIMEOUT_SECONDS * 1000,
    stall_timeout_ms: values.LLM_STALL_TIMEOUT_SECONDS * 1000,
    max_attempts: values.LLM_MAX_ATTEMPTS,
    proxied: false,
    prices: prices.value,
  };
  return { config, issues: [...prices.issues, ...missing(values, config), ...unusable(config)] };
}

function chooseProvider(values: Values): { provider: ProviderName; chosen_by: string } {
  if (values.LLM_PROVIDER) return { provider: values.LLM_PROVIDER, chosen_by: "LLM_PROVIDER" };
  if (values.LLM_BASE_URL) return { provider: "openai-compatible", chosen_by: "LLM_BASE_URL" };
  for (const [provider, variable] of Object.entries(KEYS) as [KeyedName, VariableName][]) {
    if (provider === "google" && !values.GOOGLE_API_KEY && values.GEMINI_API_KEY) {
      return { provider, chosen_by: "GEMINI_API_KEY" };
    }
    if (values[variable]) return { provider, chosen_by: variable };
  }
  return { provider: "offline", chosen_by: "no key is set" };
}

function readProviders(values: Values, chosen: ProviderName): Providers {
  const keyed = (name: KeyedName, own?: Secret, base_url?: string): KeyedProvider | undefined => {
    const api_key = own ?? (chosen === name ? values.LLM_API_KEY : undefined);
    return api_key && { api_key, ...(base_url && { base_url }) };
  };
  const openai = keyed("openai", values.OPENAI_API_KEY, values.OPENAI_BASE_URL);
  const anthropic = keyed("anthropic", values.ANTHROPIC_API_KEY, values.ANTHROPIC_BASE_URL);
  const google = keyed(
    "google",
    values.GOOGLE_API_KEY ?? values.GEMINI_API_KEY,
    values.GOOGLE_BASE_URL,
  );
  const customgpt = keyed("customgpt", values.CUSTOMGPT_API_KEY, values.CUSTOMGPT_BASE_URL);
  return {
    ...(openai && { openai }),
    ...(anthropic && { anthropic }),
    ...(google && { google }),
    ...(customgpt && { customgpt: { ...customgpt, projects: readProjects(values) } }),
    ...(values.LLM_BASE_URL && {
      "openai-compatible": {
        base_url: values.LLM_BASE_URL,
        ...(values.LLM_API_KEY && { api_key: values.LLM_API_KEY }),
      },
    }),
  };
}

function readProjects(values: Values): Record<string, string> {
  return Object.fromEntries(
    Object.entries(PROJECTS).flatMap(([agent, variable]) => {
      const project = values[variable];
      return project ? [[agent, project]] : [];
    }),
  );
}

function defaultModel(provider: ProviderName): string {
  return provider === "openai-compatible" ? "" : DEFAULT_MODELS[provider];
}

/** `google-genai/x` is another spelling of `google/x`. */
function canonical(model: string): string {
  return model.replace(/^google-genai\//, "google/");
}

/** What the chosen provider needs and does not have. */
function missing(values: Values, models: ModelsConfig): Issue[] {
  const { provider, chosen_by } = models;
  const need = (variable: VariableName, what: string): Issue => ({
    location: variable,
    message: `is not set, but provider ${provider} (chosen by ${chosen_by}) needs it: ${what}`,
  });
  if (provider === "offline") {
    const loose = values.LLM_API_KEY && chosen_by !== "LLM_PROVIDER";
    const message = "says no provider: set LLM_PROVIDER or LLM_BASE_URL too";
    return loose ? [{ location: "LLM_API_KEY", message }] : [];
  }
  if (provider === "openai-compatible") {
    return [
      ...(values.LLM_BASE_URL ? [] : [need("LLM_BASE_URL", "the server's address")]),
      ...(models.default_model ? [] : [need("LLM_DEFAULT_MODEL", "a model of that server")]),
    ];
  }
  if (!models.providers[provider]) {
    return [need(KEYS[provider], "its key. Set it, or choose another LLM_PROVIDER")];
  }
  if (provider !== "customgpt") return [];
  return Object.values(PROJECTS).filter((variable) => !values[variable])
    .map((variable) => need(variable, "the agent's project id, from the project's settings"));
}

/** Fallbacks that can never answer. */
function unusable({ fallbacks, providers }: ModelsConfig): Issue[] {
  return fallbacks.flatMap((model) => {
    const name = model.slice(0, model.indexOf("/"));
    if (name === "offline" || Object.hasOwn(providers, name)) return [];
    const known = Object.hasOwn(KEYS, name) || name === "openai-compatible";
    const variable = KEYS[name as KeyedName] ?? "LLM_BASE_URL";
    const mend = known ? `set ${variable} or leave it out` : "write provider/model";
    return [{
      location: "LLM_FALLBACKS",
      message: `names ${model}, whose provider is ${known ? "not set up" : "unknown"}: ${mend}`,
    }];
  });
}

function readPrices(
  source: string | undefined,
  readText: (path: string) => string,
): { value: Record<string, ModelPrice>; issues: Issue[] } {
  if (!source) return { value: {}, issues: [] };
  try {
    const json = source.startsWith("{") ? source : readText(source);
    return { value: PRICES.parse(JSON.parse(json)), issues: [] };
  } catch (error) {
    const why = error instanceof z.ZodError
      ? z.prettifyError(error).replace(/\s+/g, " ")
      : (error as Error).message;
    const message =
      `cannot be used: ${why}. Write {"provider/model":{"input":USD,"output":USD}}, ` +
      "or the path of a file that holds it";
    return { value: {}, issues: [{ location: "LLM_PRICES", message }] };
  }
}
