/**
 * The browser agent and the ML worker where no others are configured: they run Python in this
 * program's own sandbox, on the data set of the run. What the code writes becomes files of the run.
 *
 * Boundary: code that fails is a result, so that its author can fix it; only what the code cannot
 * help (a shutdown, a store that is gone) is thrown.
 *
 * @module
 */
import { type OrchestratorError, toOrchestratorError } from "../../errors.ts";
import type { Artifacts } from "../../store/mod.ts";
import { type DatasetDeps, loadTable, toCsv } from "../../tools/dataset/mod.ts";
import type { CodeResult, Sandbox } from "../../tools/sandbox/mod.ts";
import type { Json, RunInfo, StepScope } from "../kernel/mod.ts";
import { failed, type Services } from "../calls/mod.ts";
import { CHARTS } from "./charts.ts";
import { SANDBOX } from "./environment.ts";

export { type Environment, environmentsTask } from "./environment.ts";
export { giveUpTask } from "./give_up.ts";

/** What running code needs. */
export interface NotebookDeps extends DatasetDeps {
  sandbox: Pick<Sandbox, "run">;
  artifacts: DatasetDeps["artifacts"] & Pick<Artifacts, "put">;
}

/** Longest run of an exploration and of a training. */
const EXPLORE_MS = 120_000;
const TRAIN_MS = 300_000;
/** Files of one program that are kept. */
const MAX_FILES = 30;
/** Characters of what a program printed that its result shows. */
const MAX_PRINTED = 20_000;
/** How often a data set that cannot be reached is asked for. */
const LOAD_ATTEMPTS = 2;

/** The names of the services. */
export const NOTEBOOK_SERVICES = ["browser_agent", "ml_worker"];

/** The services by name. */
export function createNotebook(deps: NotebookDeps): Services {
  return {
    browser_agent: embedded("browser_agent", "/execute", EXPLORE_MS, deps),
    ml_worker: embedded("ml_worker", "/train", TRAIN_MS, deps),
  };
}

type Fields = Record<string, Json | undefined>;

/** One program and where it runs. */
interface Work {
  code: string;
  dataset: string;
  timeout_ms: number;
  run: RunInfo;
  scope: StepScope;
}

function embedded(name: string, route: string, timeout_ms: number, deps: NotebookDeps) {
  return {
    environment: SANDBOX,
    async embedded(path: string, body: Json, scope: StepScope, run: RunInfo): Promise<Json> {
      if (path !== route) throw failed(name, `it only supports ${route}, not ${path}`);
      const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
      const { code, dataset }: Fields = isObject ? body : {};
      if (typeof code !== "string" || typeof dataset !== "string") {
        throw failed(name, "its body must be {code, dataset}, both strings");
      }
      return await execute({ code, dataset, timeout_ms, run, scope }, deps);
    },
  };
}

async function execute(work: Work, deps: NotebookDeps): Promise<Json> {
  const { run: { caller }, scope } = work;
  let csv: Uint8Array;
  try {
    csv = await toCsv(await loadTable(work.dataset, { caller, signal: scope.signal }, deps));
  } catch (error) {
    return notLoaded(error, scope);
  }
  try {
    const result = await deps.sandbox.run({
      language: "python",
      code: work.code,
      files: { "dataset.csv": csv, "charts.py": new TextEncoder().encode(CHARTS) },
      signal: scope.signal,
      timeout_ms: work.timeout_ms,
    });
    return await succeeded(result, work, deps);
  } catch (error) {
    scope.signal.throwIfAborted();
    return broken(toOrchestratorError(error));
  }
}

/** Transient failures are retried; without its data the code has not run, and the rest continues. */
function notLoaded(error: unknown, { signal, attempt }: StepScope): Json {
  signal.throwIfAborted();
  const { kind, code, message } = toOrchestratorError(error);
  if (code === "internal" || kind === "cancelled") throw error;
  if (kind === "retryable" && attempt < LOAD_ATTEMPTS) throw error;
  return notExecuted(message);
}

async function succeeded(
  { result, stdout, stderr, files, duration_ms }: CodeResult,
  work: Work,
  deps: NotebookDeps,
): Promise<Json> {
  const { artifacts, left_out } = await keep(files, work, deps);
  return {
    embedded: true,
    executed: true,
    exit_code: 0,
    duration_ms: Math.round(duration_ms),
    stdout: shortened(stdout),
    ...(stderr === "" ? {} : { stderr: shortened(stderr) }),
    ...(result === null ? {} : { result }),
    artifacts,
    ...(left_out === 0 ? {} : { files_left_out: left_out }),
  };
}

/** The code's own failure as a result. @throws every other one */
function broken(error: OrchestratorError): Json {
  if (error.code === "sandbox_unavailable") return notExecuted(error.message);
  if (!/^code_/.test(error.code)) throw error;
  const { stdout = "", stderr = "" } = (error.details ?? {}) as Record<string, string | undefined>;
  return {
    embedded: true,
    executed: true,
    exit_code: 1,
    error: { code: error.code, message: error.message },
    stdout: shortened(stdout),
    stderr: shortened(stderr),
    artifacts: [],
  };
}

function notExecuted(message: string): Json {
  return { embedded: true, executed: false, message };
}

/** Makes files of the run of what the code wrote. */
async function keep(
  files: CodeResult["files"],
  { run, scope }: Work,
  { artifacts, max_bytes }: NotebookDeps,
): Promise<{ artifacts: Json[]; left_out: number }> {
  const names = Object.keys(files).sort();
  const fitting = names.filter((name) => files[name]!.length <= max_bytes).slice(0, MAX_FILES);
  const kept: Json[] = [];
  for (const name of fitting) {
    const place = { run: run.id, step: scope.key, key: scope.key };
    const file = { name, type: typeOf(name), bytes: files[name]! };
    const { id, name: shown, type, size } = await artifacts.put(run.caller, place, file);
    kept.push({ id, name: shown, type, size, url: `/v1/artifacts/${id}/content` });
  }
  return { artifacts: kept, left_out: names.length - fitting.length };
}

const TYPES: Record<string, string> = {
  svg: "image/svg+xml",
  png: "image/png",
  csv: "text/csv; charset=utf-8",
  json: "application/json",
  txt: "text/plain; charset=utf-8",
  md: "text/markdown; charset=utf-8",
};

function typeOf(name: string): string {
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  return (Object.hasOwn(TYPES, ending) && TYPES[ending]) || "application/octet-stream";
}

/** The beginning and the end: results are in the last line. */
function shortened(text: string): string {
  if (text.length <= MAX_PRINTED) return text;
  const half = MAX_PRINTED / 2;
  const cut = text.length - MAX_PRINTED;
  return `${text.slice(0, half)}\n… ${cut} characters left out …\n${text.slice(-half)}`;
}
