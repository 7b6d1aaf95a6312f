import { keys, setJson, type Store } from "../../store/mod.ts";
import type { NodeCache } from "./cache.ts";
import type { Json } from "../kernel/mod.ts";

/** A cached output. Retention removes it when its time is over. */
interface Cached {
  output: Json;
  /** Milliseconds since the epoch. */
  expires_at: number;
}

/** Keeps outputs of nodes in the store, by tenant. */
export function createNodeCache(store: Store, now: () => number): NodeCache {
  return {
    now,
    async get({ tenant }, hash) {
      // One that is damaged is made again.
      const found = await store.tryGet<Cached>(keys.cache(tenant, hash));
      return found && found.value.expires_at > now() ? found.value.output : undefined;
    },
    put({ tenant }, hash, output, expires_at) {
      const value: Cached = { output, expires_at };
      return { checks: [], mutations: [setJson(keys.cache(tenant, hash), value)] };
    },
  };
}
