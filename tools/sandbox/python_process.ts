/** Where Python is, and how its process starts: from source, and from the executable. @module */
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundled, root, script } from "../../resources.ts";
import { unavailable } from "./outcome.ts";

/** The hidden command of the executable that is the child. */
export const PYTHON_COMMAND = "sandbox-python";

/** The child's module. */
export const PYTHON_SCRIPT = "tools/sandbox/python_child.ts";

/** Where the executable holds Pyodide. */
export const PYODIDE_FOLDER = "tools/sandbox/pyodide";

/** Is the child: does what its input says, then ends the process. */
export async function runPythonChild(): Promise<void> {
  await import(pathToFileURL(script(PYTHON_SCRIPT)).href);
}

/** The absolute path of the folder that holds Pyodide's files. @throws `sandbox_unavailable` */
export async function pyodideFolder(): Promise<string> {
  return bundled ? `${root}/${PYODIDE_FOLDER}` : await packageFolder();
}

/**
 * Asks Pyodide itself, which looks for its files beside its module: nothing else tells where a package
 * lies that every version of Deno knows. The name is no literal, so that it is not bundled.
 */
async function packageFolder(): Promise<string> {
  const name = "pyodide";
  let stack = "";
  const config = {
    get indexURL(): string {
      stack = new Error().stack ?? "";
      throw new Error("this was all");
    },
  };
  try {
    const { loadPyodide } = await import(name);
    await loadPyodide(config);
  } catch {
    // As it should be, or there is no Pyodide.
  }
  const url = /\((file:.*\/pyodide\.m?js)/.exec(stack)?.[1];
  if (!url) throw unavailable("Python", "its files are not where they should be.");
  return dirname(fileURLToPath(url));
}

/** Starts a process for one run; its last argument is the folder that holds Pyodide. @throws `sandbox_unavailable` */
export function startChild(folder: string): Deno.ChildProcess {
  try {
    return new Deno.Command(Deno.execPath(), {
      args: [...bundled ? [PYTHON_COMMAND] : sourceArgs(folder), folder],
      clearEnv: true,
      env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    const why = "the service may not start a process. Allow it (--allow-run), or use JavaScript.";
    throw unavailable("Python", why, error);
  }
}

/** No configuration, no packages, no downloads, and one folder to read. */
function sourceArgs(folder: string): string[] {
  const flags = ["--no-prompt", "--no-config", "--no-lock", "--no-npm", "--no-remote"];
  return ["run", "--quiet", ...flags, `--allow-read=${folder}`, script(PYTHON_SCRIPT)];
}
