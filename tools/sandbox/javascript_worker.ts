/**
 * The Worker of one run of JavaScript: a new WebAssembly instance of QuickJS, which sees nothing but
 * what is put into it here. Answers with one {@linkcode Outcome}.
 *
 * @module
 */
import variant from "@jitl/quickjs-singlefile-mjs-release-sync";
import { runInThisContext } from "node:vm";
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
} from "quickjs-emscripten-core";
import { MAX_OUTPUT_BYTES } from "./contract.ts";
import { BOOTSTRAP } from "./javascript_bootstrap.ts";
import type { Failure, Outcome } from "./outcome.ts";

/** What the Worker is asked to do. */
export interface JavascriptJob {
  code: string;
  /** Run before the code. */
  prelude: string;
  /** JSON text. */
  input: string;
  files: Record<string, Uint8Array>;
  /** In milliseconds since 1970. */
  deadline: number;
  memory_mb: number;
}

/** More would overflow the Worker's own stack before QuickJS notices. */
const STACK_BYTES = 256 * 1024;
const PAGES_PER_MB = 16;
const FIRST_PAGES = 256;
/** Of QuickJS: allows `await` at the top level, with the value of the last statement as `value`. */
const EVAL_ASYNC = 128;
/** Jobs between two looks at the clock. */
const JOBS_AT_A_TIME = 1_000;
/** What QuickJS gets to stop by itself. */
const GRACE_MS = 20;

/** A run's state outside of the interpreter. */
interface Output {
  stdout: string;
  stderr: string;
  files: Record<string, Uint8Array>;
  bytes: number;
  /** Why the interpreter has to stop, once it has. */
  stopped?: Failure["code"];
}

async function run(job: JavascriptJob): Promise<Outcome> {
  const output: Output = { stdout: "", stderr: "", files: {}, bytes: 0 };
  let end: Outcome["end"];
  try {
    const context = await createContext(job, output);
    end = within(job.deadline - Date.now(), () => evaluate(context, job, output));
  } catch (error) {
    // Else WebAssembly ran out of stack, or of memory within QuickJS itself.
    const late = (error as { code?: string }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
    end = late
      ? { code: "code_timeout" }
      : { code: "code_failed", reason: "it broke the interpreter" };
  }
  const { stdout, stderr, files, stopped } = output;
  return { end: stopped ? { code: stopped } : end, stdout, stderr, files };
}

/**
 * Ends work in any place. QuickJS asks for the time between its instructions only, not within a long
 * native one, and a busy Worker that is terminated runs for ever.
 */
function within<T>(ms: number, work: () => T): T {
  Object.assign(globalThis, { work });
  return runInThisContext("work()", { timeout: Math.max(1, Math.round(ms) + GRACE_MS) });
}

/** QuickJS's own memory limit counts nothing in WebAssembly: that of the memory itself does. */
async function createContext(job: JavascriptJob, output: Output): Promise<QuickJSContext> {
  const maximum = Math.max(job.memory_mb * PAGES_PER_MB, FIRST_PAGES);
  const wasmMemory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum });
  const quickjs = await newQuickJSWASMModuleFromVariant(newVariant(variant, { wasmMemory }));
  const runtime = quickjs.newRuntime();
  runtime.setMaxStackSize(STACK_BYTES);
  runtime.setInterruptHandler(() => {
    if (Date.now() > job.deadline) output.stopped ??= "code_timeout";
    return output.stopped !== undefined;
  });
  const refusal = "there are no modules to import";
  runtime.setModuleLoader(() => ({ error: new Error(refusal) }));
  return runtime.newContext();
}

/** What the code's world is made of, besides the language itself. */
function evaluate(context: QuickJSContext, job: JavascriptJob, output: Output): Outcome["end"] {
  const text = (value: string) => context.newString(value);
  const host = context.newObject();
  const offer = (name: string, fn: (...args: QuickJSHandle[]) => QuickJSHandle | void) =>
    context.setProp(host, name, context.newFunction(name, fn));
  context.setProp(host, "input", text(job.input));
  context.setProp(host, "files", text(JSON.stringify(Object.keys(job.files))));
  offer("print", (fd, line) => {
    const printed = context.getString(line);
    count(output, printed.length);
    if (context.getNumber(fd) === 1) output.stdout += printed;
    else output.stderr += printed;
  });
  offer("read", (name) => {
    const bytes = job.files[context.getString(name)];
    return text(new TextDecoder().decode(bytes));
  });
  offer("write", (name, content) => {
    const bytes = new TextEncoder().encode(context.getString(content));
    const key = context.getString(name);
    count(output, bytes.length + key.length);
    output.files[key] = bytes;
  });
  const bootstrap = context.unwrapResult(context.evalCode(BOOTSTRAP, "bootstrap.js"));
  const finish = context.unwrapResult(context.callFunction(bootstrap, context.undefined, host));
  if (job.prelude) context.unwrapResult(context.evalCode(job.prelude, "prelude.js"));
  return conclude(context, job.code, finish, output);
}

/** Runs the code, then what turns its value into JSON text. */
function conclude(
  context: QuickJSContext,
  code: string,
  finish: QuickJSHandle,
  output: Output,
): Outcome["end"] {
  const started = context.evalCode(code, "code.js", EVAL_ASYNC);
  if (started.error) return describe(context, started.error, code);
  const ran = settle(context, started.value, output);
  if (ran.error) return describe(context, ran.error, code);
  if (!ran.value) return { code: "code_failed", reason: "it awaits a promise that never settles" };
  const shaping = context.callFunction(finish, context.undefined, ran.value);
  if (shaping.error) return describe(context, shaping.error, code);
  const shaped = settle(context, shaping.value, output);
  if (shaped.error) return describe(context, shaped.error, code);
  if (!shaped.value) {
    return { code: "code_failed", reason: "its result is a promise that never settles" };
  }
  const json = context.getString(shaped.value);
  count(output, json.length);
  return { json };
}

/** Runs what is pending until a promise has a value or an error; neither when nothing is left. */
function settle(
  context: QuickJSContext,
  promise: QuickJSHandle,
  output: Output,
): { value?: QuickJSHandle; error?: QuickJSHandle } {
  for (;;) {
    const state = context.getPromiseState(promise);
    if (state.type === "fulfilled") return { value: state.value };
    if (state.type === "rejected") return { error: state.error };
    if (output.stopped || !context.runtime.hasPendingJob()) return {};
    const { error } = context.runtime.executePendingJobs(JOBS_AT_A_TIME);
    if (error) return { error };
    // Short jobs need not come to the place where QuickJS itself asks.
    context.unwrapResult(context.evalCode("for (let i = 0; i < 10_000; i++);", "tick.js"));
  }
}

/** QuickJS tells its own limits apart by name and message only; nothing but the label hangs on it. */
function describe(context: QuickJSContext, error: QuickJSHandle, code: string): Failure {
  const thrown = context.dump(error);
  if (typeof thrown !== "object" || thrown === null) {
    return { code: "code_failed", reason: `it threw ${String(thrown).slice(0, 1_000)}` };
  }
  const { name, message, stack } = thrown as Record<string, unknown>;
  if (name === "InternalError" && message === "out of memory") return { code: "code_memory" };
  if (name === "SyntaxError" && /^\s*(?:import|export)\b/m.test(code)) {
    const reason = "it is a script and cannot import or export: there are no modules";
    return { code: "code_failed", reason };
  }
  const line = /\bcode\.js:(\d+)/.exec(String(stack))?.[1];
  const told = `${name ?? "Error"}: ${message ?? JSON.stringify(thrown)}`.slice(0, 1_000);
  return { code: "code_failed", reason: `${told}${line ? ` (line ${line})` : ""}` };
}

/** Throws into the code; if the code continues, the interpreter stops it. */
function count(output: Output, bytes: number): void {
  output.bytes += bytes + 1;
  if (output.bytes > MAX_OUTPUT_BYTES) output.stopped ??= "code_output_too_large";
  if (output.stopped) throw new Error("the code has to stop");
}

/** This module's global scope, which the compiler takes for a window. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<JavascriptJob>) => void;
  postMessage(outcome: Outcome): void;
};
scope.onmessage = async ({ data }) => scope.postMessage(await run(data));
