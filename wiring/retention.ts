/** What is removed once its time is over. @module */
import type { Config } from "../config.ts";
import { approvalsLeftBy } from "../pipeline/calls/approvals/mod.ts";
import { createRetention, type Retention } from "../pipeline/kernel/mod.ts";
import { artifactsLeftBy, keys } from "../store/mod.ts";
import type { Base, Ports } from "./ports.ts";

/** Makes the retention: old runs with what they leave, cached outputs, files and documents. */
export function configuredRetention(
  { runs }: Config,
  { store, world: { clock }, log, ports: { artifacts, knowledge } }: Base & { ports: Ports },
): Retention {
  return createRetention({
    store,
    clock,
    log,
    keep_ms: runs.retention_ms,
    leftovers: [artifactsLeftBy, approvalsLeftBy],
    expiring: [keys.caches()],
    sweepers: [artifacts.sweep, () => knowledge.tidy()],
  });
}
