/** A whole service on a database that outlives it, so that it can be killed and started again. */
import { readConfig } from "../config.ts";
import type { OrchestratorError } from "../errors.ts";
import { createOrchestrator } from "../orchestrator.ts";
import { type Kv, Store } from "../store/mod.ts";
import { createLogger } from "../telemetry/log.ts";

let workers = 0;

// deno-lint-ignore no-explicit-any -- JSON as it came
type Answer = { status: number; headers: Headers; body: any };

/** Starts a service; every worker of the database before it is dead. */
export async function serviceOn(kv: Kv, env: Record<string, string> = {}) {
  const home = await Deno.makeTempDir();
  const damaged: OrchestratorError[] = [];
  const logs: Record<string, unknown>[] = [];
  const store = new Store({
    kv,
    worker: `worker_${++workers}`,
    now: Date.now,
    sleep: () => Promise.resolve(),
    lease_ms: 15_000,
    alone: true,
    onDamaged: (error) => damaged.push(error),
  });
  const write = (line: string) => void logs.push(JSON.parse(line));
  const opening = store.open().then(() => ({ store, close: () => Promise.resolve() }));
  const orchestrator = await createOrchestrator({
    config: readConfig({ ORCHESTRATOR_HOME: home, DRAIN_TIMEOUT_SECONDS: "1", ...env }),
    log: createLogger({ level: "warn", format: "json", write }),
    opening,
  });
  return {
    ...orchestrator,
    store,
    /** What the store reported. */
    damaged,
    logs,
    async request(
      method: string,
      path: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ): Promise<Answer> {
      const response = await orchestrator.app.request(path, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const { status, headers: answered } = response;
      return { status, headers: answered, body: text === "" ? null : JSON.parse(text) };
    },
    async [Symbol.asyncDispose]() {
      await orchestrator.close().catch(() => {}); // a killed one cannot give anything back
      await Deno.remove(home, { recursive: true });
    },
  };
}

/** A pipeline whose output is `text`. */
export function pipelineOf(name: string, text: string) {
  return {
    name,
    version: 1,
    start: "a",
    nodes: { a: { transform: text } },
    output: "${ nodes.a }",
  };
}
