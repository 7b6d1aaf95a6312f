/** Which provider a model's name means. @module */
import { OrchestratorError } from "../errors.ts";
import { nearest } from "../json/mod.ts";
import { rowOf, ROWS } from "./providers.ts";

/** A model of a provider. */
export interface ResolvedModel {
  provider: string;
  /** Without the provider's prefix. */
  model: string;
}

/** A model's name with the usual spelling of its provider: `google-genai/x` is `google/x`. */
export function canonical(model: string): string {
  const [prefix, ...rest] = model.split("/");
  const row = ROWS.find(([, { aliases }]) => aliases?.includes(prefix!));
  return row && rest.length > 0 ? [row[0], ...rest].join("/") : model;
}

/** The variable that configures a provider; `undefined` for what is no provider. */
export function variableFor(provider: string): string | undefined {
  const row = rowOf(provider);
  return row && (row.keys[0] ?? "LLM_BASE_URL");
}

/**
 * Finds the provider of a model. A prefix that is no provider belongs to the name:
 * `meta-llama/llama-3` on a compatible server. The offline model is only used where it is asked for.
 *
 * @param name `provider/model`, or a model of the default provider
 * @param configured names of the providers that are configured
 * @throws `model_not_configured`
 */
export function resolveModel(
  name: string,
  default_provider: string,
  configured: string[],
): ResolvedModel {
  if (name === "offline") return { provider: "offline", model: "offline" };
  const wanted = canonical(name);
  const slash = wanted.indexOf("/");
  const prefix = slash < 0 ? "" : wanted.slice(0, slash);
  if (configured.includes(prefix)) return { provider: prefix, model: wanted.slice(slash + 1) };
  const variable = variableFor(prefix);
  if (variable) throw notConfigured(name, variable, default_provider);
  if (default_provider !== "offline") return { provider: default_provider, model: name };
  throw noProvider(name, prefix);
}

/** What may be a mistake in a model's name: a prefix that is nearly a provider. */
export function misspelt(name: string): string | undefined {
  const [prefix = "", ...rest] = canonical(name).split("/");
  if (rest.length === 0 || prefix === "offline" || rowOf(prefix)) return undefined;
  const near = nearProvider(prefix);
  return near && `names no provider with "${prefix}": did you mean "${near}/${rest.join("/")}"? ` +
      "As written, the default provider is asked for a model with the whole name";
}

function nearProvider(prefix: string): string | undefined {
  return nearest(prefix, ROWS.map(([name]) => name));
}

function notConfigured(name: string, variable: string, other: string): OrchestratorError {
  const prefix = canonical(name).split("/")[0];
  const literal = other === "offline"
    ? ""
    : ` If ${other} has a model with this name, write "${other}/${name}".`;
  return new OrchestratorError(
    "model_not_configured",
    `Cannot use the model "${name}": the provider ${prefix} is not configured. Set ${variable}, ` +
      `or choose another model.${literal}`,
    { details: { model: name, set: variable } },
  );
}

function noProvider(name: string, prefix: string): OrchestratorError {
  const near = nearProvider(prefix);
  const why = near
    ? `there is no provider "${prefix}"; did you mean "${near}"?`
    : "no provider is configured.";
  const variable = variableFor(near ?? "") ?? ROWS[0]![1].keys[0];
  return new OrchestratorError(
    "model_not_configured",
    `Cannot use the model "${name}": ${why} Set the provider's key, for instance ${variable}, or ` +
      'use the model "offline".',
    { details: { model: name } },
  );
}
