/**
 * Builds the executable: bundles the entry into one file, lays the built-in data beside it and
 * compiles that folder. Bundling first keeps unused parts of npm packages out of the executable; why
 * that matters is in `docs/decisions/003-bundle-before-compile.md`.
 *
 *     deno run -P=dev dev/compile.ts
 *
 * @module
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { PYODIDE_FOLDER, pyodideFolder, PYTHON_SCRIPT } from "../tools/sandbox/python_process.ts";

/** Folders that the executable reads as files; `resources.ts` finds them beside the bundle. */
const DATA = ["agents", "prompts", "pipeline/definitions"];

/** Modules that are started on their own; `script()` of `resources.ts` finds their bundles. */
const SCRIPTS = ["tools/sandbox/javascript_worker.ts", PYTHON_SCRIPT];

/** What Python needs: loaded by path, so it cannot be bundled. */
const PYODIDE = ["pyodide.asm.mjs", "pyodide-lock.json", "python_stdlib.zip"];

/**
 * A run in flight is some 100 KB of short-lived objects. In V8's default young generation those of a
 * hundred runs survive and have to be moved; with 32 MB they die young. Measured: a third less CPU.
 */
const HEAP = "--v8-flags=--min-semi-space-size=32,--max-semi-space-size=32";

/**
 * All that the executable may ever do; it never asks. It starts itself, for Python in the sandbox, and
 * the MCP servers that the operator names. Deno could limit that to paths, but where the executable
 * will lie is not known when it is made.
 */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-net",
  "--allow-env",
  "--allow-read",
  "--allow-write",
  "--allow-run",
];

/** What npm packages find around them: timers that are objects (undici calls their `unref`). */
const PREAMBLE = `import * as nodeTimers from "node:timers";
for (const name of ["setTimeout", "setInterval", "clearTimeout", "clearInterval"]) {
  globalThis[name] = nodeTimers[name];
}
`;

/** How each file of a bundle begins; CommonJS packages ask for `node:` modules with `require`. */
const FIRST = `import "./preamble.js";
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
`;

/** What to build. Paths are relative to `project`, whose `dist/bundle` is replaced. */
export interface CompileOptions {
  /** Folder of `deno.json` and of the data folders. */
  project: string;
  entry?: string;
  /** Modules that are started on their own. */
  scripts?: string[];
  output?: string;
  /** The command of the deno that bundles and compiles. */
  deno?: string[];
}

/** Builds the executable and returns its path. @throws Error when a step fails */
export async function compile(options: CompileOptions): Promise<string> {
  const { project, entry = "main.ts", output = "dist/orchestrator", deno = [Deno.execPath()] } =
    options;
  const { scripts = SCRIPTS } = options;
  const target = resolve(project, output);
  const staging = join(project, "dist/bundle");
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  for (const folder of DATA) {
    cpSync(join(project, folder), join(staging, folder), { recursive: true });
  }

  await bundle(deno, project, entry, staging);
  for (const path of scripts) {
    await bundle(deno, project, path, join(staging, dirname(path)));
  }
  const folders = [...DATA, ...scripts.length > 0 ? [dirname(PYODIDE_FOLDER)] : []];
  if (scripts.length > 0) await copyPyodide(join(staging, PYODIDE_FOLDER));
  await run(deno, staging, [
    ...["compile", "--quiet", "--no-config", "--no-lock", "--no-check", "--unstable-kv"],
    HEAP,
    ...PERMISSIONS,
    ...folders.flatMap((folder) => ["--include", folder]),
    ...["-o", target, `${basename(entry, ".ts")}.js`],
  ]);
  return target;
}

/** Bundles a module into a folder: what is imported late is in files of its own. */
async function bundle(deno: string[], project: string, entry: string, folder: string) {
  await run(deno, project, [
    ...["bundle", "--quiet", "--config", join(project, "deno.json"), "--platform", "deno"],
    ...["--minify", "--code-splitting", "--outdir", folder, resolve(project, entry)],
  ]);
  writeFileSync(join(folder, "preamble.js"), PREAMBLE);
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith(".js") || name === "preamble.js") continue;
    const path = join(folder, name);
    const text = readFileSync(path, "utf8");
    // Two bundles may share a folder and files.
    if (!text.startsWith(FIRST)) writeFileSync(path, FIRST + text);
  }
}

/** `deno compile` takes a `.wasm` file for a module and looks for its imports: it is renamed. */
async function copyPyodide(target: string): Promise<void> {
  const [wasm, renamed] = ["pyodide.asm.wasm", "pyodide.asm.bin"];
  const folder = await pyodideFolder();
  mkdirSync(target, { recursive: true });
  for (const name of PYODIDE) cpSync(join(folder, name), join(target, name));
  cpSync(join(folder, wasm), join(target, renamed));
  const loader = readFileSync(join(folder, "pyodide.mjs"), "utf8");
  writeFileSync(join(target, "pyodide.mjs"), loader.replace(`"${wasm}"`, `"${renamed}"`));
}

async function run(deno: string[], cwd: string, args: string[]): Promise<void> {
  const [command = "deno", ...words] = deno;
  const { code } = await new Deno.Command(command, { args: [...words, ...args], cwd }).spawn()
    .status;
  if (code !== 0) throw new Error(`Cannot compile: \`deno ${args[0]}\` ended with ${code}.`);
}

if (import.meta.main) {
  const path = await compile({ project: resolve(import.meta.dirname ?? ".", "..") });
  const megabytes = Deno.statSync(path).size / 1e6;
  Deno.stdout.writeSync(new TextEncoder().encode(`${path} (${megabytes.toFixed(0)} MB)\n`));
}
