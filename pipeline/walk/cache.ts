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
import { type Definition, type KindedNode, namesOf, useAnyAgent } from "../document/mod.ts";
import { compileTemplate, type Scope } from "../language/mod.ts";

/** Where outputs are kept. */
export interface NodeCache {
  /** The output of `hash`, unless it is missing or expired. */
  get(caller: Caller, hash: string): Promise<Json | undefined>;
  /** The change that keeps an output until `expires_at`, in milliseconds since the epoch. */
  put(caller: Caller, hash: string, output: Json, expires_at: number): Commit;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What is kept: an output, and whether the run had read what others wrote by then. */
type Kept = { output: Json; tainted: boolean };

/**
 * Puts a node's cache around its run.
 *
 * @param nodes the node, then those inside it
 */
export function cached(
  nodes: KindedNode[],
  policy: NonNullable<Policies["cache"]>,
  definition: Definition,
  cache: NodeCache,
  run: RunNode,
): RunNode {
  const hashOf = hasher(nodes, policy, definition);
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
  nodes: KindedNode[],
  policy: NonNullable<Policies["cache"]>,
  definition: Definition,
): (scope: Scope, run: RunInfo) => Promise<string> {
  const { node } = nodes[0]!;
  const { cache: _cache, next: _next, description: _description, ...essence } = node;
  const outside = namedBy(nodes, definition);
  const fixed = canonicalJson([essence, outside as unknown as Json]);
  const evaluate = policy.key === undefined ? compileInput(node) : compileTemplate(policy.key);
  // An agent with a memory also depends on what was said before.
  const hasMemory = policy.key === undefined &&
    outside.agents.some(({ history }) => history > 0);
  const isPersonal = nodes.some((inner) => dependsOnUser(inner, definition));
  return async (scope, { caller }) => {
    const said = hasMemory ? conversation(scope.input) : [];
    const asker = isPersonal ? [caller.actor] : [];
    const text = canonicalJson([fixed, await evaluate(scope) ?? null, said, ...asker]);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return new Uint8Array(digest).toHex();
  };
}

function dependsOnUser({ node, kind: { personal } }: KindedNode, { agents }: Definition): boolean {
  return typeof personal === "function" ? personal(node, agents) : personal;
}

/** What nodes name outside the document, as the run's definition keeps it. */
function namedBy(nodes: KindedNode[], { agents, prompts, pipelines = {} }: Definition) {
  const names = useAnyAgent(nodes) ? Object.keys(agents) : namesOf("agent", nodes);
  const profiles = names.flatMap((name) => agents[name] ?? []);
  return {
    agents: profiles,
    prompts: profiles.map(({ prompt }) => prompt === undefined ? null : prompts[prompt] ?? null),
    pipelines: namesOf("pipeline", nodes).map((name) => pipelines[name] ?? null),
  };
}
