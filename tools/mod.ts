/**
 * Tools: the registry with every set of tools that this service has.
 *
 * Boundary: the composition of `tools/`. What a set needs from elsewhere (a way out, a sandbox, the
 * documents) is passed in.
 *
 * @module
 */
import { createRegistry, type Registry, type RegistryDeps } from "./registry.ts";
import type { Tool, ToolSet } from "./tool.ts";

export type { Registry, ToolStatus } from "./registry.ts";
export type { Artifact, NewArtifact, Tool, ToolInfo, ToolScope, ToolSet } from "./tool.ts";

/** What tools need. */
export interface ToolsDeps extends Pick<RegistryDeps, "store" | "now" | "log" | "compile"> {
  /** Tools that are part of the program. */
  built_in?: Tool[];
  /** Further sets, such as MCP servers. */
  sets?: ToolSet[];
}

/** Makes the registry with all sets. */
export function createTools({ built_in = [], sets = [], ...deps }: ToolsDeps): Registry {
  return createRegistry({
    ...deps,
    sets: [{ name: "built_in", tools: () => Promise.resolve(built_in) }, ...sets],
  });
}
