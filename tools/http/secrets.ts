/**
 * Secrets that operators' files refer to as `${ secrets.name }`. They are looked up for each call,
 * sent to one origin, and cut out of everything that comes back.
 *
 * @module
 */
import type { Secret } from "../../config/secret.ts";
import { SECRET_PREFIX } from "../../config/tools.ts";
import { OrchestratorError } from "../../errors.ts";

/** Where secrets are: the value of a name, or nothing. */
export type Secrets = (name: string) => string | undefined;

const REFERENCE = /\$\{\s*secrets\.([a-z][a-z0-9_]*)\s*\}/g;

/** Headers with their secrets, and the secrets alone. */
export interface RevealedHeaders {
  headers: Record<string, string>;
  values: string[];
}

/** The secrets of the configuration. */
export function configuredSecrets(secrets: Readonly<Record<string, Secret>>): Secrets {
  return (name) => Object.hasOwn(secrets, name) ? secrets[name]?.reveal() : undefined;
}

/**
 * Looks the secrets of headers up.
 *
 * @param tool whose headers these are, for the message
 * @throws `tool_unconfigured` when one is not set
 */
export function revealHeaders(
  tool: string,
  headers: Record<string, string>,
  secrets: Secrets,
): RevealedHeaders {
  const values: string[] = [];
  const reveal = (text: string) =>
    text.replace(REFERENCE, (_whole, name: string) => {
      const value = secrets(name);
      if (value === undefined) throw missing(tool, name);
      values.push(value);
      return value;
    });
  const revealed = Object.entries(headers).map(([name, text]) => [name, reveal(text)]);
  return { headers: Object.fromEntries(revealed), values };
}

/** Variables that headers need and that are not set. */
export function missingVariables(headers: Record<string, string>, secrets: Secrets): string[] {
  const named = Object.values(headers).flatMap((text) => [...text.matchAll(REFERENCE)]);
  return named.filter(([, name = ""]) => secrets(name) === undefined)
    .map(([, name = ""]) => variableOf(name));
}

/** Cuts secrets out of a text, also as they stand inside of JSON and of addresses. */
export function redact(text: string, values: readonly string[]): string {
  let clean = text;
  for (const value of values) {
    const forms = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)];
    for (const form of new Set(forms)) clean = clean.replaceAll(form, "[secret]");
  }
  return clean;
}

function missing(tool: string, name: string): OrchestratorError {
  return new OrchestratorError(
    "tool_unconfigured",
    `Cannot call ${tool}: the secret ${name} is not set. Set ${variableOf(name)}.`,
    { details: { tool, secret: name } },
  );
}

function variableOf(secret: string): string {
  return SECRET_PREFIX + secret.toUpperCase();
}
