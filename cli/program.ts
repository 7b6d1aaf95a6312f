/** The command line, and what Deno Deploy serves instead of it. @module */
import { Command } from "commander";
import {
  type Config,
  isDeployed,
  loadConfig,
  loadEnv,
  loadEnvironment,
  readConfig,
} from "../config.ts";
import { toOrchestratorError } from "../errors.ts";
import type { Orchestrator, OrchestratorOptions } from "../orchestrator.ts";
import { createStreamLogger, type Logger } from "../telemetry/mod.ts";
import { version } from "../version.ts";
import { addCheck } from "./check.ts";
import { addNewAgent } from "./new_agent.ts";
import { addRun } from "./run.ts";
import { addServe } from "./serve.ts";
import { environmentIssues } from "./suspicions.ts";
import { surviveUncaught } from "./uncaught.ts";

const encoder = new TextEncoder();
const write = (text: string) => void Deno.stdout.writeSync(encoder.encode(text));
const writeError = (text: string) => void Deno.stderr.writeSync(encoder.encode(text));

/**
 * Loaded with the commands that need it: `--version` must not wait for it. The disk opens the store
 * meanwhile.
 */
async function create(options: OrchestratorOptions): Promise<Orchestrator> {
  const { configuredStore } = await import("../wiring/store.ts");
  const opening = configuredStore(options.config, options.log);
  opening.catch(() => {}); // whoever awaits it tells
  try {
    const { createOrchestrator } = await import("../orchestrator.ts");
    return await createOrchestrator({ ...options, opening });
  } catch (error) {
    await opening.then(({ close }) => close(), () => {});
    throw error;
  }
}

function commandLine(): Command {
  let code = 0;
  const program = new Command("orchestrator")
    .description("Runs durable pipelines of AI agents, in one executable.")
    .version(version, "-v, --version")
    .showHelpAfterError("Try --help.")
    .hook("postAction", () => void (code && Deno.exit(code)));
  const io = {
    environment: loadEnvironment,
    write,
    fail: () => void (code = 1),
    color: Deno.stdout.isTerminal() && !Deno.noColor,
  };
  addServe(program, {
    config: (variables) => readConfig({ ...loadEnv(), ...variables }),
    suspicions: () => environmentIssues(loadEnvironment()),
    log: (config) => createStreamLogger(config.log, Deno.stdout),
    create,
    exit: Deno.exit,
    banner: Deno.stdout.isTerminal() ? write : undefined,
  });
  addRun(program, {
    config: loadConfig,
    log: (config) => quietLog(config),
    create,
    pipelines: async (config) => (await import("../wiring/definitions.ts")).pipelineNames(config),
    write,
    progress: { write: writeError, terminal: Deno.stderr.isTerminal() },
    readStdin: () => new Response(Deno.stdin.readable).text(),
    readLine: Deno.stdin.isTerminal() && Deno.stderr.isTerminal() ? readLine : undefined,
    exit: Deno.exit,
  });
  addCheck(program, io, {
    definitions: async (config, options) =>
      (await import("../wiring/definitions.ts")).definitionFindings(config, options),
    ping: async (config) => (await import("../wiring/models.ts")).ping(config),
  });
  addNewAgent(program, io);
  return program;
}

/** A terminal gives a line at a time. */
async function readLine(): Promise<string | null> {
  const buffer = new Uint8Array(4096);
  const read = await Deno.stdin.read(buffer);
  return read === null ? null : new TextDecoder().decode(buffer.subarray(0, read)).trimEnd();
}

/** `run` owns the terminal: it logs to stderr, and only what went wrong. */
function quietLog({ log }: Config): Logger {
  return createStreamLogger(
    { ...log, level: log.level === "debug" ? "debug" : "error" },
    Deno.stderr,
  );
}

/** What Deno Deploy calls. */
export interface Deployment {
  fetch(request: Request): Promise<Response>;
}

/** What Deno Deploy serves, if this is there: the service is made with the first request. */
export function deployment(): Deployment | undefined {
  if (!isDeployed()) return undefined;
  let service: Promise<Orchestrator> | undefined;
  const make = async () => {
    const config = loadConfig();
    const log = createStreamLogger(config.log, Deno.stdout);
    const surviving = surviveUncaught(log);
    // An isolate that slept past its lease was replaced: the next request makes a new service.
    const onFenced = () => {
      service = undefined;
      surviving[Symbol.dispose]();
    };
    const made = await create({ config, log, onFenced });
    made.keepWatch();
    return made;
  };
  return {
    async fetch(request) {
      service ??= make();
      return (await service).app.fetch(request);
    },
  };
}

/** Does what the arguments say; ends the process with 1 where that fails. */
export async function runCommand(): Promise<void> {
  try {
    await commandLine().parseAsync(Deno.args, { from: "user" });
  } catch (thrown) {
    const error = toOrchestratorError(thrown);
    const bug = error.code === "internal" && error.cause instanceof Error;
    writeError(`${bug ? (error.cause as Error).stack : error.message}\n`);
    Deno.exit(1);
  }
}
