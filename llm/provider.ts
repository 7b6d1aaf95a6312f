/** What a provider of models is. The table of all of them is `providers.ts`. @module */
import type { ModelClient } from "./model.ts";
import type { Fetch } from "./transport.ts";

/** Price of a model, in USD for a million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

/** What an adapter gets to reach its provider. */
export interface Access {
  /** The provider's name, for answers and errors. */
  provider: string;
  /** Empty for a server without keys. */
  apiKey: string;
  baseUrl: string;
  /** Project ids by agent, where {@linkcode Provider.projects} is set. */
  projects: Record<string, string>;
  fetch: Fetch;
}

/** Everything the program knows about a provider: the environment, the docs and all of `llm/` read it here. */
export type Provider = Vendor | Unaddressed;

/** A provider with an address of its own: its key chooses it. */
export interface Vendor extends ProviderFields {
  /** The variables that may hold its key; the first one that is set counts. */
  readonly keys: readonly [string, ...string[]];
  /** The variable that holds another address, such as a gateway's. */
  readonly base_url: string;
  /**
   * Where it is, without a slash at the end. What its adapter appends decides how much of the path
   * belongs to it: `createOpenaiModel` appends `/chat/completions`, so the version does
   * (`https://api.openai.com/v1`); `createAnthropicModel` appends `/v1/messages`, so it does not.
   */
  readonly address: string;
  /** The model of agents that name none. */
  readonly default_model: string;
}

/** A provider of which only the configuration knows where it is: `LLM_BASE_URL` and the like. */
export interface Unaddressed extends ProviderFields {
  readonly keys: readonly [];
  readonly base_url: null;
  readonly address: null;
  readonly default_model: null;
}

interface ProviderFields {
  /** As people write it. */
  readonly title: string;
  /** List prices by model, without discounts for caches and batches. */
  readonly prices: Readonly<Record<string, Price>>;
  /** Makes its client: an adapter of its own, or the one of the protocol that it speaks. */
  readonly create: (access: Access) => ModelClient;
  /** Other spellings of its name. */
  readonly aliases?: readonly string[];
  /** The variables that hold project ids, by agent, of a provider that has projects instead of models. */
  readonly projects?: Readonly<Record<string, string>>;
}
