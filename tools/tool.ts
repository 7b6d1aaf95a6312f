/**
 * What a tool is. Every tool, built in or from a file, an OpenAPI document, an MCP server or another
 * agent, is one value of {@linkcode Tool}; only the registry calls it.
 *
 * @module
 */
import type { Caller } from "../guard/mod.ts";
import type { Json, JsonSchema } from "../json/mod.ts";

/**
 * What a tool can do to the world, for policies.
 *
 * - `compute`: works on its arguments only
 * - `read`: reads what the operator or the tenant put here or chose (documents, data sets, a search
 *   service); an argument that is an address makes it `egress`
 * - `egress`: sends something outside that its arguments choose (an address, a query)
 * - `write`: changes something outside
 */
export type ToolCapability = "compute" | "read" | "egress" | "write";

/** Where a tool comes from. */
export type ToolSource = "built_in" | "file" | "api" | "openapi" | "mcp" | "agent";

/** What is known of a tool without calling it. Plain JSON. */
export interface ToolInfo {
  /** `[a-z][a-z0-9_]{0,63}`, unique. */
  name: string;
  description: string;
  /** Of the arguments: an object schema. */
  input: JsonSchema;
  /** Of the result; absent: any JSON. */
  output?: JsonSchema;
  source: ToolSource;
  capability: ToolCapability;
  /**
   * What a second call with the same idempotency key does: see `Effect` in the kernel. `none`: reads
   * or computes only.
   */
  effect: "none" | "at_least_once" | "at_most_once";
  /** For one call, in milliseconds. */
  timeout_ms: number;
  /** For one call; absent: free. */
  cost_usd?: number;
  /** True when its result holds text that others wrote: from the web, a document, another service. */
  untrusted: boolean;
  /** Arguments that make it untrusted for that call: what they name was written by others. */
  untrusted_with?: string[];
  /**
   * True when the `url` fields of its result come from an index that the operator chose: a run may
   * read them without asking a person.
   */
  finds_urls?: boolean;
}

/** The context of a call, besides its arguments. */
export interface ToolScope {
  /** Who calls, or who is behind the run that calls. */
  caller: Caller;
  /** The run and step that call; absent for a call over the API. */
  run?: { id: string; step: string };
  /** Aborted on cancel, time-out and shutdown. */
  signal: AbortSignal;
  /** The same for every attempt of one call. */
  idempotency_key: string;
  /** Keeps a file that the call made; see `store/artifacts.ts`. */
  keep(file: NewArtifact): Promise<Artifact>;
}

/** A file to keep as an artifact. */
export interface NewArtifact {
  /** For people, without folders. */
  name: string;
  /** Media type. */
  type: string;
  bytes: Uint8Array;
}

/** A file that a run created or a caller uploaded. */
export interface Artifact {
  /** `art_…` */
  id: string;
  name: string;
  type: string;
  size: number;
}

/** A name that no file of this call has yet: files of one call with one name are one file. */
export function distinct(name: string, files: readonly { name: string }[]): string {
  const [, stem, ending = ""] = /^(.*?)(\.[^.]*)?$/s.exec(name)!;
  let free = name;
  for (let n = 2; files.some((file) => file.name === free); n++) free = `${stem}-${n}${ending}`;
  return free;
}

/** A tool that can be called. */
export interface Tool extends ToolInfo {
  /**
   * Why it is held back until it is enabled, for instance because its description changed: no
   * agent gets it, and a call throws `tool_disabled`.
   */
  held?: string;
  /**
   * Makes one call with arguments that fit `input`. Throws `OrchestratorError` for failures that the
   * caller should distinguish; anything else becomes `tool_failed`.
   */
  run(args: Record<string, Json>, scope: ToolScope): Promise<Json>;
  /** Secrets that its requests carry: removed from results and errors. */
  secrets?(): string[];
}

/** Something that has tools: the built-in ones, a folder of files, an MCP server, stored ones. */
export interface ToolSet {
  /** For errors and lists: `built_in`, `mcp:github`, … */
  readonly name: string;
  /** The tools that it has now for a tenant. Must be quick: it is asked for each agent's turn. */
  tools(caller: Caller): Promise<Tool[]>;
  /** Why it has none, when something is wrong with it. */
  problem?(caller: Caller): string | undefined | Promise<string | undefined>;
  /** Called when this tool is enabled: accepts what it was held back for (a changed schema). */
  accept?(caller: Caller, name: string): Promise<void>;
  close?(): Promise<void>;
}
