/** The processes of a benchmark: started on free ports, watched, and all ended with it. @module */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { get } from "./driver.ts";

/** Absolute path of the project. */
export const PROJECT = resolve(import.meta.dirname ?? ".", "..");

const READY_MS = 60_000;
const POLL_MS = 5;

/** How to start a process; `args` gets the port to listen on. */
export interface Command {
  command: string;
  args: (port: number) => string[];
  env?: (port: number) => Record<string, string>;
  cwd?: string;
  /** Path that answers 2xx once the process is ready. */
  health: string;
}

/** A process that is ready. */
export interface Running {
  /** Without a slash at its end. */
  url: string;
  pid: number;
  /** From the process's start to its first healthy answer. */
  start_ms: number;
  /** Resident memory now and at its highest; null where the system has no `/proc`. */
  memory(): { rss_mb: number | null; peak_rss_mb: number | null };
  /** Ends it with SIGKILL and waits until it is gone. */
  kill(): Promise<void>;
}

/** Starts processes and ends them. */
export interface Processes {
  /** @throws Error when the process ends or is not ready in time */
  start(command: Command): Promise<Running>;
  killAll(): Promise<void>;
}

/** As `deno task start` has it, and for the floors too. */
const HEAP =
  "--v8-flags=--min-semi-space-size=32,--max-semi-space-size=32,--heap-growing-percent=50,--no-large-page-pool";

/**
 * The command that runs one of the project's modules with the deno that runs this one.
 *
 * @param flags of deno, besides the usual ones
 */
export function denoCommand(
  module: string,
  args: (port: number) => string[],
  flags: string[] = [],
) {
  const options = ["-A", HEAP, ...flags, "--config", resolve(PROJECT, "deno.json")];
  return {
    command: Deno.execPath(),
    args: (port: number) => ["run", ...options, resolve(PROJECT, module), ...args(port)],
  };
}

/** What a deno needs of the environment. The rest stays out: it might configure the service. */
function baseEnv(): Record<string, string> {
  const names = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "USERPROFILE", "LOCALAPPDATA"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value ? [[name, value]] : [];
  }));
}

/** Keeps account of every process that it starts. */
export function createProcesses(): Processes {
  const alive = new Set<Deno.ChildProcess>();
  const kill = async (child: Deno.ChildProcess) => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child.status;
  };
  return {
    async start({ command, args, env, cwd, health }) {
      const port = freePort();
      const began = performance.now();
      const child = new Deno.Command(command, {
        args: args(port),
        env: { ...baseEnv(), ...env?.(port) },
        clearEnv: true,
        cwd,
        stdin: "null",
        stdout: "null",
        stderr: "inherit",
      }).spawn();
      alive.add(child);
      child.status.finally(() => alive.delete(child));
      const url = `http://127.0.0.1:${port}`;
      await untilReady(url + health, () => alive.has(child));
      return {
        url,
        pid: child.pid,
        start_ms: performance.now() - began,
        memory: () => readMemory(child.pid),
        kill: () => kill(child),
      };
    },
    async killAll() {
      await Promise.all([...alive].map(kill));
    },
  };
}

/** A port that nothing listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function untilReady(url: string, isAlive: () => boolean): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (isAlive() && performance.now() < deadline) {
    const ready = await get(url).then(() => true, () => false);
    if (ready) return;
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
  throw new Error(`Cannot measure: nothing healthy at ${url}. The lines above say why.`);
}

function readMemory(pid: number): { rss_mb: number | null; peak_rss_mb: number | null } {
  if (Deno.build.os !== "linux") return { rss_mb: null, peak_rss_mb: null };
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
  return { rss_mb: megabytes("VmRSS"), peak_rss_mb: megabytes("VmHWM") };
}
