/** The service under test on data of its own, and the requests that do each piece of work. @module */
import { cpSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { expectPart, post } from "./driver.ts";
import type { Bench } from "./piece.ts";
import { type Command, denoCommand, PROJECT, type Running } from "./processes.ts";

const WAIT = { prefer: "wait=60" };
const STREAM = { accept: "text/event-stream" };

/** Says one thing in a conversation, hears the streamed answer and returns it as it came. */
export type Say = (text: string, onData: (piece: string) => void) => Promise<string>;

/** A new folder for a service's data, with the benchmark's own pipelines in it or with nothing. */
export function createHome({ folder }: Bench, pipelines = true): string {
  const home = mkdtempSync(join(folder, "home-"));
  if (pipelines) cpSync(join(PROJECT, "bench/home"), home, { recursive: true });
  return home;
}

/** Starts the service with the tasks that only measure, which trace their steps in the file `trace`. */
export function startService(bench: Bench, home = createHome(bench), trace = ""): Promise<Running> {
  const command = denoCommand("bench/server.ts", () => ["serve"]);
  return bench.processes.start(
    serviceCommand(bench, home, command, trace ? { W6_LOG: trace } : {}),
  );
}

/** A command that serves, with all that the service reads from its environment. */
export function serviceCommand(
  bench: Bench,
  home: string,
  command: Pick<Command, "command" | "args">,
  env: Record<string, string> = {},
): Command {
  return {
    ...command,
    cwd: home,
    env: (port) => ({
      PORT: String(port),
      ORCHESTRATOR_HOME: home,
      LLM_BASE_URL: `${bench.mock}/v1`,
      LLM_DEFAULT_MODEL: "mock-0",
      LOG_LEVEL: "warn",
      ...env,
    }),
    health: "/health",
  };
}

/** Five steps that do nothing, waited for. */
export async function runSteps({ url }: Running, run: string): Promise<void> {
  const answer = await post(`${url}/v1/runs`, { pipeline: "steps", input: { run } }, {
    headers: WAIT,
  });
  expectPart(answer, '"step":5');
}

/** Begins five traced steps of 200 ms. */
export async function beginSleeps({ url }: Running, run: string): Promise<void> {
  await post(`${url}/v1/runs`, { pipeline: "sleeps", input: { run } });
}

/** Four agents that each work on the answer of the one before. */
export async function runAgents({ url }: Running, run: string): Promise<void> {
  const messages = [{ role: "user", content: `Build a thing for ${run}` }];
  expectPart(await post(`${url}/v1/chat`, { pipeline: "agents", messages }), '"step":4');
}

/** A conversation that the service remembers. */
export function openConversation({ url }: Running, pipeline: string): Say {
  const conversation_id = crypto.randomUUID();
  return async (text, onData) => {
    const body = { pipeline, conversation_id, messages: [{ role: "user", content: text }] };
    const answer = await post(`${url}/v1/chat`, body, { headers: STREAM, onData });
    expectPart(answer, '"complete"');
    return answer;
  };
}
