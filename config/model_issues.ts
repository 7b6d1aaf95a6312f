/** What is wrong with the variables about models, and what is likely a mistake. @module */
import type { Issue } from "../errors.ts";
import { rowOf, variableFor } from "../llm/mod.ts";
import { type Choice, keyOf, ownerOfBaseUrl, type Providers, split } from "./providers.ts";
import type { Values } from "./variables.ts";

/** What the variables say about models, as far as it can be wrong. */
interface Models extends Choice {
  default_model: string;
  fallbacks: string[];
  providers: Providers;
}

/** What keeps the configured models from answering. */
export function modelIssues(values: Values, models: Models): Issue[] {
  return [
    ...missing(values, models),
    ...twoAddresses(values),
    ...otherProvider(models),
    ...unusable(models),
  ];
}

/** What the chosen provider needs and does not have. */
function missing(values: Values, { provider, chosen_by, ...models }: Models): Issue[] {
  if (provider === "offline") return looseKey(values, chosen_by);
  const need = (location: string, what: string): Issue => ({
    location,
    message: `is not set, but provider ${provider} (chosen by ${chosen_by}) needs it: ${what}`,
  });
  const row = rowOf(provider)!;
  const issues: Issue[] = [];
  if (row.address === null && !values.LLM_BASE_URL) {
    issues.push(need("LLM_BASE_URL", "the server's address"));
  } else if (!models.providers[provider]) {
    issues.push(
      values.LLM_BASE_URL
        ? need("LLM_API_KEY", gatewayKey(provider))
        : need(variableFor(provider)!, "its key. Set it, or choose another LLM_PROVIDER"),
    );
  }
  if (!models.default_model) issues.push(need("LLM_DEFAULT_MODEL", "a model of that server"));
  if (issues.length > 0) return issues;
  return Object.entries(row.projects ?? {})
    .filter(([agent]) => !models.providers[provider]?.projects?.[agent])
    .map(([, variable]) => need(variable, "the agent's project ID, from the project's settings"));
}

function gatewayKey(provider: string): string {
  const [key, address] = [variableFor(provider), rowOf(provider)?.base_url];
  return `the key of the server at LLM_BASE_URL. ${key} is for ${provider} itself, or for the server ` +
    `at ${address}. Set LLM_API_KEY, or ${address} instead of LLM_BASE_URL`;
}

function looseKey({ LLM_API_KEY }: Values, chosen_by: string): Issue[] {
  if (!LLM_API_KEY || chosen_by === "LLM_PROVIDER") return [];
  const message = "does not select a provider: also set LLM_PROVIDER or LLM_BASE_URL";
  return [{ location: "LLM_API_KEY", message }];
}

function twoAddresses(values: Values): Issue[] {
  const owner = ownerOfBaseUrl(values);
  const own = owner && rowOf(owner)?.base_url;
  if (!own || !values[own as keyof Values]) return [];
  const message = `and ${own} are both addresses of ${owner}: remove one`;
  return [{ location: "LLM_BASE_URL", message }];
}

/** A default model that another provider has: this one would only answer that it has no such model. */
function otherProvider({ provider, default_model, providers }: Models): Issue[] {
  const { prefix } = split(default_model);
  if (!prefix || provider === "offline" || providers[provider]?.base_url) return [];
  const message = `is ${default_model}, but ${provider} is the provider: set LLM_PROVIDER to ` +
    `${prefix} and set its key, or choose a model of ${provider}`;
  return [{ location: "LLM_DEFAULT_MODEL", message }];
}

/** Fallbacks that can never answer. */
function unusable({ fallbacks, providers }: Models): Issue[] {
  return fallbacks.flatMap((model) => {
    const name = model.slice(0, model.indexOf("/"));
    if (name === "offline" || Object.hasOwn(providers, name)) return [];
    const variable = variableFor(name);
    const message = variable
      ? `names ${model}, whose provider is not configured: set ${variable}, or remove it`
      : `names ${model}, whose provider is unknown: write provider/model`;
    return [{ location: "LLM_FALLBACKS", message }];
  });
}

/** Keys that do not go to `LLM_BASE_URL`, where they may have been intended to go. */
export function unusedKeys(values: Values): Issue[] {
  const owner = ownerOfBaseUrl(values);
  if (!owner) return [];
  if (owner === "openai-compatible") {
    if (values.LLM_API_KEY || !values.OPENAI_API_KEY || values.LLM_PROVIDER === "offline") {
      return [];
    }
    const message = "is not sent to LLM_BASE_URL: it is used for models named openai/… only. If " +
      "the server at LLM_BASE_URL needs a key, set LLM_API_KEY";
    return [{ location: "OPENAI_API_KEY", message }];
  }
  const message = `is not used: ${owner} is at LLM_BASE_URL, whose key is LLM_API_KEY`;
  return rowOf(owner)!.keys.filter((key) => keyOf(values, key))
    .map((location) => ({ location, message }));
}
