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
export interface Provider {
  /** As people write it. */
  readonly title: string;
  /** The variables that may hold its key; the first one that is set counts. */
  readonly keys: readonly string[];
  /** The variable that holds another address, such as a gateway's. */
  readonly base_url: string | null;
  /** Where it is; `null` when only the configuration knows. */
  readonly address: string | null;
  /** The model of agents that name none; `null` when the configuration has to say. */
  readonly default_model: string | null;
  /** List prices by model, without discounts for caches and batches. */
  readonly prices: Readonly<Record<string, Price>>;
  /** Makes its client: an adapter of its own, or the one of the protocol that it speaks. */
  readonly create: (access: Access) => ModelClient;
  /** Other spellings of its name. */
  readonly aliases?: readonly string[];
  /** The variables that hold project ids, by agent, of a provider that has projects instead of models. */
  readonly projects?: Readonly<Record<string, string>>;
}
