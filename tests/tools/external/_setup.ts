/** What the tests of external services share. */
import type { DataSource, ExternalAgent } from "../../../config/external.ts";
import { createEgress } from "../../../guard/egress.ts";
import type { Json } from "../../../json/value.ts";
import { createExternalTools, type ExternalTools } from "../../../tools/external/mod.ts";
import type { NewArtifact, ToolScope } from "../../../tools/tool.ts";
import { callerOf } from "../../_caller.ts";

export { Secret } from "../../../config/secret.ts";

/** Settings of an agent, as the configuration would give them. */
export function agent(fields: Partial<ExternalAgent> & { url: string }): ExternalAgent {
  return {
    name: "partner",
    protocol: "http",
    description: "A partner's agent.",
    timeout_ms: 10_000,
    ...fields,
  };
}

/** What a test gets. */
export interface Bench {
  open(config: { agents?: ExternalAgent[]; datasource?: DataSource }): ExternalTools;
  /** Calls a tool. */
  call(
    tools: ExternalTools,
    name: string,
    args: Record<string, Json>,
    scope?: Partial<ToolScope>,
  ): Promise<Json>;
  /** Files that calls kept. */
  files: NewArtifact[];
  /** Pauses between two questions for a task, in milliseconds: nobody waits for them. */
  pauses: number[];
}

/** A test with every leak check on and the real guard, to which nothing private is allowed. */
export function test(name: string, run: (bench: Bench) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const egress = createEgress({ allowed_hosts: [] });
      const files: NewArtifact[] = [];
      const pauses: number[] = [];
      const sleep = (ms: number, signal: AbortSignal) => {
        pauses.push(ms);
        signal.throwIfAborted();
        return Promise.resolve();
      };
      try {
        await run({
          open: ({ agents = [], datasource }) =>
            createExternalTools({ agents, datasource }, { egress, sleep }),
          async call(tools, name, args, scope = {}) {
            const tool = (await tools.tools()).find((tool) => tool.name === name);
            if (!tool) throw new Error(`no tool ${name}`);
            return await tool.run(args, { ...scopeOf(files), ...scope });
          },
          files,
          pauses,
        });
      } finally {
        await egress.close();
      }
    },
  });
}

function scopeOf(files: NewArtifact[]): ToolScope {
  return {
    caller: callerOf("default", "u1"),
    run: { id: "run_1", step: "ask" },
    signal: new AbortController().signal,
    idempotency_key: "key-1",
    keep: (file) => {
      files.push(file);
      const { name, type, bytes } = file;
      return Promise.resolve({ id: `art_${files.length}`, name, type, size: bytes.length });
    },
  };
}
