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
  /** What is well formed but may not be what was intended; `check` reports it. */
  warnings?: Issue[];
}

type KeyedName = "openai" | "anthropic" | "google" | "customgpt";

/** The variable that holds a provider's key, in the order in which present keys choose. */
export const KEYS: Record<KeyedName, VariableName> = {
  openai: "OPENAI_API_KEY",
  anthropic: "ANTHROPIC_API_KEY",
  google: "GOOGLE_API_KEY",
  customgpt: "CUSTOMGPT_API_KEY",
};

/** The variable that holds a provider's address. */
const BASE_URLS: Record<KeyedName, VariableName> = {
  openai: "OPENAI_BASE_URL",
  anthropic: "ANTHROPIC_BASE_URL",
  google: "GOOGLE_BASE_URL",
  customgpt: "CUSTOMGPT_BASE_URL",
};

/** Which variable names the CustomGPT project of which agent. */
export const PROJECTS = {
  researcher: "RESEARCH_AGENT_PROJECT_ID",
  planner: "PLANNING_AGENT_PROJECT_ID",
  builder: "BUILDER_AGENT_PROJECT_ID",
  reviewer: "REVIEW_AGENT_PROJECT_ID",
} as const satisfies Record<string, VariableName>;

const DEFAULT_MODELS: Record<ProviderName, string> = {
  openai: "gpt-5-mini",
  anthropic: "claude-haiku-4-5",
  google: "gemini-3.8-flash",
  customgpt: "default",
  "openai-compatible": "",
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
  const first = chooseProvider(values);
  const providers = readProviders(values, first.provider);
  const choice = chooseModel(values.LLM_DEFAULT_MODEL, first, providers);
  const prices = readPrices(values.LLM_PRICES, readText);
  const warnings = unusedKeys(values, choice.provider);
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
  const issues = [
    ...prices.issues,
    ...missing(values, config),
    ...twoAddresses(values),
    ...otherProvider(config),
    ...unusable(config),
  ];
  return { config, issues };
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

/** Whose address `LLM_BASE_URL` is. */
function ownerOfBaseUrl({ LLM_PROVIDER, LLM_BASE_URL }: Values): ProviderName | undefined {
  if (!LLM_BASE_URL) return undefined;
  return LLM_PROVIDER && LLM_PROVIDER !== "offline" ? LLM_PROVIDER : "openai-compatible";
}

/**
 * A key goes to the server that it was given for, and to no other: `LLM_API_KEY` to `LLM_BASE_URL`,
 * a provider's own key to that provider or to its own base URL.
 */
function readProviders(values: Values, chosen: ProviderName): Providers {
  const { LLM_API_KEY, LLM_BASE_URL } = values;
  const owner = ownerOfBaseUrl(values);
  const keyed = (name: KeyedName, own?: Secret, base_url?: string): KeyedProvider | undefined => {
    if (owner === name) return LLM_API_KEY && { api_key: LLM_API_KEY, base_url: LLM_BASE_URL };
    const api_key = own ?? (chosen === name ? LLM_API_KEY : undefined);
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
    ...(LLM_BASE_URL && owner === "openai-compatible" && {
      "openai-compatible": {
        base_url: LLM_BASE_URL,
        ...(LLM_API_KEY && { api_key: LLM_API_KEY }),
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

type Choice = Pick<ModelsConfig, "provider" | "chosen_by">;

/**
 * The default model, and whose it is. A model that names another provider is that provider's, unless
 * `LLM_PROVIDER` or `LLM_BASE_URL` has decided: names of gateways' models begin with anything.
 */
function chooseModel(
  asked: string | undefined,
  { provider, chosen_by }: Choice,
  providers: Providers,
): Choice & { default_model: string } {
  if (asked === undefined) return { provider, chosen_by, default_model: DEFAULT_MODELS[provider] };
  const { prefix, rest } = split(asked);
  if (prefix === provider) return { provider, chosen_by, default_model: rest };
  const decided = chosen_by === "LLM_PROVIDER" || chosen_by === "LLM_BASE_URL";
  const usable = prefix === "offline" || (prefix && providers[prefix]);
  return prefix && usable && !decided
    ? { provider: prefix, chosen_by: "LLM_DEFAULT_MODEL", default_model: rest }
    : { provider, chosen_by, default_model: asked };
}

/** A default model that another provider has: this one would only answer that it has no such model. */
function otherProvider({ provider, default_model, providers }: ModelsConfig): Issue[] {
  const { prefix } = split(default_model);
  if (!prefix || provider === "offline" || providers[provider]?.base_url) return [];
  const message = `is ${default_model}, but ${provider} is the provider: set LLM_PROVIDER to ` +
    `${prefix} and set its key, or choose a model of ${provider}`;
  return [{ location: "LLM_DEFAULT_MODEL", message }];
}

/** A model's name and the provider that it begins with, if it begins with one. */
function split(name: string): { prefix?: ProviderName; rest: string } {
  if (name === "offline") return { prefix: name, rest: name };
  const [prefix, ...rest] = canonical(name).split("/");
  const known = rest.length > 0 && Object.hasOwn(DEFAULT_MODELS, prefix!);
  return known ? { prefix: prefix as ProviderName, rest: rest.join("/") } : { rest: name };
}

/** `google-genai/x` is another spelling of `google/x`. */
export function canonical(model: string): string {
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
    const [key, address] = [KEYS[provider], BASE_URLS[provider]];
    return values.LLM_BASE_URL
      ? [need(
        "LLM_API_KEY",
        `the key of the server at LLM_BASE_URL. ${key} is for ${provider} itself, or for the server ` +
          `at ${address}. Set LLM_API_KEY, or ${address} instead of LLM_BASE_URL`,
      )]
      : [need(key, "its key. Set it, or choose another LLM_PROVIDER")];
  }
  if (provider !== "customgpt") return [];
  return Object.values(PROJECTS).filter((variable) => !values[variable])
    .map((variable) => need(variable, "the agent's project id, from the project's settings"));
}

function twoAddresses(values: Values): Issue[] {
  const owner = ownerOfBaseUrl(values);
  const own = Object.hasOwn(BASE_URLS, owner ?? "") ? BASE_URLS[owner as KeyedName] : undefined;
  if (!own || !values[own]) return [];
  const message = `and ${own} are both addresses of ${owner}: remove one`;
  return [{ location: "LLM_BASE_URL", message }];
}

/** Keys that do not go to `LLM_BASE_URL`, where they may have been intended to go. */
function unusedKeys(values: Values, chosen: ProviderName): Issue[] {
  const owner = ownerOfBaseUrl(values);
  if (owner === "openai-compatible" && chosen === owner) {
    if (values.LLM_API_KEY || !values.OPENAI_API_KEY) return [];
    const message = "is not sent to LLM_BASE_URL: it is used for models named openai/… only. If " +
      "the server at LLM_BASE_URL needs a key, set LLM_API_KEY";
    return [{ location: "OPENAI_API_KEY", message }];
  }
  const key = Object.hasOwn(KEYS, owner ?? "") ? KEYS[owner as KeyedName] : undefined;
  if (!key || !values[key]) return [];
  const message = `is not used: ${owner} is at LLM_BASE_URL, whose key is LLM_API_KEY`;
  return [{ location: key, message }];
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
