/** Runs code that wants too much, one after the other; writes how each ended and what it cost. @module */
import { toErrorJson } from "../../../errors.ts";
import { createSandbox } from "../../../tools/sandbox/mod.ts";
import { JAVASCRIPT_GREEDY } from "./_hostile.ts";

/** How one ended: its error's code, and the bytes that the process had more afterwards. */
export type GreedyEnd = [code: string, grown: number];

if (import.meta.main) {
  const sandbox = createSandbox();
  const { signal } = new AbortController();
  const ends: GreedyEnd[] = [];
  for (const [, code] of JAVASCRIPT_GREEDY) {
    const before = Deno.memoryUsage().rss;
    const request = { language: "javascript", code, signal, timeout_ms: 60_000 } as const;
    const end = await sandbox.run(request).catch(toErrorJson);
    ends.push(["code" in end ? end.code : "none", Deno.memoryUsage().rss - before]);
  }
  await sandbox.close();
  await new Response(JSON.stringify(ends)).body?.pipeTo(Deno.stdout.writable);
}
