/**
 * Outputs that are used again.
 *
 * The look-up is a step `KEY/cache`, so a replay goes the way that the run went. An output is known
 * by a hash of what it depends on: the node, the agents, prompts and pipelines that it names, its
 * input or the `key` it gives, and who asks, where tools may answer by that.
 *
 * @module
 */
import type { Caller } from "../../guard/mod.ts";
import type { Json, RunInfo } from "../kernel/mod.ts";
import type { Commit } from "../../store/mod.ts";
import { compileInput, conversation, type Policies, type RunNode } from "../nodes/mod.ts";
import { isTainted, taint } from "../calls/mod.ts";
import { canonicalJson } from "../../json/mod.ts";
import { type Definition, nodesWithin, type PipelineNode } from "../document/mod.ts";
import { compileTemplate, type Scope } from "../language/mod.ts";

/** Where outputs are kept. */
export interface NodeCache {
  /** The output of `hash`; nothing when there is none or its time is over. */
  get(caller: Caller, hash: string): Promise<Json | undefined>;
  /** The change that keeps an output until `expires_at`, in milliseconds since the epoch. */
  put(caller: Caller, hash: string, output: Json, expires_at: number): Commit;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What is kept: an output, and whether the run had read what others wrote by then. */
type Kept = { output: Json; tainted: boolean };

/** Puts a node's cache around its run. */
export function cached(
  node: PipelineNode,
  policy: NonNullable<Policies["cache"]>,
  definition: Definition,
  cache: NodeCache,
  run: RunNode,
): RunNode {
  const hashOf = hasher(node, policy, definition);
  return async (ctx, key, scope, walk) => {
    const { caller } = ctx.run;
    let missed: string | undefined;
    const found = await ctx.step<Partial<Kept>>(`${key}/cache`, async () => {
      const hash = await hashOf(scope, ctx.run);
      const kept = await cache.get(caller, hash) as Kept | undefined;
      if (kept !== undefined) return kept;
      missed = hash;
      return {};
    }, { effect: "none", kind: "cache" });
    if (found.output !== undefined) {
      if (found.tainted) taint(ctx);
      ctx.emit({ type: "step.skipped", step: key, reason: "cached" });
      return found.output;
    }
    const output = await run(ctx, key, scope, walk);
    // Not on a replay, which would put an old output in the place of a newer one.
    if (missed !== undefined) {
      const kept: Kept = { output, tainted: isTainted(ctx.run) };
      ctx.change(cache.put(caller, missed, kept, cache.now() + policy.ttl_seconds * 1_000));
    }
    return output;
  };
}

function hasher(
  node: PipelineNode,
  policy: NonNullable<Policies["cache"]>,
  definition: Definition,
): (scope: Scope, run: RunInfo) => Promise<string> {
  const { cache: _cache, next: _next, description: _description, ...essence } = node;
  const all = nodesWithin(node);
  const fixed = canonicalJson([essence, ...all.map((inner) => named(inner, definition))]);
  const evaluate = policy.key === undefined ? compileInput(node) : compileTemplate(policy.key);
  // An agent with a memory also depends on what was said before.
  const { history = 0 } = definition.agents[String(node.agent)] ?? {};
  const hasMemory = policy.key === undefined && history > 0;
  const isPersonal = all.some((inner) => asksByPerson(inner, definition));
  return async (scope, { caller }) => {
    const said = hasMemory ? conversation(scope.input) : [];
    const asker = isPersonal ? [caller.actor] : [];
    const text = canonicalJson([fixed, await evaluate(scope) ?? null, said, ...asker]);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return new Uint8Array(digest).toHex();
  };
}

/** True when a node calls a task or may call tools, which are told who asks, or lets people decide. */
function asksByPerson(node: PipelineNode, { agents }: Definition): boolean {
  if (typeof node.agent === "string") return agents[node.agent]?.tools.length !== 0;
  return ["approval", "pipeline", "plan", "task", "tool"].some((kind) => kind in node);
}

/** What a node names outside of the document. */
function named(node: PipelineNode, { agents, prompts, pipelines = {} }: Definition): unknown {
  const profile = typeof node.agent === "string" ? agents[node.agent] : undefined;
  const prompt = profile?.prompt === undefined ? undefined : prompts[profile.prompt];
  const version = typeof node.pipeline === "string" ? pipelines[node.pipeline] : undefined;
  return [profile ?? null, prompt ?? null, version ?? null];
}
