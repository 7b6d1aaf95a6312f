import { expect } from "expect";
import { readConfig } from "../../../config.ts";
import { createOrchestrator } from "../../../orchestrator.ts";
import type { JournalEvent } from "../../../pipeline/kernel/events.ts";

// deno-lint-ignore no-explicit-any -- JSON as it came
export type Body = any;

/** A whole service, with the offline model unless `env` names another one. */
export async function service(env: Record<string, string> = {}, kept?: string) {
  const home = kept ?? await Deno.makeTempDir();
  const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
  const orchestrator = await createOrchestrator({
    config: readConfig({ ORCHESTRATOR_HOME: home, ...env }),
    log: silent as never,
  });
  const request = async (method: string, path: string, body?: unknown) => {
    const response = await orchestrator.app.request(path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === "" ? null : JSON.parse(text)) as Body };
  };
  return {
    ...orchestrator,
    request,
    async ask(prompt: string, more: Record<string, unknown> = {}) {
      const { status, body } = await request("POST", "/v1/chat", { prompt, ...more });
      expect([status, body.detail ?? null]).toEqual([200, null]);
      return body;
    },
    async journal(run_id: string): Promise<JournalEvent[]> {
      return (await request("GET", `/v1/runs/${run_id}/journal`)).body;
    },
    async [Symbol.asyncDispose]() {
      await orchestrator.close();
      if (!kept) await Deno.remove(home, { recursive: true });
    },
  };
}
