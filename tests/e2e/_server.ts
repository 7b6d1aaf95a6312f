/** The service as it is, with tasks that leave a trace outside of it and then take a while or die. @module */
import { addServe } from "../../cli/mod.ts";
import { loadEnv, readConfig } from "../../config.ts";
import { createOrchestrator } from "../../orchestrator.ts";
import type { Task } from "../../pipeline/nodes/task.ts";
import { createStreamLogger } from "../../telemetry/log.ts";
import { Command } from "commander";

/** Writes `start|end run step milliseconds` to a file; sleeps for `ms` in between. */
const sleepTask = (trace: string): Task => ({
  async run(input) {
    const { run, step, ms } = input as { run: string; step: string; ms: number };
    const write = (what: string) => {
      const line = `${what} ${run} ${step} ${Date.now()}\n`;
      Deno.writeTextFileSync(trace, line, { append: true });
    };
    write("start");
    await new Promise((done) => setTimeout(done, ms));
    write("end");
    return { run, step };
  },
});

/** Kills the process that it runs in. */
const dieTask = (trace: string): Task => ({
  run() {
    Deno.writeTextFileSync(trace, `start deadly die ${Date.now()}\n`, { append: true });
    Deno.kill(Deno.pid, "SIGKILL");
    return Promise.resolve(null);
  },
});

const program = new Command("e2e");
addServe(program, {
  config: (variables) => readConfig({ ...loadEnv(), ...variables }),
  log: (config) => createStreamLogger(config.log, Deno.stdout),
  create: (options) => {
    const trace = `${options.config.home}/trace.log`;
    const tasks = { sleep: sleepTask(trace), die: dieTask(trace) };
    return createOrchestrator({ ...options, tasks });
  },
  exit: Deno.exit,
});
await program.parseAsync(Deno.args, { from: "user" });
