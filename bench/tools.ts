/**
 * What the registry adds to a tool's own work: looking it up, checking what goes in and comes out,
 * the time limit.
 *
 *     deno run -A bench/tools.ts
 *
 * @module
 */
import { localCaller } from "../guard/mod.ts";
import { openStore } from "../store/mod.ts";
import { createRegistry } from "../tools/registry.ts";
import type { Tool, ToolScope } from "../tools/tool.ts";
import { percentile } from "./driver.ts";

const CALLS = 5_000;
const encoder = new TextEncoder();
const print = (line: string) => void Deno.stdout.writeSync(encoder.encode(`${line}\n`));

const schema = {
  type: "object",
  required: ["query"],
  additionalProperties: false,
  properties: { query: { type: "string" }, limit: { type: "integer", minimum: 1 } },
};
const output = {
  type: "object",
  required: ["results"],
  properties: { results: { type: "array", items: { type: "object", required: ["title"] } } },
};
const results = Array.from({ length: 10 }, (_, n) => ({ title: `t${n}`, url: `https://x/${n}` }));

function tool(name: string): Tool {
  return {
    name,
    description: name,
    input: schema,
    output,
    source: "built_in",
    capability: "read",
    effect: "none",
    timeout_ms: 5_000,
    untrusted: false,
    run: () => Promise.resolve({ results }),
  };
}

const folder = await Deno.makeTempDir();
const { store, close } = await openStore(folder, {
  worker: "w1",
  now: Date.now,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  lease_ms: 15_000,
});
const tools = Array.from({ length: 30 }, (_, n) => tool(`tool_${n}`));
const registry = createRegistry({
  store,
  sets: [{ name: "built_in", tools: () => Promise.resolve(tools) }],
  compile: () => tool("x"),
  now: Date.now,
  log: { warn() {} },
});
const scope: ToolScope = {
  caller: localCaller(),
  signal: new AbortController().signal,
  idempotency_key: "k",
  keep: () => Promise.reject(new Error("no file here")),
};

async function measure(call: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < CALLS; n++) {
    const began = performance.now();
    await call();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b);
}

const calls = await measure(() => registry.call("tool_29", { query: "x", limit: 3 }, scope));
const reads = await measure(() => store.get(["tool", "default", "tool_29"]));
const of = (times: number[]) =>
  `p50 ${percentile(times, 0.5)!.toFixed(3)} ms   p99 ${percentile(times, 0.99)!.toFixed(3)} ms`;
print(`dispatch of a tool that does nothing, ${CALLS} calls   ${of(calls)}`);
print(`one read of the store, for comparison         ${of(reads)}`);
await close();
await Deno.remove(folder, { recursive: true });
