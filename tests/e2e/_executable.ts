/** Builds executables, where a `denort` can be had (`DENORT_BIN`). */
import { join } from "node:path";
import { compile } from "../../dev/compile.ts";
import { PROJECT } from "./_process.ts";

/** There is nothing to make an executable of. */
export const NO_DENORT = !Deno.env.get("DENORT_BIN");

/** The command of the deno that fits `denort`, if that is not the running one. */
const deno = Deno.env.get("DENO_COMPILE")?.split(" ");

/**
 * Makes the executable `output` of a module of the project, and returns its path. One at a time, also
 * where files of tests run side by side: the project has one folder to do it in.
 */
export async function build(output: string, entry = "main.ts"): Promise<string> {
  await Deno.mkdir(join(PROJECT, "dist"), { recursive: true });
  using lock = await Deno.open(join(PROJECT, "dist/lock"), { create: true, write: true });
  await lock.lock(true);
  return await compile({ project: PROJECT, entry, output, ...(deno && { deno }) });
}
