/** What the service works with: models, documents, memory, files, tools. @module */
import type { Config } from "../config.ts";
import { createEgress } from "../guard/mod.ts";
import { createConversations, createMemory } from "../knowledge/mod.ts";
import { watchModels } from "../llm/mod.ts";
import type { World } from "../pipeline/kernel/mod.ts";
import type { Search } from "../pipeline/nodes/mod.ts";
import { createNotebook } from "../pipeline/notebook/mod.ts";
import { createNodeCache } from "../pipeline/walk/mod.ts";
import { createArtifacts, type Store } from "../store/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import { createSandbox } from "../tools/sandbox/mod.ts";
import { configuredKnowledge } from "./knowledge.ts";
import { configuredModels } from "./models.ts";
import { configuredTools } from "./tools.ts";

/** What everything else is made with. */
export interface Base {
  store: Store;
  world: World;
  log: Logger;
}

/** The ports with the adapters that a configuration asks for. */
export type Ports = ReturnType<typeof configuredPorts>;

/** Makes the ports. Nothing is connected to before it is used. */
export function configuredPorts(config: Config, base: Base) {
  const { store, world: { clock: { now } }, log } = base;
  const { retention_ms: keep_ms } = config.runs;
  const { max_artifact_bytes: max_bytes } = config.server;
  const egress = createEgress({ allowed_hosts: config.tools.egress_allowed_hosts, log });
  const artifacts = createArtifacts(store, { now, max_bytes, keep_ms });
  const sandbox = createSandbox({ concurrency: config.tools.sandbox_concurrency });
  const knowledge = configuredKnowledge(config, { ...base, egress });
  const search: Search = (...asked) => knowledge.search(...asked);
  const notebook = createNotebook({ egress, artifacts, max_bytes, sandbox });
  const { tools, external } = configuredTools(config, {
    ...base,
    egress,
    artifacts,
    sandbox,
    search,
  });
  return {
    models: watchModels(configuredModels(config), now),
    conversations: createConversations(store),
    memory: createMemory(store, now),
    cache: createNodeCache(store, now),
    egress,
    artifacts,
    knowledge,
    search,
    /** What `call` nodes may call. */
    services: { ...notebook, ...config.services },
    tools,
    /** Those of the tools that others run. */
    external,
    async close(): Promise<void> {
      await tools.close();
      await sandbox.close();
      await egress.close();
    },
  };
}
