/** The models of a configuration. @module */
import type { Config } from "../config.ts";
import { configuredProviders, createModels, type Fetch, type ModelClient } from "../llm/mod.ts";
import { createOfflineModel } from "../offline/mod.ts";

const PING_MS = 15_000;

/** Makers of the configured providers' clients; the offline model is always among them. */
export function modelClients(
  { models }: Pick<Config, "models">,
  fetch?: Fetch,
): Record<string, () => ModelClient> {
  return { offline: createOfflineModel, ...configuredProviders(models, fetch) };
}

/** The configured providers behind one client. `clients` is for tests. */
export function configuredModels(
  config: Pick<Config, "models">,
  clients: Record<string, () => ModelClient> = modelClients(config),
): ModelClient {
  const { models } = config;
  return createModels({
    providers: clients,
    default_provider: models.provider,
    default_model: models.default_model,
    fallbacks: models.fallbacks,
    timeout_ms: models.timeout_ms,
    stall_timeout_ms: models.stall_timeout_ms,
    prices: models.prices,
  });
}

/** Asks the chosen provider for its models. @throws `model_*` */
export async function ping(config: Config): Promise<{ latency_ms: number; models: string[] }> {
  const began = performance.now();
  const models = await configuredModels(config).models(AbortSignal.timeout(PING_MS));
  return { latency_ms: performance.now() - began, models };
}
