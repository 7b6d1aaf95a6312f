import type { Env, EnvFile, Environment } from "../../config.ts";

/** An environment as it is read where these files exist; the last one is the home folder's. */
export function environmentOf(env: Env, files: EnvFile[] = []): Environment {
  return { env, files, home_file: files.at(-1)?.path ?? "", named: () => new Set() };
}
