/** Which provider a model's name means. @module */
import { canonical, KEYS } from "../config/models.ts";
import type { VariableName } from "../config/variables.ts";
import { OrchestratorError } from "../errors.ts";
import { nearest } from "../json/mod.ts";

/** A model of a provider. */
export interface ResolvedModel {
  provider: string;
  /** Without the provider's prefix. */
  model: string;
}

/** What has to be set to configure a provider. */
const VARIABLES: Record<string, VariableName> = { ...KEYS, "openai-compatible": "LLM_BASE_URL" };

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
  const variable = Object.hasOwn(VARIABLES, prefix) ? VARIABLES[prefix] : undefined;
  if (variable) throw notConfigured(name, variable, default_provider);
  if (default_provider !== "offline") return { provider: default_provider, model: name };
  throw noProvider(name, prefix);
}

function notConfigured(name: string, variable: VariableName, other: string): OrchestratorError {
  const prefix = canonical(name).split("/")[0];
  const literal = other === "offline"
    ? ""
    : ` If ${other} has a model of this name, write "${other}/${name}".`;
  return new OrchestratorError(
    "model_not_configured",
    `Cannot use the model "${name}": the provider ${prefix} is not configured. Set ${variable}, ` +
      `or choose another model.${literal}`,
    { details: { model: name, set: variable } },
  );
}

function noProvider(name: string, prefix: string): OrchestratorError {
  const near = nearest(prefix, Object.keys(VARIABLES));
  const why = near
    ? `there is no provider "${prefix}"; did you mean "${near}"?`
    : "no provider is configured.";
  const variable = near ? VARIABLES[near]! : "OPENAI_API_KEY";
  return new OrchestratorError(
    "model_not_configured",
    `Cannot use the model "${name}": ${why} Set the provider's key, for instance ${variable}, or ` +
      'use the model "offline".',
    { details: { model: name } },
  );
}
