/** Which providers can be used, how they are reached, and which one answers. @module */
import { canonical, type ProviderName as RemoteName, rowOf, ROWS } from "../llm/mod.ts";
import type { ProviderName } from "./model_variables.ts";
import type { Secret } from "./secret.ts";
import type { Values } from "./variables.ts";

/** How a provider is reached. */
export interface ProviderConfig {
  /** Absent for a server without keys. */
  api_key?: Secret;
  /** Absent: the provider's own address. */
  base_url?: string;
  /** The project that answers for an agent, by the agent's name, for providers that have projects. */
  projects?: Record<string, string>;
}

/** The providers that can be used; absent ones are not configured. */
export type Providers = Partial<Record<RemoteName, ProviderConfig>>;

/** The provider that answers where a request names none. */
export interface Choice {
  provider: ProviderName;
  /** The variable that decided, or `no key is set`. */
  chosen_by: string;
}

/** The value of a variable that a provider's row names. */
export function keyOf(values: Values, name: string): Secret | undefined {
  return values[name as keyof Values] as Secret | undefined;
}

function textOf(values: Values, name: string | null): string | undefined {
  return name === null ? undefined : values[name as keyof Values] as string | undefined;
}

/** `LLM_PROVIDER`, else whoever is at `LLM_BASE_URL`, else the first whose key is set. */
export function chooseProvider(values: Values): Choice {
  if (values.LLM_PROVIDER) return { provider: values.LLM_PROVIDER, chosen_by: "LLM_PROVIDER" };
  if (values.LLM_BASE_URL) return { provider: "openai-compatible", chosen_by: "LLM_BASE_URL" };
  for (const [provider, { keys }] of ROWS) {
    const chosen_by = keys.find((key) => keyOf(values, key));
    if (chosen_by) return { provider, chosen_by };
  }
  return { provider: "offline", chosen_by: "no key is set" };
}

/** Whose address `LLM_BASE_URL` is. */
export function ownerOfBaseUrl({ LLM_PROVIDER, LLM_BASE_URL }: Values): RemoteName | undefined {
  if (!LLM_BASE_URL) return undefined;
  return LLM_PROVIDER && LLM_PROVIDER !== "offline" ? LLM_PROVIDER : "openai-compatible";
}

/**
 * A key goes to the server that it was given for, and to no other: `LLM_API_KEY` to `LLM_BASE_URL`,
 * a provider's own key to that provider or to its own base URL.
 */
export function readProviders(values: Values, chosen: ProviderName): Providers {
  return Object.fromEntries(ROWS.flatMap(([name, row]) => {
    const { api_key, base_url } = ownerOfBaseUrl(values) === name
      ? { api_key: values.LLM_API_KEY, base_url: values.LLM_BASE_URL }
      : ownAccess(values, name, chosen);
    // A server that has no address of its own may have no keys either.
    if (row.address === null ? !base_url : !api_key) return [];
    const projects = row.projects && { projects: readProjects(values, row.projects) };
    return [[name, { ...(api_key && { api_key }), ...(base_url && { base_url }), ...projects }]];
  }));
}

function ownAccess(values: Values, name: RemoteName, chosen: ProviderName): ProviderConfig {
  const { keys = [], base_url = null } = rowOf(name) ?? {};
  const own = keys.map((key) => keyOf(values, key)).find(Boolean);
  const api_key = own ?? (chosen === name ? values.LLM_API_KEY : undefined);
  return { api_key, base_url: textOf(values, base_url) };
}

function readProjects(
  values: Values,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([agent, variable]) => {
      const project = textOf(values, variable);
      return project ? [[agent, project]] : [];
    }),
  );
}

/**
 * The default model, and whose it is. A model that names another provider is that provider's, unless
 * `LLM_PROVIDER` or `LLM_BASE_URL` has decided: names of gateways' models begin with anything.
 */
export function chooseModel(
  asked: string | undefined,
  choice: Choice,
  providers: Providers,
): Choice & { default_model: string } {
  if (asked === undefined) return { ...choice, default_model: defaultModel(choice.provider) };
  const { prefix, rest } = split(asked);
  if (prefix === choice.provider) return { ...choice, default_model: rest };
  const isDecided = ["LLM_PROVIDER", "LLM_BASE_URL"].includes(choice.chosen_by);
  const isUsable = prefix === "offline" || (prefix && providers[prefix]);
  return prefix && isUsable && !isDecided
    ? { provider: prefix, chosen_by: "LLM_DEFAULT_MODEL", default_model: rest }
    : { ...choice, default_model: asked };
}

function defaultModel(provider: ProviderName): string {
  return provider === "offline" ? "offline" : rowOf(provider)?.default_model ?? "";
}

/** A model's name and the provider that it begins with, if it begins with one. */
export function split(name: string): { prefix?: ProviderName; rest: string } {
  if (name === "offline") return { prefix: name, rest: name };
  const [prefix = "", ...rest] = canonical(name).split("/");
  const isProvider = rest.length > 0 && (prefix === "offline" || rowOf(prefix));
  return isProvider ? { prefix: prefix as ProviderName, rest: rest.join("/") } : { rest: name };
}
