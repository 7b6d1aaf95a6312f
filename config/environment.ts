/** The environment as the process and its `.env` files give it. @module */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { namedVariables } from "./external.ts";

/** Environment variables by name. */
export type Env = Record<string, string | undefined>;

/** A `.env` file that was read. */
export interface EnvFile {
  path: string;
  variables: Env;
  /** Numbers, from 1, of the lines that are no comment and not `NAME=value`. */
  malformed: number[];
}

/** An environment, and the files that it was completed with. */
export interface Environment {
  env: Env;
  /** `.env` of the working directory and of the home folder, as far as they exist. */
  files: EnvFile[];
  /** The path of the second one, which is for this program alone. */
  home_file: string;
  /** Names that the user's own settings refer to. */
  named: () => Set<string>;
}

/** Adds what `.env` in `cwd`, then the one in the home folder set and `env` does not. */
export function readEnvironment(given: Env, cwd: string): Environment {
  const local_file = readEnvFile(join(cwd, ".env"));
  const local = { ...local_file?.variables, ...given };
  const home = homeFolder(local);
  const home_file = join(home, ".env");
  const own_file = home_file === local_file?.path ? undefined : readEnvFile(home_file);
  const env = { ...own_file?.variables, ...local };
  return {
    env,
    files: [local_file, own_file].filter((file) => file !== undefined),
    home_file,
    named: () => namedVariables({ env, home, readFile: readIfThere }),
  };
}

/** The text of a file, or nothing if it does not exist. */
export function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** A machine account may have no home folder: the working directory serves then. */
export function homeFolder(env: Env): string {
  const user = env.HOME?.trim() || env.USERPROFILE?.trim() || ".";
  return resolve(env.ORCHESTRATOR_HOME?.trim() || join(user, ".orchestrator"));
}

/** Reads a file; nothing if it does not exist. */
function readEnvFile(path: string): EnvFile | undefined {
  // Windows' Notepad begins files with a byte order mark, which would belong to the first name.
  const text = readIfThere(path)?.replace(/^\ufeff/, "");
  if (text === undefined) return undefined;
  return { path, variables: parseEnv(text), malformed: malformedLines(text) };
}

/** An entry: a name, `=`, and a value that quotes may carry over several lines. */
const ENTRY = /[^\S\n]*[^=\s][^=\n]*=[^\S\n]*(?:(["'`])(?:(?!\1)[^])*\1)?[^\n]*/y;
const BLANK = /[^\S\n]*(?:#[^\n]*)?(?=\n|$)/y;

function malformedLines(text: string): number[] {
  const found: number[] = [];
  let line = 1;
  for (let at = 0; at < text.length;) {
    const read = matchAt(BLANK, text, at) ?? matchAt(ENTRY, text, at);
    if (read === undefined) found.push(line);
    const end = at + (read ?? "").length;
    const next = text.indexOf("\n", end);
    const stop = next < 0 ? text.length : next + 1;
    line += text.slice(at, stop).split("\n").length - 1;
    at = stop;
  }
  return found;
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
