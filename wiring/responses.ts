/** The cache of responses of a configuration. @module */
import type { Config } from "../config.ts";
import type { Catalog } from "../pipeline/catalog/mod.ts";
import type { Engine } from "../pipeline/kernel/mod.ts";
import { createResponseCache, type ResponseCache } from "../service/mod.ts";
import type { Base, Ports } from "./ports.ts";

/** Makes it; responses change with the pipelines and models that are installed. */
export function configuredResponses(
  { models, runs }: Config,
  { store, world, ports, engine, catalog }: Base & {
    ports: Ports;
    engine: Engine;
    catalog: Catalog;
  },
): ResponseCache {
  const { cache, conversations, memory, tools } = ports;
  return createResponseCache({
    store,
    cache,
    conversations,
    memory,
    engine,
    tools,
    pipelines: async (caller) =>
      (await catalog.pipelines(caller)).map(({ name, version }) => [name, version ?? null]),
    models: [models.provider, models.default_model, models.fallbacks],
    ttl_ms: runs.response_cache_ms,
    newId: world.newId,
  });
}
