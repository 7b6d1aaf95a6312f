/** `orchestrator serve`: listens until it is stopped, then drains. @module */
import type { Command } from "commander";
import type { Config, Env } from "../config.ts";
import { type Issue, OrchestratorError, sentence, toOrchestratorError } from "../errors.ts";
import { unknownName } from "../json/mod.ts";
import { keyVariables } from "../llm/mod.ts";
import type { Orchestrator } from "../orchestrator.ts";
import type { Logger } from "../telemetry/mod.ts";
import { createSignals, SIGNALS } from "./signals.ts";
import { surviveUncaught } from "./uncaught.ts";

/** How long open connections may take once every run is settled. */
const CLOSE_MS = 1_000;

/** What serving needs from the entry. */
export interface ServeDeps {
  /** The configuration, with these variables set. */
  config(variables: Env): Config;
  /** What is likely a mistake in the environment; it is logged. */
  suspicions?(): Issue[];
  log(config: Config): Logger;
  create(options: { config: Config; log: Logger; onFenced: () => void }): Promise<Orchestrator>;
  /** Ends the process. */
  exit(code: number): void;
  /** Shown to people, not to log collectors. */
  banner?(text: string): void;
}

/** Adds the command `serve`, which is also what happens without a command. */
export function addServe(program: Command, deps: ServeDeps): void {
  program.command("serve", { isDefault: true })
    .description("listen for requests and execute runs (the default command)")
    .allowExcessArguments() // of the program: a command that there is not
    .option("--host <name>", "address to listen on, instead of HOST")
    .option("--port <number>", "port to listen on, instead of PORT")
    .action(({ host, port }: { host?: string; port?: string }, { args: [word] }: Command) => {
      const names = program.commands.map((command) => command.name());
      if (word) program.error(`error: ${unknownName("command", word, names)}`);
      return serve(deps, { ...(host && { HOST: host }), ...(port && { PORT: port }) });
    });
}

/** Listens; ends the process after SIGTERM or SIGINT, or when another worker has taken over. */
export async function serve(deps: ServeDeps, variables: Env = {}): Promise<void> {
  const config = configure(deps, variables);
  const log = deps.log(config);
  using _ = surviveUncaught(log);
  for (const { location, message } of deps.suspicions?.() ?? []) {
    log.warn("a setting has no effect", { setting: location, issue: message });
  }
  const stopping = Promise.withResolvers<number>();
  const onFenced = () => stopping.resolve(1);
  const service = await deps.create({ config, log, onFenced });
  const server = await listen(config, service, log, (url) => {
    deps.banner?.(bannerText(config, url));
    log.info("listening", { url, model: config.models.provider });
  });
  service.keepWatch();
  const report = () => reportDefinitions(service, config, log);
  // Reading definitions takes 10 MB. On a terminal, problems are shown immediately; a service has
  // `orchestrator check`, and whatever uses a broken definition reports what is wrong with it.
  if (deps.banner) report();
  const onSignal = createSignals({
    stop: () => stopping.resolve(0),
    stopNow() {
      log.warn("stopped immediately: runs resume from their last commit at the next start");
      log.flush();
      deps.exit(1);
    },
    reload() {
      service.catalog.reload();
      log.info("definitions will be reloaded");
      report();
    },
    isTerminal: () => Deno.stdin.isTerminal(),
    now: () => performance.now(),
  });
  for (const signal of SIGNALS) Deno.addSignalListener(signal, () => onSignal(signal));
  const code = await stopping.promise;
  await stop(service, server, config, log);
  deps.exit(code);
}

async function reportDefinitions(
  { catalog }: Orchestrator,
  config: Config,
  log: Logger,
): Promise<void> {
  // The service has loaded it by now; a static import would make `--version` wait for it.
  const { logUnusableDefinitions } = await import("../wiring/definitions.ts");
  await logUnusableDefinitions(catalog, config, log);
}

async function stop(
  service: Orchestrator,
  server: Deno.HttpServer,
  { server: { drain_timeout_ms } }: Config,
  log: Logger,
): Promise<void> {
  const at_most = `${drain_timeout_ms / 1000} s`;
  const stats = service.engine.stats();
  log.info("stopping; a second signal stops immediately", { at_most, ...stats });
  await service.close().catch((error) => log.error("shutdown was not clean", { error }));
  await Promise.race([server.shutdown(), new Promise((done) => setTimeout(done, CLOSE_MS))]);
  log.info("stopped");
  log.flush();
}

/** Reports a problem under the name of the option, not of the variable that it stands for. */
function configure(deps: ServeDeps, variables: Env): Config {
  try {
    return deps.config(variables);
  } catch (cause) {
    const issues = toOrchestratorError(cause).issues ?? [];
    const wrong = issues.filter(({ location }) => variables[location]);
    if (wrong.length === 0) throw cause;
    const lines = wrong.map(({ location, message }) => {
      const option = `--${location.toLowerCase()}`;
      return `\n- ${option} ${sentence(message.replaceAll(`${location}=`, `${option} `))}`;
    });
    const text = `Cannot start the server: fix these options.${lines.join("")}`;
    throw new OrchestratorError("config_invalid", text, { cause });
  }
}

async function listen(
  { server: { host: hostname, port } }: Config,
  service: Orchestrator,
  log: Logger,
  onListen: (url: string) => void,
): Promise<Deno.HttpServer> {
  const onError = (error: unknown) => {
    log.error("request failed", { error: toOrchestratorError(error) });
    return new Response("Internal Server Error", { status: 500 });
  };
  const options = { hostname, port, onListen: (to: Deno.NetAddr) => onListen(urlOf(to)), onError };
  try {
    return Deno.serve(options, service.app.fetch);
  } catch (cause) {
    await service.close();
    if (!(cause instanceof Deno.errors.AddrInUse)) throw cause;
    throw new OrchestratorError(
      "config_invalid",
      `Port ${port} on ${hostname} is already in use. Stop the other process, or choose another port with --port or PORT.`,
      { cause },
    );
  }
}

function urlOf({ hostname, port }: Deno.NetAddr): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** What people at a terminal see of a server that listens. */
export function bannerText({ home, models }: Pick<Config, "home" | "models">, url: string): string {
  const model = models.provider === "offline"
    ? `offline (to use a language model, set\n           ${keyVariables()})`
    : `${models.provider}/${models.default_model}`;
  return [
    "",
    "  Orchestrator",
    `  address  ${url}`,
    `  model    ${model}`,
    `  home     ${home}`,
    "",
    `  try      curl -s ${url}/v1/chat -H 'content-type: application/json' \\`,
    `             -d '{"messages":[{"role":"user","content":"Explain durable execution."}]}'`,
    "",
    "",
  ].join("\n");
}
