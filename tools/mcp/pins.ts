/**
 * What MCP servers said about their tools when somebody agreed to it: first sight, or an operator's
 * word after a change. For all tenants: servers are the operator's.
 *
 * @module
 */
import { keys, setJson, type Store } from "../../store/mod.ts";

/** Remembers hashes of descriptions. */
export interface Pins {
  /** The hashes of a server's tools, by the server's own names. */
  of(server: string): Promise<Map<string, string>>;
  /** Remembers a hash in place of any other. */
  put(server: string, tool: string, hash: string): Promise<void>;
}

/** Pins in the store. */
export function createPins(store: Pick<Store, "list" | "commit">): Pins {
  return {
    async of(server) {
      const found = new Map<string, string>();
      for await (const { key, value } of store.list<string>({ prefix: keys.mcpPins(server) })) {
        found.set(key.at(-1) as string, value);
      }
      return found;
    },
    async put(server, tool, hash) {
      await store.commit({ checks: [], mutations: setJson(keys.mcpPin(server, tool), hash) });
    },
  };
}
