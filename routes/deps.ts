/**
 * What the routes need from the rest of the house. The composition root passes it; nothing here is
 * global.
 *
 * @module
 */
import type { Caller } from "../guard/mod.ts";
import type { Conversations, Knowledge, Memory, Recollection } from "../knowledge/mod.ts";
import type { Probe } from "../llm/mod.ts";
import type { Authoring, Schedules } from "../pipeline/catalog/mod.ts";
import type { Artifacts } from "../store/mod.ts";
import type { Registry, ServiceHealth } from "../tools/mod.ts";
import type { Log, ResponseCache, ServiceDeps } from "../service/mod.ts";

/** Limits and names from the configuration. */
export interface RouteSettings {
  /** Largest request body, in bytes. */
  max_body_bytes: number;
  /** Largest document, in bytes. */
  max_document_bytes: number;
  /** Largest WebSocket message, in bytes. */
  max_message_bytes: number;
  /** Largest file, in bytes. */
  max_artifact_bytes: number;
  /** Names besides the loopback ones that this server answers to, without port. */
  allowed_hosts: readonly string[];
  /** Foreign origins whose pages may use this server, such as `http://localhost:3000`. */
  allowed_origins: readonly string[];
  /** Where clients reach this server, for absolute links; links are relative without it. */
  base_url?: string;
}

/** Facts of this process. */
export interface About {
  name: string;
  version: string;
  /** How it runs: `embedded` (server and worker in one process), `server`, `worker`. */
  mode: string;
}

/** The parts of `/health` that the composition root knows. Each may hold more fields. */
export interface HealthParts {
  store: { status: "ok" | "down"; [field: string]: unknown };
  model_provider: { name: string; status: "ok" | "offline" | "down"; [field: string]: unknown };
  /** Always: with one that is not, the service does not start. */
  configuration: { status: "ok" };
  /** What others run: MCP servers, agents, a data source. They do not change the status of this one. */
  services?: ServiceHealth[];
}

/** Finds out who sent a request. */
export type Identify = (request: Request) => Caller;

/** Everything that {@linkcode createApp} needs. */
export interface AppDeps extends ServiceDeps {
  identify: Identify;
  artifacts: Pick<Artifacts, "put" | "get" | "read" | "list" | "remove">;
  pipelines: Authoring;
  knowledge: Knowledge;
  schedules: Pick<Schedules, "list">;
  tools: Registry;
  llm: Probe;
  conversations: Conversations;
  memory: Memory;
  recollection: Recollection;
  responses: ResponseCache;
  log: Log;
  settings: RouteSettings;
  about: About;
  /** As far as it concerns the caller: what failed for other tenants is not in it. */
  health: (caller: Caller) => Promise<HealthParts>;
  /** Milliseconds from any fixed point; only differences are used. */
  now: () => number;
  /** Aborted when the server begins to stop: open streams end so that clients go elsewhere. */
  shutdown: AbortSignal;
}

/** What handlers find in Hono's context. */
export interface AppEnv {
  Bindings: { request_id: string; identify: Identify };
}
