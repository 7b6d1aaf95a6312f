/** Which layer of the program a sample of a profile belongs to. @module */
import type { Profile, ProfileNode } from "./inspector.ts";

/** What the runtime calls by names instead of files. */
const NAMES: [layer: string, pattern: RegExp][] = [
  ["idle", /^\(idle\)$/],
  ["garbage collection", /^\(garbage collector\)$/],
  ["KV call", /^op_kv_/],
  ["HTTP", /^op_http_/],
];

/** In the order in which a request passes them. */
const FILES: [layer: string, pattern: RegExp][] = [
  ["HTTP", /^ext:deno_(?:http|fetch)\/|\/hono\/|\/routes\//],
  ["checking the body", /\/zod\/|\/json\//],
  ["service", /\/service\/|\/wiring\/|\/guard\/|\/orchestrator\.ts/],
  ["catalog", /\/pipeline\/(?:catalog|document)\//],
  ["walk", /\/pipeline\/(?:walk|nodes|language|recall|calls)\/|\/bench\/server\.ts/],
  ["kernel", /\/pipeline\/kernel\//],
  ["KV call", /^ext:deno_kv\/|\/store\/deno_kv\.ts/],
  ["store", /\/store\//],
];

/** Every layer, for tables. */
export const LAYERS = [
  "HTTP",
  "checking the body",
  "service",
  "catalog",
  "walk",
  "kernel",
  "store",
  "KV call",
  "garbage collection",
  "runtime",
] as const;

/**
 * Microseconds by layer. Time in the runtime's and in libraries' code counts for the nearest layer
 * that called it: `JSON.stringify` of an event is the kernel's.
 */
export function timeByLayer({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const layers = layersOf(nodes);
  const times = new Map<string, number>();
  samples.forEach((id, index) => {
    const layer = layers.get(id) ?? "runtime";
    times.set(layer, (times.get(layer) ?? 0) + (timeDeltas[index] ?? 0));
  });
  return times;
}

function layersOf(nodes: ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const layers = new Map<number, string>();
  const visit = (node: ProfileNode, around: string) => {
    const layer = layerOf(node) ?? around;
    layers.set(node.id, layer);
    for (const child of node.children ?? []) visit(byId.get(child)!, layer);
  };
  if (nodes[0]) visit(nodes[0], "runtime");
  return layers;
}

function layerOf({ callFrame: { functionName, url } }: ProfileNode): string | undefined {
  return url === "" ? find(NAMES, functionName) : find(FILES, url);
}

function find(rules: [layer: string, pattern: RegExp][], text: string): string | undefined {
  return rules.find(([, pattern]) => pattern.test(text))?.[0];
}
