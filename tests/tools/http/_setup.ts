/** What the tests of HTTP tools share: a server, a guard and a call's scope. */
import { createEgress, type EgressGuard } from "../../../guard/egress.ts";
import type { Json } from "../../../json/value.ts";
import type { NewArtifact, Tool, ToolScope } from "../../../tools/tool.ts";
import type { Select } from "../../../tools/http/mod.ts";
import { callerOf } from "../../_caller.ts";

export { expectError, test } from "../../guard/_setup.ts";

/** A request that came, with its body. */
export interface Seen {
  method: string;
  url: URL;
  headers: Headers;
  body: string;
}

/** A server that keeps what it is asked, and a guard that is allowed to reach nothing private. */
export async function withApi(
  handler: (seen: Seen) => Response | Promise<Response>,
  run: (api: { url: string; seen: Seen[]; egress: EgressGuard }) => Promise<void>,
  allowed_hosts: string[] = [],
): Promise<void> {
  const seen: Seen[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { method, url, headers } = request;
    const one = {
      method,
      url: new URL(url),
      headers: new Headers(headers),
      body: await request.text(),
    };
    seen.push(one);
    return handler(one);
  });
  const egress = createEgress({ allowed_hosts });
  try {
    await run({ url: `http://127.0.0.1:${server.addr.port}`, seen, egress });
  } finally {
    await egress.close();
    await server.shutdown();
  }
}

/** A scope; what is kept goes into `kept`. */
export function scopeOf(
  kept: NewArtifact[] = [],
  signal = new AbortController().signal,
): ToolScope {
  return {
    caller: callerOf("acme"),
    signal,
    idempotency_key: "key-1",
    keep(file) {
      kept.push(file);
      const { name, type, bytes } = file;
      return Promise.resolve({ id: `art_${kept.length}`, name, type, size: bytes.length });
    },
  };
}

/** Calls a tool. */
export function run(tool: Tool, args: Record<string, Json>, scope = scopeOf()): Promise<Json> {
  return tool.run(args, scope);
}

/** JSONata without bounds. */
export const select: Select = (expression) => async (answer) => {
  const { default: jsonata } = await import("jsonata");
  return await jsonata(expression).evaluate(answer);
};
