/** The tools of a configuration, and the sandbox and services behind them. @module */
import type { Config } from "../config.ts";
import type { Caller, Egress } from "../guard/mod.ts";
import { select } from "../pipeline/calls/mod.ts";
import type { World } from "../pipeline/kernel/mod.ts";
import type { Search } from "../pipeline/nodes/mod.ts";
import type { Artifacts, Store } from "../store/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import {
  createCodeExecutor,
  createRegistry,
  createSearchDocuments,
  createWebTools,
  type Registry,
  type ServiceHealth,
  toolFileNames,
  type ToolSet,
} from "../tools/mod.ts";
import { createDatasetTool } from "../tools/dataset/mod.ts";
import { createExternalTools } from "../tools/external/mod.ts";
import { createMcpTools, createPins } from "../tools/mcp/mod.ts";
import type { Sandbox } from "../tools/sandbox/mod.ts";

/** The tools of the program. */
const BUILT_IN = [
  "search_documents",
  "dataset",
  "code_executor",
  "fetch_page",
  "web_search",
  "http_request",
];

/** What tools are made with. */
interface ToolParts {
  store: Store;
  world: World;
  log: Logger;
  egress: Egress;
  artifacts: Artifacts;
  sandbox: Sandbox;
  search: Search;
}

/** Every tool behind one registry, and those of them that others run. */
export function configuredTools(
  config: Config,
  parts: ToolParts,
): { tools: Registry; external: ExternalTools[] } {
  const { store, world: { clock: { now } }, log, egress, artifacts, sandbox, search } = parts;
  const web = createWebTools(config, { egress, select, now, log });
  const max_bytes = config.server.max_artifact_bytes;
  const built_in = [
    createSearchDocuments({ search }),
    createDatasetTool({ egress, artifacts, max_bytes }),
    createCodeExecutor({ sandbox, files: artifacts }),
    ...web.built_in,
  ];
  const external = externalTools(config, parts);
  const program: ToolSet = { name: "built_in", tools: () => Promise.resolve(built_in) };
  const sets = [program, web.files, ...external];
  return { tools: createRegistry({ store, now, log, sets, compile: web.compile }), external };
}

/**
 * What a configuration says of its tools' names without connecting to anything: the names, and what
 * those begin with that only servers and OpenAPI documents know.
 */
export function expectedTools(config: Config): { names: string[]; prefixes: string[] } {
  const { mcp_servers, agents, datasource } = config.external;
  const files = toolFileNames(config);
  const others = agents.map(({ name }) => `agent_${name}`);
  return {
    names: [
      ...BUILT_IN,
      ...files.names,
      ...(agents.length > 0 ? ["external_agent", ...others] : []),
      ...(datasource ? ["datasource"] : []),
    ],
    prefixes: [...files.prefixes, ...mcp_servers.map(({ name }) => `${name}_`)],
  };
}

/** Tools that others run: MCP servers, agents, a data source. */
export type ExternalTools = ToolSet & { health(caller: Caller): ServiceHealth[] };

/** Configured MCP servers, agents and data. Nothing of them is connected to before it is used. */
function externalTools(
  { external }: Config,
  deps: { store: Store; egress: Egress; world: World; log: Logger },
): ExternalTools[] {
  const { store, egress, world: { clock }, log } = deps;
  const { mcp_allowed_commands: allowed_commands } = external;
  const pins = createPins(store);
  const others = createExternalTools(external, {
    egress,
    sleep: (...args) => clock.sleep(...args),
  });
  return [
    ...createMcpTools(external.mcp_servers, {
      egress,
      allowed_commands,
      pins,
      log,
      now: clock.now,
    }),
    ...(external.agents.length > 0 || external.datasource ? [others] : []),
  ];
}
