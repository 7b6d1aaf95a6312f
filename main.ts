/**
 * The entry: the command line of the executable, and the default export that Deno Deploy serves.
 *
 * @module
 */
import type { Deployment } from "./cli/program.ts";
import { PYTHON_COMMAND, runPythonChild } from "./tools/sandbox/python_process.ts";

/** What Deno Deploy serves; elsewhere the command line runs instead. */
const deployed: Deployment | undefined = await start();
export default deployed;

async function start(): Promise<Deployment | undefined> {
  // Each run of Python starts one, which needs nothing of what follows.
  if (Deno.args[0] === PYTHON_COMMAND && import.meta.main) return void await runPythonChild();
  const { deployment, runCommand } = await import("./cli/program.ts");
  const service = deployment();
  if (!service && import.meta.main) await runCommand();
  return service;
}
