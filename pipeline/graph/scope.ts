import type { Json } from "../kernel/events.ts";

/** What expressions see. */
export interface Scope {
  /** The run's input. */
  input: Json;
  /** The latest output of every node that has run. */
  nodes: Record<string, Json>;
  run: { id: string; pipeline: string; created_at: string };
}
