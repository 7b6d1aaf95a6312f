/**
 * Language models: one port ({@linkcode ModelClient}), its adapters and the router over them.
 *
 * @module
 */
export { MAX_ANSWER_BYTES } from "./answer.ts";
export { type AnthropicOptions, createAnthropicModel } from "./anthropic.ts";
export { configuredProviders, type Reached, type ReachedProviders } from "./clients.ts";
export { createCustomgptModel, type CustomgptOptions } from "./customgpt.ts";
export { diagnose } from "./diagnosis.ts";
export { createEmbedder } from "./embeddings.ts";
export { createGoogleModel, type GoogleOptions } from "./google.ts";
export type {
  Citation,
  Draft,
  FailedCandidate,
  GenerateOptions,
  JsonSchema,
  ModelAnswer,
  ModelClient,
  ModelMessage,
  ModelRequest,
  ToolCall,
  ToolSpec,
} from "./model.ts";
export { canonical, misspelt, type ResolvedModel, resolveModel, variableFor } from "./names.ts";
export { createOpenaiModel, type OpenaiOptions } from "./openai.ts";
export { costOf, mustBePriced, PRICES } from "./usage.ts";
export { createProbe, type Probe, type ProbeResult } from "./probe.ts";
export { type Price, type Provider, type Vendor } from "./provider.ts";
export {
  type AddressVariable,
  type KeyVariable,
  keyVariables,
  PRICES_AS_OF,
  type ProjectVariable,
  type ProviderName,
  PROVIDERS,
  rowOf,
  ROWS,
} from "./providers.ts";
export { createModels, type RouterOptions } from "./router.ts";
export { createFetch, type Fetch, type FetchOptions, type ModelFetch } from "./transport.ts";
export { type ModelHealth, type WatchedModels, watchModels } from "./watched.ts";
