/** What is well formed in an environment, yet hardly meant. */
import type { Env } from "../config.ts";
import { describeVariable, VARIABLE_NAMES } from "../config/variables.ts";
import type { Issue } from "../errors.ts";
import { editDistance } from "../json/mod.ts";

/** Variables whose value is still the one that an example shows. */
export function placeholders(env: Env): Issue[] {
  return VARIABLE_NAMES
    .filter((name) => isCredential(name) && isPlaceholder(env[name]?.trim() ?? ""))
    .map((name) => ({
      location: name,
      message: "is still the placeholder: put your own value there, or leave it out",
    }));
}

function isCredential(name: (typeof VARIABLE_NAMES)[number]): boolean {
  return describeVariable(name).secret || name.endsWith("_PROJECT_ID");
}

function isPlaceholder(value: string): boolean {
  return /^(sk-)?your\b|x{6,}|^change-?me$|^<.*>$/i.test(value);
}

/** Variables nobody reads whose names are nearly those of variables that are read. */
export function misspellings(env: Env): Issue[] {
  return Object.keys(env)
    .filter((name) => !(VARIABLE_NAMES as string[]).includes(name))
    .flatMap((name) => {
      const meant = VARIABLE_NAMES.find((known) => isNear(name, known));
      return meant
        ? [{ location: name, message: `is not known: is ${meant} meant? Rename or remove it` }]
        : [];
    });
}

/** Short names have neighbours that belong to others: `HOST` and `POST`. */
function isNear(name: string, known: string): boolean {
  return known.length >= 8 && editDistance(name.toUpperCase(), known) <= 2;
}
