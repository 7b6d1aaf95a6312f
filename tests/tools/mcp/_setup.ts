/** What the tests of MCP servers share. */
import type { McpServer } from "../../../config/external.ts";
import { Secret } from "../../../config/secret.ts";
import { createEgress } from "../../../guard/egress.ts";
import { openStore } from "../../../store/mod.ts";
import { createMcpTools, createPins, type McpToolSet } from "../../../tools/mcp/mod.ts";
import type { NewArtifact, Tool, ToolScope } from "../../../tools/tool.ts";
import { LOCAL } from "../../_caller.ts";

/** Settings of a server, as the configuration would give them. */
export function settings(fields: Partial<McpServer>): McpServer {
  return {
    name: "mock",
    headers: {},
    args: [],
    env: {},
    trust_annotations: false,
    timeout_ms: 10_000,
    ...fields,
  };
}

export { Secret };

/** What a test gets. */
export interface Bench {
  /** The set of a server; closed at the end. */
  open(fields: Partial<McpServer>): McpToolSet;
  /** The tool with this name. */
  tool(set: McpToolSet, name: string): Promise<Tool>;
  /** What a call is told; files that it keeps are in `files`. */
  scope(signal?: AbortSignal): ToolScope;
  files: NewArtifact[];
  warnings: string[];
  /** The clock that sets see. */
  clock: { now: number };
}

/**
 * A test with every leak check on, a store in memory and the real guard. `program`: the SDK leaves an
 * unreferenced timer behind when it ends a program, so timers are not checked.
 */
export function test(
  name: string,
  run: (bench: Bench) => Promise<void>,
  { allowed_commands = [], program = false }: { allowed_commands?: string[]; program?: boolean } =
    {},
): void {
  Deno.test({
    name,
    sanitizeOps: !program,
    sanitizeResources: !program,
    async fn() {
      const egress = createEgress({ allowed_hosts: [] });
      const { store, close } = await openStore(":memory:", {
        worker: "w1",
        now: () => 0,
        sleep: () => Promise.resolve(),
        lease_ms: 1000,
      });
      const sets: McpToolSet[] = [];
      const bench = createBench(sets, (server) =>
        createMcpTools([server], {
          egress,
          allowed_commands,
          pins: createPins(store),
          log: { warn: (message) => void bench.warnings.push(message) },
          now: () => bench.clock.now,
        })[0]!);
      try {
        await run(bench);
      } finally {
        await Promise.all(sets.map((set) => set.close()));
        await egress.close();
        await close();
      }
    },
  });
}

function createBench(sets: McpToolSet[], create: (server: McpServer) => McpToolSet): Bench {
  const files: NewArtifact[] = [];
  return {
    open(fields) {
      const set = create(settings(fields));
      sets.push(set);
      return set;
    },
    async tool(set, name) {
      const tools = await set.tools(LOCAL);
      const found = tools.find((tool) => tool.name === name);
      if (!found) throw new Error(`no ${name} among ${tools.map(({ name }) => name)}`);
      return found;
    },
    scope: (signal = new AbortController().signal) => ({
      caller: LOCAL,
      signal,
      idempotency_key: "key",
      keep: (file) => {
        files.push(file);
        const { name, type, bytes } = file;
        return Promise.resolve({ id: `art_${files.length}`, name, type, size: bytes.length });
      },
    }),
    files,
    warnings: [],
    clock: { now: 1_000_000 },
  };
}
