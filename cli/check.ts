/**
 * `orchestrator check`: one line for each thing that has to be right before the service can work,
 * and how to fix what is not. It leaves nothing behind.
 *
 * @module
 */
import type { Command } from "commander";
import { rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Config, type Env, type Environment, readConfig } from "../config.ts";
import { type Issue, OrchestratorError, toOrchestratorError } from "../errors.ts";
import { diagnose, rowOf, ROWS } from "../llm/mod.ts";
import { findDamagedIn, holdDirectory } from "../store/mod.ts";
import type { CommandIo } from "./io.ts";
import { environmentIssues, placeholders } from "./suspicions.ts";

/** What a check found: `info` is worth knowing, `warning` worth a look, a `problem` fails the check. */
export interface CheckLine {
  state: "ok" | "info" | "warning" | "problem";
  /** A variable, a path or a part of the service. */
  subject: string;
  message: string;
}

/** The parts of a check that other modules do. Both get a valid config. */
export interface CheckDeps {
  /**
   * What is wrong with agents, prompts, pipelines and tools, what is likely a mistake, and what
   * replaces a built-in definition.
   * `models: false` leaves out whether the agents' models are configured.
   */
  definitions(
    config: Config,
    options?: { models?: boolean },
  ): Promise<{ problems: Issue[]; warnings: Issue[]; overrides: Issue[] }>;
  /** Asks the chosen provider for its models. Throws `model_*` errors. */
  ping(config: Config): Promise<{ latency_ms: number; models: string[] }>;
}

/** Adds the command `check` to the program. */
export function addCheck(program: Command, io: CommandIo, deps: CheckDeps): void {
  program.command("check")
    .description("report problems in the configuration and how to fix them")
    .option("--online", "also contact the model provider")
    .option("--json", "print JSON")
    .action(async (options: { online?: boolean; json?: boolean }) => {
      const lines = await checkConfig(io.environment(), deps, options);
      io.write(options.json ? `${JSON.stringify(lines, null, 2)}\n` : formatCheck(lines, io.color));
      if (lines.some(({ state }) => state === "problem")) io.fail();
    });
}

/** Checks an environment, and asks the provider when `online`. */
export async function checkConfig(
  environment: Environment,
  deps: CheckDeps,
  options: { online?: boolean } = {},
): Promise<CheckLine[]> {
  const { env } = environment;
  const suspicions = [
    ...environmentIssues(environment).map((issue) => line("warning", issue)),
    ...placeholders(env).map((issue) => line("problem", issue)),
  ];
  const config = tryReadConfig(env);
  if (config instanceof OrchestratorError) {
    const issues = config.issues ?? [];
    return [
      ...suspicions,
      ...issues.map((issue) => line("problem", issue)),
      ...await checkDespite(issues, env, deps),
    ];
  }
  return [
    ...suspicions,
    { state: "ok", subject: "variables", message: "well formed" },
    ...await checkFolders(config),
    ...await checkDefinitions(config, deps),
    ...checkPrograms(config),
    chosenProvider(config),
    ...(config.models.warnings ?? []).map((issue) => line("warning", issue)),
    ...(options.online ? await checkProvider(config, deps) : []),
  ];
}

/** The lines as text for people. */
export function formatCheck(lines: CheckLine[], color: boolean): string {
  const codes = { ok: 32, info: 36, warning: 33, problem: 31 };
  const count = (wanted: CheckLine["state"]) =>
    lines.filter(({ state }) => state === wanted).length;
  const rows = lines.map(({ state, subject, message }) => {
    const label = state.padEnd(8);
    return `${color ? `\x1b[${codes[state]}m${label}\x1b[0m` : label} ${subject} ${message}`;
  });
  const [problems, warnings] = [count("problem"), count("warning")];
  const end = problems > 0
    ? `${counted(problems, "problem")} to fix.`
    : `Ready${warnings > 0 ? `, with ${counted(warnings, "warning")}` : ""}.`;
  return `${rows.join("\n")}\n\n${end}\n`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function line(state: CheckLine["state"], { location, message }: Issue): CheckLine {
  return { state, subject: location, message };
}

function tryReadConfig(env: Env): Config | OrchestratorError {
  try {
    return readConfig(env);
  } catch (error) {
    return toOrchestratorError(error);
  }
}

async function checkFolders({ home, data_dir, deploy }: Config): Promise<CheckLine[]> {
  if (deploy) return [];
  try {
    if (await nearestFolder(home) !== home) return [absent(home)];
    const probe = join(home, `.check-${Deno.pid}`);
    await writeFile(probe, "");
    await rm(probe);
    const hasData = await nearestFolder(data_dir) === data_dir;
    return [
      { state: "ok", subject: home, message: "can be written" },
      ...hasData ? await checkData(data_dir) : [absent(data_dir)],
    ];
  } catch (error) {
    const message = `cannot be written (${(error as Error).message}): fix its permissions, or ` +
      "set ORCHESTRATOR_HOME to another folder";
    return [{ state: "problem", subject: home, message }];
  }
}

function absent(folder: string): CheckLine {
  return { state: "ok", subject: folder, message: "does not exist yet: a server creates it" };
}

/** The folder itself, or the nearest one around it that exists. @throws where a file is in the way */
async function nearestFolder(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return await nearestFolder(dirname(path));
  }
  throw new Error(`${path} is a file`);
}

async function checkData(data_dir: string): Promise<CheckLine[]> {
  try {
    const lock = await holdDirectory(data_dir);
    try {
      const free = { state: "ok" as const, subject: data_dir, message: "is free" };
      return [free, ...await checkStore(data_dir)];
    } finally {
      lock?.release();
    }
  } catch (error) {
    if (toOrchestratorError(error).code !== "data_dir_locked") throw error;
    return [{ state: "info", subject: data_dir, message: "is in use: a server is running" }];
  }
}

/** Reads every stored value; a directory without a store has none. */
async function checkStore(data_dir: string): Promise<CheckLine[]> {
  const subject = join(data_dir, "store.kv");
  const problem = (error: OrchestratorError): CheckLine => (
    { state: "problem", subject, message: error.message }
  );
  try {
    const damaged = await findDamagedIn(data_dir);
    if (damaged?.length === 0) return [{ state: "ok", subject, message: "has no damaged value" }];
    return damaged?.map(problem) ?? [];
  } catch (error) {
    return [problem(toOrchestratorError(error))];
  }
}

/** One wrong variable hides no mistake in a file: definitions need nothing of the models. */
async function checkDespite(issues: Issue[], env: Env, deps: CheckDeps): Promise<CheckLine[]> {
  const wrong = new Set(issues.map(({ location }) => location));
  const usable = Object.entries(env)
    .filter(([name]) => !wrong.has(name) && !/^LLM_|_API_KEY$/.test(name));
  const config = tryReadConfig(Object.fromEntries(usable));
  if (config instanceof OrchestratorError) return [];
  return (await checkDefinitions(config, deps, { models: false })).filter(({ state }) =>
    state !== "ok"
  );
}

async function checkDefinitions(
  config: Config,
  deps: CheckDeps,
  options?: { models?: boolean },
): Promise<CheckLine[]> {
  const { problems, warnings, overrides } = await deps.definitions(config, options);
  const parse = { subject: "definitions", message: "agents, prompts and pipelines are valid" };
  return [
    ...(problems.length === 0 ? [{ state: "ok" as const, ...parse }] : []),
    ...problems.map((issue) => line("problem", issue)),
    ...warnings.map((issue) => line("warning", issue)),
    ...overrides.map((issue) => line("info", issue)),
  ];
}

/** MCP servers are programs that only start when the operator has allowed their command lines. */
function checkPrograms({ external }: Config): CheckLine[] {
  const { mcp_servers, mcp_allowed_commands } = external;
  return mcp_servers.flatMap(({ name, command, args }) => {
    const wanted = command === undefined ? undefined : [command, ...args].join(" ");
    if (wanted === undefined || mcp_allowed_commands.includes(wanted)) return [];
    const message =
      `does not name ${JSON.stringify(wanted)}, which the MCP server ${name} needs: ` +
      "add it if you trust this program";
    return [line("problem", { location: "MCP_ALLOWED_COMMANDS", message })];
  });
}

function chosenProvider({ models }: Config): CheckLine {
  const { provider, chosen_by, default_model } = models;
  if (provider === "offline" && default_model !== "offline") {
    const message = `is ${default_model}, but the built-in offline model answers: set a key, ` +
      "LLM_BASE_URL or LLM_PROVIDER, or leave it out";
    return line("warning", { location: "LLM_DEFAULT_MODEL", message });
  }
  if (provider !== "offline") {
    const base_url = models.providers[provider]?.base_url;
    const address = base_url ? ` at ${withoutCredentials(base_url)}` : "";
    const message = `${provider}/${default_model}${address}, chosen by ${chosen_by}`;
    return { state: "ok", subject: "model", message };
  }
  const fix = chosen_by === "LLM_PROVIDER"
    ? "chosen by LLM_PROVIDER"
    : `because no API key is set. Set one, such as ${ROWS[0]![1].keys[0]}, to use a language model`;
  return { state: "info", subject: "model", message: `the built-in offline model, ${fix}` };
}

function withoutCredentials(address: string): string {
  const { origin, pathname } = new URL(address);
  return origin + pathname.replace(/\/$/, "");
}

async function checkProvider(config: Config, deps: CheckDeps): Promise<CheckLine[]> {
  const { provider, default_model } = config.models;
  try {
    const { latency_ms, models } = await deps.ping(config);
    const answered = `answers after ${Math.round(latency_ms)} ms, offers ${models.length} models`;
    const hasModels = models.length > 0 && !rowOf(provider)?.projects;
    const missing = hasModels && !offers(models, default_model);
    return [
      { state: "ok", subject: provider, message: answered },
      ...(missing ? [missingModel(default_model, models)] : []),
    ];
  } catch (error) {
    const { message } = await diagnose(error, provider, config.models);
    return [{ state: "problem", subject: provider, message }];
  }
}

/** Google lists its models as `models/<name>`. */
function offers(models: string[], wanted: string): boolean {
  return models.some((name) => name === wanted || name === `models/${wanted}`);
}

function missingModel(name: string, models: string[]): CheckLine {
  const some = models.slice(0, 5).join(", ");
  const message = `${name} is not offered: set LLM_DEFAULT_MODEL to one that is, such as ${some}`;
  return { state: "problem", subject: "LLM_DEFAULT_MODEL", message };
}
