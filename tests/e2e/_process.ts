/** Starts the real program as a process of its own and ends it, and nothing else, again. */
import { join, resolve } from "node:path";

/** The folder of `deno.json`. */
export const PROJECT = resolve(import.meta.dirname!, "../..");

/** The command of a program in this project, with the server's permissions. */
export function source(entry: string): string[] {
  const config = join(PROJECT, "deno.json");
  return [Deno.execPath(), "run", "--quiet", "-P=server", "--config", config, join(PROJECT, entry)];
}

/** How to start a program. */
export interface ProcessOptions {
  /** `ORCHESTRATOR_HOME`; the working directory too, so that no `.env` of the project is read. */
  home: string;
  /** The program; default: `main.ts` from source. */
  command?: string[];
  env?: Record<string, string>;
}

/** A server that answers requests. */
export interface ServerProcess {
  /** Without a slash at the end. */
  readonly url: string;
  readonly pid: number;
  /** When it was started and when it listened, in milliseconds since 1970. */
  readonly started_at: number;
  readonly listening_at: number;
  /** All it wrote so far. */
  logs(): string;
  /** Sends a signal to it and waits for its end; does nothing once it has ended. */
  stop(signal?: Deno.Signal): Promise<Deno.CommandStatus>;
}

/** What a program that ran to its end said. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
export async function runProgram(args: string[], options: ProcessOptions): Promise<Ended> {
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const { code, stdout, stderr } = await commandOf(args, options).output();
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/** Starts `serve` on a free port and waits until `/health` answers. */
export async function startServer(options: ProcessOptions): Promise<ServerProcess> {
  const started_at = Date.now();
  const child = commandOf(["serve", "--host", "127.0.0.1", "--port", "0"], options).spawn();
  let logs = "";
  const listening = Promise.withResolvers<string>();
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      logs += text;
      const url = /"(http:\/\/127\.0\.0\.1:\d+)"/.exec(logs)?.[1];
      if (url) listening.resolve(url);
    }
  };
  const read = Promise.all([collect(child.stdout), collect(child.stderr)]);
  let ended = false;
  const end = Promise.all([child.status, read]).then(([status]) => {
    ended = true;
    listening.reject(new Error(`the server ended with ${status.code}:\n${logs}`));
    return status;
  });
  const stop = (signal: Deno.Signal = "SIGTERM") => {
    try {
      if (!ended) child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has just ended by itself
    }
    return end;
  };
  const url = await listening.promise;
  const listening_at = Date.now();
  const health = await fetch(`${url}/health`);
  const { status } = await health.json();
  if (status !== "ok") {
    await stop("SIGKILL");
    throw new Error(`/health says ${status}:\n${logs}`);
  }
  return { url, pid: child.pid, started_at, listening_at, logs: () => logs, stop };
}

/** Calls `use` with a server in a home of its own; both are gone afterwards. */
export async function withServer(
  options: Omit<ProcessOptions, "home">,
  use: (server: ServerProcess) => Promise<void>,
): Promise<void> {
  await withHome({}, async (home) => {
    const server = await startServer({ ...options, home });
    try {
      await use(server);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n--- log ---\n${server.logs()}`, {
        cause: error,
      });
    } finally {
      await server.stop("SIGKILL");
    }
  });
}

/** Calls `use` with a new folder that holds `files`, by path; it is gone afterwards. */
export async function withHome(
  files: Record<string, string>,
  use: (home: string) => Promise<void>,
): Promise<void> {
  const home = await Deno.makeTempDir({ prefix: "orchestrator-" });
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(join(home, path, ".."), { recursive: true });
      await Deno.writeTextFile(join(home, path), text);
    }
    await use(home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** The memory that a process has now, in MB. */
export async function memoryOf(pid: number): Promise<number> {
  const args = ["-o", "rss=", "-p", String(pid)];
  const { stdout } = await new Deno.Command("ps", { args }).output();
  return Number(new TextDecoder().decode(stdout)) / 1024;
}

/** A line of the test's output. */
export function report(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** The program gets no variable of the machine's but those that a process needs: no keys. */
const PASSED_ON = ["PATH", "HOME", "DENO_DIR", "DENO_TLS_CA_STORE", "TMPDIR", "XDG_CACHE_HOME"];

function commandOf(args: string[], options: ProcessOptions): Deno.Command {
  const { home, command = source("main.ts"), env } = options;
  const [path = "", ...words] = command;
  const passedOn = PASSED_ON.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return new Deno.Command(path, {
    args: [...words, ...args],
    cwd: home,
    clearEnv: true,
    env: {
      ...Object.fromEntries(passedOn),
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      ORCHESTRATOR_HOME: home,
      LOG_FORMAT: "json",
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}
