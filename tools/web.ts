/** The tools that make requests, put together from the configuration. @module */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ToolsConfig } from "../config/tools.ts";
import type { Issue } from "../errors.ts";
import type { Json } from "../json/mod.ts";
import { createFetchPage } from "./fetch_page.ts";
import {
  compileDefinition,
  configuredSecrets,
  createFileTools,
  createHttpRequest,
  type FileToolsDeps,
  missingVariables,
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

/** What is wrong with the tools files, and the secrets that they name and that are not set. */
export function toolFileIssues(config: WebConfig): Issue[] {
  const { issues, definitions, openapi, http_hosts } = readToolFiles(toolPaths(config));
  const secrets = configuredSecrets(config.tools.secrets);
  const users = [
    ...definitions.map(({ name, secret_headers }) => ({
      user: `the tool ${name}`,
      secret_headers,
    })),
    ...openapi.map(({ document, ...rest }) => ({ user: document, ...rest })),
    ...http_hosts.map(({ origin, ...rest }) => ({ user: `http_request to ${origin}`, ...rest })),
  ];
  const missing = users.flatMap(({ user, secret_headers = {} }) =>
    missingVariables(secret_headers, secrets)
      .map((location) => ({ location, message: `is not set, but ${user} needs it: set it` }))
  );
  return [...issues, ...missing];
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

/** `tools/` of the home folder if it is there, and what `TOOLS_CONFIG_PATH` names. */
function toolPaths({ home, tools: { config_path } }: WebConfig): string[] {
  const own = join(home, "tools");
  return [...(existsSync(own) ? [own] : []), ...(config_path === undefined ? [] : [config_path])];
}
