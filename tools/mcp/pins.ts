/**
 * What MCP servers said about their tools, as hashes: at first sight, which counts for everyone, and
 * what a tenant accepted after a change, which counts for that tenant alone.
 *
 * @module
 */
import type { Caller } from "../../guard/mod.ts";
import { type Key, keys, type ReadOptions, setJson, type Store } from "../../store/mod.ts";

/** Hashes of descriptions by the server's own names of its tools. */
export type Hashes = ReadonlyMap<string, string>;

/** Remembers hashes of descriptions. */
export interface Pins {
  /** As the tools of a server were first seen. */
  of(server: string): Promise<Map<string, string>>;
  /** Remembers how a tool was first seen. */
  put(server: string, tool: string, hash: string): Promise<void>;
  /** What the caller's tenant accepted. */
  acceptedBy(caller: Caller, server: string): Promise<Map<string, string>>;
  /** Accepts a description for the caller's tenant, replacing any other. */
  accept(caller: Caller, server: string, tool: string, hash: string): Promise<void>;
}

/** Pins in the store. */
export function createPins(store: Pick<Store, "list" | "commit">): Pins {
  const read = async (prefix: Key) => {
    const found = new Map<string, string>();
    // A damaged one is like no hash: the tool is held back until it is enabled again.
    const onDamaged: ReadOptions["onDamaged"] = (_error, { key }) =>
      void found.set(key.at(-1) as string, "");
    for await (const { key, value } of store.list<string>({ prefix }, { onDamaged })) {
      found.set(key.at(-1) as string, value);
    }
    return found;
  };
  const write = async (key: Key, hash: string) => {
    await store.commit({ checks: [], mutations: [setJson(key, hash)] });
  };
  return {
    of: (server) => read(keys.mcpPins(server)),
    put: (server, tool, hash) => write(keys.mcpPin(server, tool), hash),
    acceptedBy: ({ tenant }, server) => read(keys.mcpAcceptedOf(tenant, server)),
    accept: ({ tenant }, server, tool, hash) => write(keys.mcpAccepted(tenant, server, tool), hash),
  };
}
