/** The service as it is, with two tasks that only measure. @module */
import { addServe } from "../cli/mod.ts";
import { loadEnv, readConfig } from "../config.ts";
import { createOrchestrator } from "../orchestrator.ts";
import type { Task } from "../pipeline/nodes/task.ts";
import { createStreamLogger } from "../telemetry/log.ts";
import { Command } from "commander";

const PAD = "x".repeat(120);
const LOG = Deno.env.get("W6_LOG") ?? "/dev/null";
const SLEEP_MS = 200;

function result(input: unknown) {
  const { step, run } = input as { step: number; run: string };
  return { step, run, ok: true, kind: "noop", at: Date.now(), pad: PAD };
}

const noop: Task = { run: result };

/** Leaves a trace outside of the service, so that double execution is counted outside of it. */
const sleep: Task = {
  async run(input) {
    const { step, run } = input as { step: number; run: string };
    const trace = (what: string) =>
      Deno.writeTextFileSync(LOG, `${what} ${run} ${step} ${Date.now()} ${Deno.pid}\n`, {
        append: true,
      });
    trace("start");
    await new Promise((done) => setTimeout(done, SLEEP_MS));
    trace("end");
    return result(input);
  },
};

const program = new Command("bench");
addServe(program, {
  config: (variables) => readConfig({ ...loadEnv(), ...variables }),
  log: (config) => createStreamLogger(config.log, Deno.stdout),
  create: (options) => createOrchestrator({ ...options, tasks: { noop, sleep } }),
  exit: Deno.exit,
});
await program.parseAsync(Deno.args, { from: "user" });
