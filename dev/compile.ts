/**
 * Builds the executable: bundles the entry into one file, lays the built-in data beside it and
 * compiles that folder. Bundling first keeps unused parts of npm packages out of the executable; why
 * that matters is in `docs/decisions/003-bundle-before-compile.md`.
 *
 *     deno run -P=dev dev/compile.ts
 *
 * @module
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { sentence } from "../errors.ts";
import { PYODIDE_FOLDER, pyodideFolder, PYTHON_SCRIPT } from "../tools/sandbox/mod.ts";
import { pack, type Packer, packModules, type RunDeno } from "./pack.ts";
import { stored } from "./zip.ts";

/** Folders that the executable reads as files; `resources.ts` finds them beside the bundle. */
const DATA = ["agents", "prompts", "pipeline/definitions"];

/** Modules that are started on their own; `script()` of `resources.ts` finds their bundles. */
const SCRIPTS = ["tools/sandbox/javascript_worker.ts", PYTHON_SCRIPT];

/** The module that unpacks, in every folder of bundles. */
const PREAMBLE = join(import.meta.dirname ?? ".", "preamble.js");

/** How Pyodide's loader begins: what it will want is unpacked while the process reads its job. */
const LOADER = `import { loadPacked, readPacked } from "../preamble.js";
const names = ["pyodide.asm.wasm", "python_stdlib.zip"];
const paths = names.map((name) => import.meta.dirname + "/" + name);
const early = new Map(paths.map((path) => [path, readPacked(path)]));
const readEarly = (path, options) => early.get(path) ?? readPacked(path, options);
void loadPacked(import.meta.dirname + "/pyodide.asm.mjs");
`;

/** Modules that are imported late but by every command: packed, they would start it later. */
const EARLY = ["program", "orchestrator"];

/**
 * A run in flight is many short-lived objects. In V8's default young generation those of a hundred
 * runs survive and have to be moved; with 32 MB they die young. What streams leave in the old
 * generation V8 would let grow to four times what is in use, and it would keep large pages that are
 * free: half as much again, and without those pages, 500 streams take 40 to 60 MB less for the same
 * processor time (`docs/performance.md`).
 */
const HEAP =
  "--v8-flags=--min-semi-space-size=32,--max-semi-space-size=32,--heap-growing-percent=50,--no-large-page-pool";

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

/**
 * Builds the executable and returns its path.
 *
 * @throws Error when a step fails, or when the result does not start
 */
export async function compile(options: CompileOptions): Promise<string> {
  const { project, entry = "main.ts", output = "dist/orchestrator" } = options;
  const { scripts = SCRIPTS, deno: command = [Deno.execPath()] } = options;
  const target = resolve(project, output);
  const staging = join(project, "dist/bundle");
  const deno: RunDeno = (cwd, args) => run(command, cwd, args);
  const packer: Packer = { deno, cache: join(project, "dist/packed") };
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  for (const folder of DATA) {
    cpSync(join(project, folder), join(staging, folder), { recursive: true });
  }

  await bundle(project, [entry], staging, packer);
  const folders = [...DATA];
  for (const folder of new Set(scripts.map(dirname))) {
    const entries = scripts.filter((path) => dirname(path) === folder);
    await bundle(project, entries, join(staging, folder), packer);
    folders.push(folder);
  }
  if (scripts.includes(PYTHON_SCRIPT)) await addPyodide(join(staging, PYODIDE_FOLDER), packer);
  const packed = readdirSync(staging).filter((name) => name.endsWith(".br"));
  await deno(staging, [
    ...["compile", "--quiet", "--no-config", "--no-lock", "--no-check", "--unstable-kv"],
    HEAP,
    ...PERMISSIONS,
    ...[...folders, ...packed].flatMap((path) => ["--include", path]),
    ...["-o", target, `${basename(entry, ".ts")}.js`],
  ]);
  await startOnce(target);
  return target;
}

/**
 * Starts what was built: `deno compile` takes a runtime of any version or machine (`DENORT_BIN`), and
 * only a start shows that the two do not fit. What does not start is removed.
 */
async function startOnce(target: string): Promise<void> {
  const decoder = new TextDecoder();
  const reason = await new Deno.Command(target, { args: ["--help"], env: { NO_COLOR: "1" } })
    .output().then(
      ({ success, stderr }) => success ? undefined : decoder.decode(stderr).trim().split("\n")[0],
      (error: Error) => error.message,
    );
  if (reason === undefined) return;
  rmSync(target);
  const runtime = Deno.env.get("DENORT_BIN");
  throw new Error(
    sentence(`Cannot compile: the executable does not start: ${reason || "no reason is printed"}`) +
      (runtime
        ? ` DENORT_BIN (${runtime}) must be the denort of the same version as the compiling deno.`
        : " Delete the cache of deno and compile again."),
  );
}

/** Bundles modules into a folder: what is imported late is in files of its own, and packed. */
async function bundle(project: string, entries: string[], folder: string, packer: Packer) {
  await packer.deno(project, [
    ...["bundle", "--quiet", "--config", join(project, "deno.json"), "--platform", "deno"],
    ...["--minify", "--code-splitting", "--outdir", folder],
    ...entries.map((path) => resolve(project, path)),
  ]);
  const names = [...entries.map((path) => basename(path, ".ts")), ...EARLY];
  await packModules(folder, (name) => names.some((early) => isFileOf(early, name)), packer);
  cpSync(PREAMBLE, join(folder, basename(PREAMBLE)));
}

/** Late modules have a hash in their names. */
function isFileOf(module: string, name: string): boolean {
  return name === `${module}.js` || name.startsWith(`${module}-`);
}

/** Adds Pyodide, packed; its loader reads and imports the packed files. */
async function addPyodide(target: string, packer: Packer): Promise<void> {
  const folder = await pyodideFolder();
  const read = (name: string) => readFileSync(join(folder, name));
  const changed = (name: string, changes: [RegExp, string][]) => {
    let text = read(name).toString();
    for (const [pattern, replacement] of changes) {
      if (!pattern.test(text)) throw new Error(`Cannot compile: ${name} has no ${pattern}.`);
      text = text.replace(pattern, replacement);
    }
    return text;
  };
  const loader = changed("pyodide.mjs", [
    [/^/, LOADER],
    [/await import\("node:fs\/promises"\)/, "{ readFile: readEarly }"],
    [/await import\([\w$]+\.pathToFileURL\((\w+)\)\.href\)/, "await loadPacked($1)"],
  ]);
  const code = changed("pyodide.asm.mjs", [
    [/\bimport\.meta\b/g, "importMeta"],
    [/\bexport default (\w+);/, "module.exports = { default: $1 };"],
  ]);
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, "pyodide.mjs"), loader);
  const packed = {
    "pyodide.asm.mjs": new TextEncoder().encode(code),
    "pyodide.asm.wasm": read("pyodide.asm.wasm"),
    "pyodide-lock.json": read("pyodide-lock.json"),
    "python_stdlib.zip": stored(read("python_stdlib.zip")),
  };
  for (const [name, bytes] of Object.entries(packed)) await pack(bytes, join(target, name), packer);
}

async function run(command: string[], cwd: string, args: string[]): Promise<void> {
  const [program = "deno", ...words] = command;
  const { code } = await new Deno.Command(program, { args: [...words, ...args], cwd }).spawn()
    .status;
  if (code !== 0) throw new Error(`Cannot compile: \`deno ${args[0]}\` ended with ${code}.`);
}

if (import.meta.main) {
  const path = await compile({ project: resolve(import.meta.dirname ?? ".", "..") });
  const megabytes = Deno.statSync(path).size / 1e6;
  Deno.stdout.writeSync(new TextEncoder().encode(`${path} (${megabytes.toFixed(0)} MB)\n`));
}
