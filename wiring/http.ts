/** What HTTP clients are shown of this process, and how much they may send. @module */
import type { Config } from "../config.ts";
import type { Caller } from "../guard/mod.ts";
import type { WatchedModels } from "../llm/mod.ts";
import type { Engine } from "../pipeline/kernel/mod.ts";
import type { About, AppDeps, HealthParts, RouteSettings } from "../routes/mod.ts";
import { version } from "../version.ts";
import type { ExternalTools } from "./tools.ts";

/** Limits and names. */
export function routeSettings({ server, documents }: Config): RouteSettings {
  return {
    max_body_bytes: server.max_body_bytes,
    max_document_bytes: documents.max_bytes,
    max_message_bytes: server.max_message_bytes,
    max_artifact_bytes: server.max_artifact_bytes,
    allowed_hosts: [...server.allowed_hosts],
    allowed_origins: [...server.allowed_origins],
    base_url: server.base_url,
  };
}

/** What this process is. */
export function aboutProcess({ deploy }: Config): About {
  return { name: "orchestrator", version, mode: deploy ? "deploy" : "embedded" };
}

/** How the parts of this process are, as far as it concerns the caller. */
export function createHealth(
  { models: { provider: name, default_model: model } }: Pick<Config, "models">,
  { engine, models, external }: {
    engine: Pick<Engine, "stats">;
    models: Pick<WatchedModels, "health">;
    external: readonly Pick<ExternalTools, "health">[];
  },
): AppDeps["health"] {
  return (caller) => {
    const health = name === "offline"
      ? { status: "offline" as const }
      : modelHealth(models.health(), caller);
    const parts: HealthParts = {
      store: { status: engine.stats().store_ok ? "ok" : "down" },
      model_provider: { name, model, ...health },
      configuration: { status: "ok" },
    };
    if (external.length > 0) parts.services = external.flatMap((set) => set.health(caller));
    return Promise.resolve(parts);
  };
}

/** The provider is everyone's, but the call that failed was someone's, and its message says of what. */
function modelHealth(health: ReturnType<WatchedModels["health"]>, caller: Caller) {
  const { last_error, ...rest } = health;
  if (!last_error || caller.may("*")) return health;
  const { code, at } = last_error;
  return { ...rest, last_error: { code, at } };
}
