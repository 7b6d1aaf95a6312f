/** `orchestrator run`: one durable run, its progress on stderr, its answer on stdout. @module */
import type { Command } from "commander";
import { basename } from "node:path";
import type { Config } from "../config.ts";
import { OrchestratorError, sentence } from "../errors.ts";
import { localCaller } from "../guard/mod.ts";
import type { Orchestrator } from "../orchestrator.ts";
import type { JournalEvent, Json, RunRecord, RunResult } from "../pipeline/kernel/mod.ts";
import { unifiedResponse, watchWaiting } from "../service/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import { askPeople } from "./ask.ts";
import { type Progress, showProgress } from "./progress.ts";
import { surviveUncaught } from "./uncaught.ts";

/** Exit code when the run waits for something that this command cannot give it. */
const WAITING = 4;

/** What running needs from the entry. */
export interface RunDeps {
  config(): Config;
  log(config: Config): Logger;
  create(options: { config: Config; log: Logger }): Promise<Orchestrator>;
  /** Names of the pipelines that there are files of. */
  pipelines(config: Config): Promise<string[]>;
  /** Standard output. */
  write(text: string): void;
  /** Standard error: a terminal gets live progress. */
  progress: { write(text: string): void; terminal: boolean };
  readStdin(): Promise<string>;
  /** One line from the terminal, `null` at the end of input; absent without a terminal. */
  readLine?: () => Promise<string | null>;
  exit(code: number): void;
}

interface RunOptions {
  input?: string;
  document: string[];
  context: string[];
  conversation?: string;
  json?: boolean;
  quiet?: boolean;
}

/** Adds the command `run`. */
export function addRun(program: Command, deps: RunDeps): void {
  const collect = (value: string, all: string[]) => [...all, value];
  program.command("run")
    .description("run a pipeline once and print its answer")
    .argument(
      "[pipeline]",
      "name of the pipeline, such as compose; if omitted, pipelines are listed",
    )
    .option("-i, --input <text>", "the request: text, a JSON object, or - to read standard input")
    .option("-d, --document <file>", "a document to work from; may be repeated", collect, [])
    .option("-c, --context <key=value>", "tone, length …; may be repeated", collect, [])
    .option("--conversation <id>", "the conversation this belongs to")
    .option("--json", "print the whole response as JSON")
    .option("-q, --quiet", "show no progress")
    .action((pipeline: string | undefined, options: RunOptions) =>
      pipeline === undefined ? refuse(deps) : run(pipeline, options, deps)
    );
}

async function refuse(deps: RunDeps): Promise<never> {
  const names = await deps.pipelines(deps.config());
  throw usage("no pipeline was given", `name one of ${names.join(", ")}`);
}

async function run(pipeline: string, options: RunOptions, deps: RunDeps): Promise<void> {
  const input = await inputOf(options, deps);
  const config = deps.config();
  const log = deps.log(config);
  using _ = surviveUncaught(log);
  const service = await deps.create({ config, log });
  const progress = options.quiet ? undefined : showProgress(deps.progress);
  const stop = () => {
    deps.progress.write(
      "\nStopped. The run is on disk: `serve`, or the next `run`, resumes it.\n",
    );
    deps.exit(130);
  };
  Deno.addSignalListener("SIGINT", stop);
  let ended: Ended | Left;
  try {
    ended = await runToEnd(service, { pipeline, input, options, progress, deps });
  } finally {
    progress?.end();
    Deno.removeSignalListener("SIGINT", stop);
    await service.close();
    log.flush();
  }
  if ("waits_for" in ended) {
    deps.progress.write(leftText(ended, config));
    return deps.exit(WAITING);
  }
  if (ended.result.status !== "completed") throw failure(ended.result);
  const response = unifiedResponse(ended.run, ended.events);
  deps.write(
    options.json
      ? `${JSON.stringify(response, null, 2)}\n`
      : `${response.message!.content.trimEnd()}\n`,
  );
}

interface Ended {
  run: RunRecord;
  events: JournalEvent[];
  result: RunResult;
}

/** The run is on disk and waits. */
interface Left {
  run: RunRecord;
  waits_for: string[];
}

async function runToEnd(
  service: Orchestrator,
  { pipeline, input, options, progress, deps }: {
    pipeline: string;
    input: Json;
    options: RunOptions;
    progress?: Progress;
    deps: RunDeps;
  },
): Promise<Ended | Left> {
  const { engine, prepare } = service;
  const caller = localCaller();
  const { unpriced: _unpriced, cache_seconds: _cache, ...start } = await prepare(
    caller,
    pipeline,
    input,
  );
  const events: JournalEvent[] = [];
  let held = Promise.withResolvers<void>();
  const watch = watchWaiting(() => held.resolve());
  const conversation_id = options.conversation;
  const request = { ...start, pipeline, input, conversation_id };
  const { run, result } = await engine.start(caller, request, (event) => {
    if ("seq" in event) events.push(event);
    watch(event);
    progress?.show(event);
  });
  for (;;) {
    const ended = await Promise.race([result, held.promise]);
    if (ended) return { run, events, result: ended };
    held = Promise.withResolvers();
    progress?.end();
    const waits_for = await askPeople(service, caller, run, {
      ...deps,
      write: deps.progress.write,
    });
    if (waits_for.length > 0) return { run, waits_for };
  }
}

function leftText({ run, waits_for }: Left, { server }: Config): string {
  return `${sentence(`The run ${run.id} is waiting for ${waits_for.join(", ")}`)}\n` +
    "It is on disk. Start `orchestrator serve` to continue it:\n" +
    `  curl http://localhost:${server.port}/v1/runs/${run.id}\n`;
}

async function inputOf(options: RunOptions, deps: RunDeps): Promise<Json> {
  const text = options.input === "-" ? await deps.readStdin() : options.input;
  if (!text?.trim()) throw usage("--input is missing", 'pass the request with --input "…"');
  const documents = await Promise.all(options.document.map(readDocument));
  const context = Object.fromEntries(options.context.map(pair));
  const given = parseObject(text) ?? { messages: [{ role: "user", content: text.trim() }] };
  return {
    ...given,
    ...(options.context.length > 0 ? { context } : {}),
    ...(documents.length > 0 ? { documents } : {}),
  };
}

/** A JSON object, or nothing when the text is a plain request. */
function parseObject(text: string): { [key: string]: Json } | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usage(
      "--input starts like a JSON object but is not valid JSON",
      (error as Error).message,
    );
  }
}

async function readDocument(path: string): Promise<Json> {
  try {
    const text = await Deno.readTextFile(path);
    const title = /^#\s+(.+)$/m.exec(text)?.[1];
    return { id: basename(path), ...(title ? { title } : {}), text };
  } catch (error) {
    throw usage(`${path} cannot be read`, (error as Error).message);
  }
}

function pair(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) {
    throw usage(`--context ${text} has no value`, "write --context tone=informative");
  }
  return [text.slice(0, at), text.slice(at + 1)];
}

function usage(problem: string, fix: string): OrchestratorError {
  return new OrchestratorError("invalid_request", `Cannot run: ${problem}: ${fix}.`);
}

function failure(result: Exclude<RunResult, { status: "completed" }>): OrchestratorError {
  if (result.status === "failed") {
    return new OrchestratorError(result.error.code, result.error.message, result.error);
  }
  const why = result.reason ? `: ${result.reason}` : "";
  return new OrchestratorError("run_cancelled", `The run was cancelled${why}.`);
}
