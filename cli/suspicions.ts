/** Settings of an environment that are well formed, but likely mistakes. */
import type { Env, EnvFile, Environment } from "../config.ts";
import { SECRET_PREFIX } from "../config/tools.ts";
import { describeVariable, VARIABLE_NAMES } from "../config/variables.ts";
import type { Issue } from "../errors.ts";
import { editDistance } from "../json/mod.ts";

/** Variables whose value is still the one that an example shows. */
export function placeholders(env: Env): Issue[] {
  return VARIABLE_NAMES
    .filter((name) => isCredential(name) && isPlaceholder(env[name]?.trim() ?? ""))
    .map((name) => ({
      location: name,
      message: "is still the placeholder: set your own value, or remove it",
    }));
}

function isCredential(name: (typeof VARIABLE_NAMES)[number]): boolean {
  return describeVariable(name).secret || name.endsWith("_PROJECT_ID");
}

function isPlaceholder(value: string): boolean {
  return /^(sk-)?your\b|x{6,}|^change-?me$|^<.*>$/i.test(value);
}

/** Unknown variables whose names are close to those of known ones. */
export function misspellings(env: Env): Issue[] {
  return Object.keys(env)
    .filter((name) => !(VARIABLE_NAMES as string[]).includes(name))
    .flatMap((name) => {
      const meant = VARIABLE_NAMES.find((known) => isNear(name, known));
      return meant
        ? [{ location: name, message: `is unknown: did you mean ${meant}? Rename or remove it` }]
        : [];
    });
}

/** Short names have neighbours that belong to others: `HOST` and `POST`. */
function isNear(name: string, known: string): boolean {
  return known.length >= 8 && editDistance(name.toUpperCase(), known) <= 2;
}

/** What is likely a mistake in an environment and its files, although it can be read. */
export function environmentIssues(environment: Environment): Issue[] {
  const misspelt = misspellings(environment.env);
  const reported = new Set(misspelt.map(({ location }) => location));
  const further = [...unsupported(environment.env), ...unknown(environment)];
  return [
    ...environment.files.flatMap(malformedLines),
    ...misspelt,
    ...further.filter(({ location }) => !reported.has(location)),
  ];
}

function malformedLines({ path, malformed }: EnvFile): Issue[] {
  return malformed.map((line) => ({
    location: `${path} line ${line}`,
    message: "is not NAME=value and is ignored: correct it, or start a comment with #",
  }));
}

/** Variables that comparable services read, and what this one has instead. */
const UNSUPPORTED: [names: RegExp, instead: string][] = [
  [/^REDIS_(URL|HOST)$/, "memory and caches are kept in the store of ORCHESTRATOR_HOME"],
  [/^POSTGRES_(DSN|HOST|USER|PASSWORD|DB)$/, "data is kept in the store of ORCHESTRATOR_HOME"],
  [/^(USE_RABBITMQ|RABBITMQ_(HOST|USER|PASSWORD))$/, "the server itself queues and executes runs"],
  [/^(OTEL_EXPORTER_OTLP_ENDPOINT|LANGFUSE_\w+)$/, "no traces are exported; see the log"],
];

function unsupported(env: Env): Issue[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const [, instead] = UNSUPPORTED.find(([names]) => names.test(name)) ?? [];
    if (!instead || !value?.trim() || /^(false|0|no|off)$/i.test(value.trim())) return [];
    return [{ location: name, message: `is not supported yet and has no effect: ${instead}` }];
  });
}

/** The home folder's file is for this program alone, so that every name in it should be known. */
function unknown({ env, files, home_file, named }: Environment): Issue[] {
  const file = files.find(({ path }) => path === home_file);
  const names = Object.keys(file?.variables ?? {}).filter((name) => !isKnown(name));
  const used = names.length > 0 ? named() : new Set<string>();
  return names
    .filter((name) => !used.has(name) && unsupported({ [name]: env[name] }).length === 0)
    .map((name) => ({
      location: name,
      message: `in ${home_file} is not a variable of this program and has no effect: correct its ` +
        "name, or remove it",
    }));
}

function isKnown(name: string): boolean {
  return (VARIABLE_NAMES as string[]).includes(name) || name.startsWith(SECRET_PREFIX) ||
    /^(https?|all|no)_proxy$/i.test(name);
}
