/** Where tools may go, which ones the operator defines, and the search service. */
import type { Issue } from "../errors.ts";
import { Secret } from "./secret.ts";
import type { Values, VariableName } from "./variables.ts";

/** What the environment's variables with secrets of tools begin with. */
export const SECRET_PREFIX = "TOOL_SECRET_";

/** Everything about tools. */
export interface ToolsConfig {
  /** Hosts that may be reached although they are private. */
  egress_allowed_hosts: string[];
  /** Codes that run in the sandbox at a time. */
  sandbox_concurrency: number;
  /** A file or a folder of tools. */
  config_path?: string;
  /** Values of `TOOL_SECRET_…`, by the rest of their names in lower case. */
  secrets: Record<string, Secret>;
  /** Absent: no search service is set up. */
  search?: {
    provider: "brave" | "tavily" | "serper" | "searxng";
    base_url?: string;
    api_key?: Secret;
  };
}

type Provider = NonNullable<ToolsConfig["search"]>["provider"];

/** What each service needs, in the order in which they choose. */
const NEEDED: Record<Provider, VariableName> = {
  brave: "BRAVE_API_KEY",
  tavily: "TAVILY_API_KEY",
  serper: "SERPER_API_KEY",
  searxng: "SEARXNG_URL",
};

/** Shapes the variables of tools and tells what is wrong with them. */
export function readTools(
  values: Values,
  env: Record<string, string | undefined>,
): { config: ToolsConfig; issues: Issue[] } {
  const { provider, issues } = chooseProvider(values);
  const api_key = provider === "searxng" ? undefined : values[keyOf(provider)];
  const base_url = provider === "searxng" ? values.SEARXNG_URL : values.WEB_SEARCH_URL;
  const config: ToolsConfig = {
    egress_allowed_hosts: values.EGRESS_ALLOWED_HOSTS,
    sandbox_concurrency: values.SANDBOX_CONCURRENCY,
    ...(values.TOOLS_CONFIG_PATH && { config_path: values.TOOLS_CONFIG_PATH }),
    secrets: readSecrets(env),
    ...(provider &&
      { search: { provider, ...(base_url && { base_url }), ...(api_key && { api_key }) } }),
  };
  return { config, issues };
}

function chooseProvider(values: Values): { provider?: Provider; issues: Issue[] } {
  const names = Object.keys(NEEDED) as Provider[];
  const provider = values.WEB_SEARCH_PROVIDER ?? names.find((name) => values[NEEDED[name]]);
  if (!provider || values[NEEDED[provider]]) return { provider, issues: [] };
  const message = `is not set, but WEB_SEARCH_PROVIDER=${provider} needs it`;
  return { issues: [{ location: NEEDED[provider], message }] };
}

function keyOf(provider: Exclude<Provider, "searxng"> | undefined) {
  const keys = {
    brave: "BRAVE_API_KEY",
    tavily: "TAVILY_API_KEY",
    serper: "SERPER_API_KEY",
  } as const;
  return keys[provider ?? "brave"];
}

function readSecrets(env: Record<string, string | undefined>): Record<string, Secret> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith(SECRET_PREFIX) && value?.trim()
        ? [[name.slice(SECRET_PREFIX.length).toLowerCase(), new Secret(value.trim())]]
        : []
    ),
  );
}
