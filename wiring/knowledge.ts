/** The documents of a configuration. @module */
import type { Config } from "../config.ts";
import type { Egress } from "../guard/mod.ts";
import { createKnowledge, createQdrant, type Knowledge } from "../knowledge/mod.ts";
import { createEmbedder } from "../llm/mod.ts";
import type { World } from "../pipeline/kernel/mod.ts";
import type { Store } from "../store/mod.ts";

/** The documents, searched by meaning where a model is configured. */
export function configuredKnowledge(
  config: Config,
  deps: { store: Store; egress: Egress; world: World },
): Knowledge {
  const { store, egress, world: { clock, newId } } = deps;
  const { embedding, vector_db, ...limits } = config.documents;
  return createKnowledge({
    store,
    now: clock.now,
    newId,
    limits: { ...limits, max_indexed: limits.max_passages },
    ...(embedding && {
      meaning: {
        embedder: createEmbedder({
          model: embedding.model,
          baseUrl: embedding.base_url,
          apiKey: embedding.api_key?.reveal(),
          timeout_ms: config.models.timeout_ms,
          sleep: clock.sleep,
        }),
        ...(vector_db && {
          db: createQdrant({
            egress,
            url: vector_db.url,
            apiKey: vector_db.api_key?.reveal(),
            model: embedding.model,
          }),
        }),
      },
    }),
  });
}
