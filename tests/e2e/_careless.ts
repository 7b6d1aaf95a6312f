/** The commands as they are, with a task that causes errors which nothing catches. @module */
import { Command } from "commander";
import { addRun, addServe } from "../../cli/mod.ts";
import { loadEnv, readConfig } from "../../config.ts";
import { createOrchestrator, type OrchestratorOptions } from "../../orchestrator.ts";
import type { Task } from "../../pipeline/nodes/task.ts";
import { createStreamLogger } from "../../telemetry/log.ts";

/** Causes `times` errors of each kind, and is done when the last of them has happened. */
const careless: Task = {
  async run(input) {
    const { times } = input as { times: number };
    const fail = (how: string) => {
      throw new Error(`careless ${how} ${"x".repeat(100_000)}`);
    };
    for (let n = 0; n < times; n++) {
      Promise.reject(new Error("careless promise"));
      queueMicrotask(() => fail("microtask"));
      setTimeout(() => fail("timer"));
      const controller = new AbortController();
      controller.signal.addEventListener("abort", () => fail("listener"));
      controller.abort();
    }
    await new Promise((resolve) => setTimeout(resolve));
    return "done";
  },
};

const program = new Command("e2e");
const deps = {
  config: (variables: Record<string, string | undefined> = {}) =>
    readConfig({ ...loadEnv(), ...variables }),
  create: (options: OrchestratorOptions) => createOrchestrator({ ...options, tasks: { careless } }),
  exit: Deno.exit,
};
const write = (text: string) => void Deno.stdout.writeSync(new TextEncoder().encode(text));
addServe(program, { ...deps, log: (config) => createStreamLogger(config.log, Deno.stdout) });
addRun(program, {
  ...deps,
  log: (config) => createStreamLogger(config.log, Deno.stderr),
  pipelines: () => Promise.resolve([]),
  write,
  progress: { write: () => {}, terminal: false },
  readStdin: () => Promise.resolve(""),
});
await program.parseAsync(Deno.args, { from: "user" });
