/**
 * What the routes need from the rest of the house. The composition root passes it; nothing here is
 * global.
 *
 * @module
 */
import type { Issue } from "../errors.ts";
import type { Json } from "../pipeline/kernel/events.ts";
import type { Engine } from "../pipeline/kernel/runs.ts";

/** The pipelines that can be run. */
export interface CatalogPort {
  /**
   * The version a new run of this pipeline keeps.
   *
   * @throws `not_found`, with the known names in the message
   */
  resolve(name: string): Promise<{ version: string }>;
  /** What is wrong with `input` for this pipeline; locations are JSON pointers into the input. */
  validateInput(name: string, input: Json): Promise<Issue[]>;
}

/** Where the routes log to. */
export interface Log {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** Limits and names from the configuration. */
export interface RouteSettings {
  /** Largest request body, in bytes. */
  max_body_bytes: number;
  /** Largest WebSocket message, in bytes. */
  max_message_bytes: number;
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
  configuration: { status: "ok" | "incomplete"; issues?: Issue[]; [field: string]: unknown };
}

/** Everything that {@linkcode createApp} needs. */
export interface AppDeps {
  engine: Engine;
  catalog: CatalogPort;
  log: Log;
  settings: RouteSettings;
  about: About;
  health: () => Promise<HealthParts>;
  /** A new id with this prefix, `req_…` or `conv_…`; sortable by time. */
  newId: (prefix: string) => string;
  /** Milliseconds from any fixed point; only differences are used. */
  now: () => number;
  /** Aborted when the server begins to stop: open streams end so that clients go elsewhere. */
  shutdown: AbortSignal;
}

/** What middleware leaves in Hono's context. */
export interface AppEnv {
  Variables: { request_id: string };
}
