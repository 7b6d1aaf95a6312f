/** The tools that make requests, put together from the configuration. @module */
import { join } from "node:path";
import type { ToolsConfig } from "../config/tools.ts";
import type { Issue } from "../errors.ts";
import type { Json } from "../json/value.ts";
import { createFetchPage } from "./fetch_page.ts";
import {
  compileDefinition,
  configuredSecrets,
  createFileTools,
  createHttpRequest,
  type FileToolsDeps,
  readToolFiles,
} from "./http/mod.ts";
import type { Tool, ToolSet } from "./tool.ts";
import { createWebSearch } from "./web_search.ts";

/** What was put together. */
export interface WebTools {
  /** `fetch_page`, `web_search` and `http_request`. */
  built_in: Tool[];
  /** Those of the operator's files. */
  files: ToolSet;
  /** Makes a tool of what a client registers. @throws `validation_failed` */
  compile(definition: Json): Tool;
}

/** The part of the configuration that is read here. */
interface WebConfig {
  home: string;
  tools: Readonly<ToolsConfig>;
}

/** What is wrong with the tools files. */
export function toolFileIssues(config: WebConfig): Issue[] {
  return readToolFiles(toolPaths(config)).issues;
}

/** Names of the tools in the tools files, and what those of their OpenAPI documents begin with. */
export function toolFileNames(config: WebConfig): { names: string[]; prefixes: string[] } {
  const { definitions, openapi } = readToolFiles(toolPaths(config));
  return {
    names: definitions.map(({ name }) => name),
    prefixes: openapi.map(({ prefix = "" }) => prefix),
  };
}

/** Makes them. Files are read at once, nothing is connected to. */
export function createWebTools(
  config: WebConfig,
  deps: Omit<FileToolsDeps, "secrets">,
): WebTools {
  const { egress } = deps;
  const secrets = configuredSecrets(config.tools.secrets);
  const files = createFileTools(toolPaths(config), { ...deps, secrets });
  return {
    built_in: [
      createFetchPage({ egress }),
      createWebSearch({ egress, service: config.tools.search }),
      createHttpRequest({ egress, secrets, hosts: () => files.http_hosts }),
    ],
    files,
    compile: (definition) => compileDefinition(definition, deps),
  };
}

/** `tools/` of the home folder, and what `TOOLS_CONFIG_PATH` names. */
function toolPaths({ home, tools: { config_path } }: WebConfig): string[] {
  return [join(home, "tools"), ...(config_path === undefined ? [] : [config_path])];
}
