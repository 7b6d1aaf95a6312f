/**
 * The providers of models, one row each. A row is all it takes to add one that speaks a protocol for
 * which there is an adapter; for another protocol, write an adapter of {@linkcode ModelClient} beside
 * the ones imported here.
 *
 * Without `LLM_PROVIDER` and `LLM_BASE_URL` the first row whose key is set is chosen.
 *
 * @module
 */
import { ANTHROPIC_ADDRESS, createAnthropicModel } from "./anthropic.ts";
import { createCustomgptModel, CUSTOMGPT_ADDRESS } from "./customgpt.ts";
import { createGoogleModel, GOOGLE_ADDRESS } from "./google.ts";
import { createOpenaiModel, OPENAI_ADDRESS } from "./openai.ts";
import type { Provider } from "./provider.ts";

/** The day of the prices below; providers change theirs, `LLM_PRICES` overrides them. */
export const PRICES_AS_OF = "2026-11-01";

/** All providers by name. */
export const PROVIDERS = {
  openai: {
    title: "OpenAI",
    keys: ["OPENAI_API_KEY"],
    base_url: "OPENAI_BASE_URL",
    address: OPENAI_ADDRESS,
    default_model: "gpt-5-mini",
    prices: {
      "gpt-5.5": { input: 5, output: 30 },
      "gpt-5.4": { input: 2.5, output: 15 },
      "gpt-5.4-mini": { input: 0.75, output: 4.5 },
      "gpt-5.4-nano": { input: 0.2, output: 1.25 },
      "gpt-5.2": { input: 1.75, output: 14 },
      "gpt-5.1": { input: 1.25, output: 10 },
      "gpt-5": { input: 1.25, output: 10 },
      "gpt-5-mini": { input: 0.25, output: 2 },
      "gpt-5-nano": { input: 0.05, output: 0.4 },
      "gpt-4.1": { input: 2, output: 8 },
      "gpt-4.1-mini": { input: 0.4, output: 1.6 },
      "gpt-4o": { input: 2.5, output: 10 },
      "gpt-4o-mini": { input: 0.15, output: 0.6 },
    },
    create: createOpenaiModel,
  },
  anthropic: {
    title: "Anthropic",
    keys: ["ANTHROPIC_API_KEY"],
    base_url: "ANTHROPIC_BASE_URL",
    address: ANTHROPIC_ADDRESS,
    default_model: "claude-haiku-4-5",
    prices: {
      "claude-fable-5-1": { input: 10, output: 50 },
      "claude-opus-5-5": { input: 4, output: 20 },
      "claude-opus-5": { input: 5, output: 25 },
      "claude-opus-4-8": { input: 5, output: 25 },
      "claude-opus-4-5": { input: 5, output: 25 },
      "claude-sonnet-5-5": { input: 2, output: 10 },
      "claude-sonnet-5": { input: 2, output: 10 },
      "claude-sonnet-4-6": { input: 3, output: 15 },
      "claude-sonnet-4-5": { input: 3, output: 15 },
      "claude-haiku-4-5": { input: 1, output: 5 },
    },
    create: createAnthropicModel,
  },
  google: {
    title: "Google Gemini",
    aliases: ["google-genai"],
    keys: ["GOOGLE_API_KEY", "GEMINI_API_KEY"],
    base_url: "GOOGLE_BASE_URL",
    address: GOOGLE_ADDRESS,
    default_model: "gemini-3.8-flash",
    prices: {
      "gemini-3.8-flash": { input: 0.75, output: 3.75 },
      "gemini-3.1-pro": { input: 2, output: 12 },
      "gemini-3-flash": { input: 0.5, output: 3 },
      "gemini-2.5-pro": { input: 1.25, output: 10 },
      "gemini-2.5-flash": { input: 0.3, output: 2.5 },
      "gemini-2.5-flash-lite": { input: 0.1, output: 0.4 },
    },
    create: createGoogleModel,
  },
  customgpt: {
    title: "CustomGPT",
    keys: ["CUSTOMGPT_API_KEY"],
    base_url: "CUSTOMGPT_BASE_URL",
    address: CUSTOMGPT_ADDRESS,
    default_model: "default",
    projects: {
      researcher: "RESEARCH_AGENT_PROJECT_ID",
      planner: "PLANNING_AGENT_PROJECT_ID",
      builder: "BUILDER_AGENT_PROJECT_ID",
      reviewer: "REVIEW_AGENT_PROJECT_ID",
    },
    prices: {},
    create: createCustomgptModel,
  },
  /** Any server that speaks OpenAI's API, described by the variables that begin with `LLM_` alone. */
  "openai-compatible": {
    title: "an OpenAI-compatible server",
    keys: [],
    base_url: null,
    address: null,
    default_model: null,
    prices: {},
    create: createOpenaiModel,
  },
} as const satisfies Record<string, Provider>;

/** The name of a provider. */
export type ProviderName = keyof typeof PROVIDERS;

type Row = typeof PROVIDERS[ProviderName];
/** The variables that hold the providers' keys. */
export type KeyVariable = Row["keys"][number];
/** The variables that hold the providers' addresses. */
export type AddressVariable = NonNullable<Row["base_url"]>;
type Projects = Extract<Row, { projects: unknown }>["projects"];
/** The variables that hold project ids. */
export type ProjectVariable = Projects[keyof Projects];

/** The rows as a list, for those who read all of them alike. */
export const ROWS = Object.entries(PROVIDERS) as [ProviderName, Provider][];

/** The variables of which one makes a language model answer, for messages: `A_API_KEY, B_API_KEY or C_API_KEY`. */
export function keyVariables(): string {
  const names = ROWS.flatMap(([, { keys }]) => keys.slice(0, 1));
  return names.join(", ").replace(/, (?!.*, )/, " or ");
}

/** The row of a provider; `undefined` for names that are none, and for the offline model. */
export function rowOf(name: string): Provider | undefined {
  return Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name as ProviderName] : undefined;
}
