/**
 * The process of one run of Python. Reads what to do from its input, loads Pyodide, gives up every
 * permission that it has and takes the host's functions away from JavaScript, too; then it runs the
 * code and ends. Whoever started it ends it earlier.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { encodeFrame, readFrames } from "./frames.ts";
import { MAX_OUTPUT_BYTES, TOO_LARGE } from "./contract.ts";
import type { Failure } from "./outcome.ts";
import { HARNESS } from "./python_harness.ts";
import { expand, squeeze } from "./sparse.ts";

/** What the child receives first; frames with the snapshot and the files follow. */
export interface PythonJob {
  code: string;
  /** JSON text. */
  input: string;
  memory_mb: number;
  /** Send the started interpreter's memory, so that the next one need not start. */
  make_snapshot: boolean;
}

const MB = 1024 * 1024;
/** What the process takes besides the memory of its code. */
const BASE_MB = 384;
/** The snapshot is some 15 MB; the rest is files. */
const MAX_FRAME_BYTES = 256 * MB;

/** Of Pyodide, which is loaded by its path and so has no types here. */
interface Pyodide {
  FS: {
    mkdir(path: string): void;
    chdir(path: string): void;
    writeFile(path: string, bytes: Uint8Array): void;
    readFile(path: string): Uint8Array;
    readdir(path: string): string[];
    stat(path: string): { mode: number; size: number };
    isFile(mode: number): boolean;
  };
  setStdin(options: { error: boolean }): void;
  setStdout(options: { write(bytes: Uint8Array): number }): void;
  setStderr(options: { write(bytes: Uint8Array): number }): void;
  runPython(code: string): (code: string, input: string) => Promise<string>;
  makeMemorySnapshot(): Uint8Array;
}

interface Loader {
  loadPyodide(options: Record<string, unknown>): Promise<Pyodide>;
}

const send = sender();

async function main(): Promise<void> {
  const folder = Deno.args.at(-1) ?? "";
  // In the executable it begins to unpack other files, in threads that work while the job is read.
  const loader: Loader = await import(pathToFileURL(`${folder}/pyodide.mjs`).href);
  const { job, files, snapshot } = await readJob();
  limitMemory(job.memory_mb);
  const python = await load(loader, folder, job, snapshot);
  if (job.make_snapshot) send({ kind: "snapshot" }, squeeze(python.makeMemorySnapshot()));
  prepare(python, files);
  const run = python.runPython(HARNESS);
  const exit = lockUp(job.memory_mb);
  const end = await finish(() => run(job.code, job.input));
  exit(sendFiles(python) ? end : { code: "code_output_too_large" });
}

async function readJob() {
  let job: PythonJob | undefined;
  let snapshot: Uint8Array | undefined;
  const files: [string, Uint8Array][] = [];
  for await (const { head, body } of readFrames(pieces(), MAX_FRAME_BYTES)) {
    if (head.kind === "job") job = head as unknown as PythonJob;
    if (head.kind === "snapshot") snapshot = expand(body);
    if (head.kind === "file") files.push([String(head.name), body]);
  }
  if (!job) throw new Error("Cannot run Python: only the service itself may use this command.");
  return { job, files, snapshot };
}

/** What comes in. A stream would take ten times as long for the snapshot: it gives 64 KB at a time. */
function* pieces(): Generator<Uint8Array> {
  for (let read: number | null = 0; read !== null;) {
    const piece = new Uint8Array(MB);
    let length = 0;
    while (length < MB && (read = Deno.stdin.readSync(piece.subarray(length))) !== null) {
      length += read;
    }
    yield piece.subarray(0, length);
  }
}

/** Python's memory is one WebAssembly memory: where it may not grow, Python gets a MemoryError. */
function limitMemory(memory_mb: number): void {
  const { grow } = WebAssembly.Memory.prototype;
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (this.buffer.byteLength / MB + pages / 16 > memory_mb) throw new RangeError("too much");
    return grow.call(this, pages);
  };
}

async function load(
  { loadPyodide }: Loader,
  folder: string,
  { make_snapshot }: PythonJob,
  snapshot?: Uint8Array,
): Promise<Pyodide> {
  return await loadPyodide({
    indexURL: `${folder}/`,
    _makeSnapshot: make_snapshot,
    _loadSnapshot: snapshot,
    env: { HOME: "/out" },
    _sysExecutable: "/usr/bin/python3",
  });
}

function prepare(python: Pyodide, files: [string, Uint8Array][]): void {
  const { FS } = python;
  const writing = (kind: string) => ({
    write(bytes: Uint8Array): number {
      send({ kind }, bytes);
      return bytes.length;
    },
  });
  python.setStdin({ error: true });
  python.setStdout(writing("stdout"));
  python.setStderr(writing("stderr"));
  FS.mkdir("/data");
  for (const [name, bytes] of files) FS.writeFile(`/data/${name}`, bytes);
  FS.chdir("/out");
}

/**
 * Gives up all permissions, then what needs none. Python can reach JavaScript: what it finds there
 * must be of no use.
 */
function lockUp(memory_mb: number): (end: { json: string } | Failure) => void {
  const { exit } = Deno;
  for (const name of ["run", "net", "read", "write", "env", "sys", "ffi", "import"] as const) {
    const { state } = Deno.permissions.revokeSync({ name } as Deno.PermissionDescriptor);
    if (state === "granted") {
      throw new Error(`Cannot run Python: the permission ${name} could not be revoked.`);
    }
  }
  watchMemory((memory_mb + BASE_MB) * MB);
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!LEFT.has(name)) Reflect.deleteProperty(globalThis, name);
  }
  const kinds = [() => {}, async () => {}, function* () {}, async function* () {}];
  for (const kind of kinds) {
    const { prototype } = kind.constructor;
    Object.defineProperty(prototype, "constructor", { value: undefined });
  }
  return (end) => {
    if ("json" in end) send({ kind: "end" }, new TextEncoder().encode(end.json));
    else send({ kind: "end", ...end });
    exit(0);
  };
}

/**
 * What Python makes of JavaScript is not in its own memory: a thread that the code cannot keep busy
 * tells when the whole process is too large. It has no permission either.
 */
function watchMemory(limit: number): void {
  const watch = `setInterval(() => {
    if (Deno.memoryUsage().rss > ${limit}) Deno.stderr.writeSync(new Uint8Array([${TOO_LARGE}]));
  }, 50)`;
  new Worker(`data:text/javascript,${encodeURIComponent(watch)}`, { type: "module" });
}

/** The language itself, and what Pyodide's event loop needs. */
const LEFT = new Set([
  ...["Object", "Function", "Array", "Number", "Boolean", "String", "Symbol", "Date", "Promise"],
  ...["RegExp", "Error", "AggregateError", "EvalError", "RangeError", "ReferenceError"],
  ...["SyntaxError", "TypeError", "URIError", "JSON", "Math", "Intl", "ArrayBuffer", "Atomics"],
  ...["Uint8Array", "Int8Array", "Uint16Array", "Int16Array", "Uint32Array", "Int32Array"],
  ...["Float32Array", "Float64Array", "Uint8ClampedArray", "BigUint64Array", "BigInt64Array"],
  ...["DataView", "Map", "BigInt", "Set", "WeakMap", "WeakSet", "WeakRef", "Proxy", "Reflect"],
  ...["FinalizationRegistry", "Iterator", "NaN", "Infinity", "undefined", "globalThis", "isNaN"],
  ...["isFinite", "parseInt", "parseFloat", "decodeURIComponent", "encodeURIComponent"],
  ...[
    "setTimeout",
    "clearTimeout",
    "setImmediate",
    "queueMicrotask",
    "TextDecoder",
    "TextEncoder",
    "WebAssembly",
  ],
  ...["performance", "crypto", "AbortController", "AbortSignal", "Event", "EventTarget"],
]);

/** Why Python's code failed: a MemoryError is what {@linkcode limitMemory} leads to. */
async function finish(run: () => Promise<string>): Promise<{ json: string } | Failure> {
  try {
    const { json, error, reason } = JSON.parse(await run());
    if (json?.length > MAX_OUTPUT_BYTES) return { code: "code_output_too_large" };
    if (json !== undefined) return { json };
    return error === "MemoryError" ? { code: "code_memory" } : { code: "code_failed", reason };
  } catch {
    return { code: "code_failed", reason: "it broke the interpreter" };
  }
}

/** False when there is more than may leave. */
function sendFiles({ FS }: Pyodide): boolean {
  const files = FS.readdir("/out").map((name) => ({ name, ...FS.stat(`/out/${name}`) }))
    .filter(({ mode }) => FS.isFile(mode));
  if (files.reduce((sum, { size }) => sum + size, 0) > MAX_OUTPUT_BYTES) return false;
  for (const { name } of files) send({ kind: "file", name }, FS.readFile(`/out/${name}`));
  return true;
}

/** Holds on to what writes, because the code may not find it. */
function sender(): (head: Record<string, unknown>, body?: Uint8Array) => void {
  const { stdout } = Deno;
  return (head, body) => {
    const bytes = encodeFrame(head, body);
    for (let at = 0; at < bytes.length;) at += stdout.writeSync(bytes.subarray(at));
  };
}

await main();
