/** What the HTTP surface is told of this process. @module */
import type { Config } from "../config.ts";
import type { Caller } from "../guard/mod.ts";
import type { WatchedModels } from "../llm/mod.ts";
import type { Engine, World } from "../pipeline/kernel/mod.ts";
import { type AppDeps, type HealthParts, type Identify, identifyLocal } from "../routes/mod.ts";
import type { Approvals } from "../pipeline/calls/approvals/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import { version } from "../version.ts";
import type { ServiceTools } from "./tools.ts";

/** Settings, facts and health of this process, from its configuration. */
export function surfaceOf(deps: {
  config: Config;
  /** Default: {@linkcode identifyLocal}. */
  identify?: Identify;
  log: Logger;
  engine: Engine;
  models: WatchedModels;
  approvals: Approvals;
  world: World;
  services: readonly ServiceTools[];
  shutdown: AbortSignal;
}): Omit<
  AppDeps,
  | "artifacts"
  | "catalog"
  | "conversations"
  | "knowledge"
  | "llm"
  | "memory"
  | "pipelines"
  | "recollection"
  | "responses"
  | "schedules"
  | "tools"
> {
  const { identify = identifyLocal, config, log, engine, approvals, world, services, shutdown } =
    deps;
  const { server } = config;
  return {
    engine,
    approvals,
    identify,
    log,
    settings: {
      max_body_bytes: server.max_body_bytes,
      max_document_bytes: config.documents.max_bytes,
      max_message_bytes: server.max_message_bytes,
      max_artifact_bytes: server.max_artifact_bytes,
      allowed_hosts: [...server.allowed_hosts],
      allowed_origins: [...server.allowed_origins],
      base_url: server.base_url,
    },
    about: { name: "orchestrator", version, mode: config.deploy ? "deploy" : "embedded" },
    health: (caller) =>
      Promise.resolve({
        ...healthOf(deps, caller),
        ...(services.length > 0 ? { services: services.flatMap((set) => set.health(caller)) } : {}),
      }),
    newId: (prefix) => `${prefix}_${world.newId()}`,
    now: () => performance.now(),
    shutdown,
  };
}

function healthOf(
  { engine, models, config }: { engine: Engine; models: WatchedModels; config: Config },
  caller: Caller,
): HealthParts {
  const { provider: name, default_model: model } = config.models;
  const health = name === "offline"
    ? { status: "offline" as const }
    : modelHealth(models.health(), caller);
  return {
    store: { status: engine.stats().store_ok ? "ok" : "down" },
    model_provider: { name, model, ...health },
    configuration: { status: "ok" },
  };
}

/** The provider is everyone's, but the call that failed was someone's, and its message says of what. */
function modelHealth(health: ReturnType<WatchedModels["health"]>, caller: Caller) {
  const { last_error, ...rest } = health;
  if (!last_error || caller.may("*")) return health;
  const { code, at } = last_error;
  return { ...rest, last_error: { code, at } };
}
