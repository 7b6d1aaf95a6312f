/** What the service needs from the rest of the house. The composition root passes it. @module */
import type { Caller } from "../guard/mod.ts";
import type { Conversations } from "../knowledge/mod.ts";
import type { Approvals } from "../pipeline/calls/approvals/mod.ts";
import type { Engine, Json, StartRequest } from "../pipeline/kernel/mod.ts";

/** The version that a new run keeps, and what its pipeline says about how it is to be treated. */
export type Prepared = Pick<StartRequest, "version" | "priority" | "budget" | "concurrency"> & {
  /** How long its chat responses may be given again, when its pipeline says so. */
  cache_seconds?: number;
  /**
   * Models whose price is not known, of its agents and of those of the pipelines that it runs. Throws
   * `model_not_configured`.
   */
  unpriced?: () => Promise<string[]>;
};

/** The pipelines that can be run. */
export interface CatalogPort {
  /**
   * Checks that a pipeline takes `input`, and says what a new run of it is started with.
   *
   * @throws `not_found`, with the known names in the message; `validation_failed`, with JSON pointers
   *   into the input
   */
  prepare(caller: Caller, name: string, input: Json): Promise<Prepared>;
}

/** Where the service and the routes log to. */
export interface Log {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** What the service acts with. */
export interface ServiceDeps {
  engine: Engine;
  catalog: CatalogPort;
  approvals: Approvals;
  conversations: Pick<Conversations, "head">;
  /** A new id; sortable by time. */
  newId: () => string;
}
