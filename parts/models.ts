/** The models of a configuration. @module */
import type { Config } from "../config.ts";
import { configuredProviders, createModels, type ModelClient } from "../llm/mod.ts";

const PING_MS = 15_000;

/** The configured providers behind one client. `providers` is for tests. */
export function configuredModels(
  { models }: Pick<Config, "models">,
  providers = configuredProviders(models),
): ModelClient {
  return createModels({
    providers,
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
