/** The store that the configuration names. @module */
import type { Config } from "../config.ts";
import { realWorld } from "../pipeline/kernel/mod.ts";
import { type OpenStore, openStore } from "../store/mod.ts";
import type { Logger } from "../telemetry/mod.ts";

/** How long a worker is taken for alive after its last commit. */
export const LEASE_MS = 15_000;

/** Opens it, for a worker of its own. @throws `data_dir_locked`, `store_newer_schema` */
export function configuredStore({ deploy, data_dir }: Config, log: Logger): Promise<OpenStore> {
  const { clock, newId } = realWorld();
  return openStore(deploy ? undefined : data_dir, {
    worker: `worker_${newId()}`,
    now: clock.now,
    sleep: (ms) => clock.sleep(ms),
    lease_ms: LEASE_MS,
    onDamaged: (error) => log.error("a stored value is damaged", { error }),
  });
}
