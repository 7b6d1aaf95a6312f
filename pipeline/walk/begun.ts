/**
 * Keeps in mind which nodes with compensation began inside a node with graphs.
 *
 * A replay does not go into a group that has ended or was stopped. So what began inside is recorded
 * beside it, as the step `KEY/began`, in the same commit as the group's end.
 *
 * @module
 */
import type { Json, RunContext } from "../kernel/mod.ts";
import type { RunNode } from "../nodes/mod.ts";
import type { Begun, Scope, Walk } from "../language/mod.ts";

/** Makes a node with graphs inside report what began in them, also on a replay. */
export function remembered(run: RunNode): RunNode {
  return async (ctx, key, scope, walk) => {
    const inner: Walk = { budget: walk!.budget, begun: [] };
    try {
      return await run(ctx, key, scope, inner);
    } finally {
      walk!.begun.push(...await record(ctx, key, scope, inner.begun));
    }
  };
}

async function record(
  ctx: RunContext,
  key: string,
  around: Scope,
  begun: Begun[],
): Promise<Begun[]> {
  // A cancelled run does not go in again either.
  const kept = await ctx.cleanup((branch) =>
    branch.step(`${key}/began`, () => begun.map(pack), { effect: "none" })
  );
  return kept.map((item) => unpack(item as unknown as Begun, around));
}

/** What all graphs of a run share is left out. */
function pack({ scope, ...visit }: Begun): Json {
  const { input: _input, run: _run, given: _given, ...own } = scope;
  return { ...visit, scope: own };
}

function unpack({ scope, ...visit }: Begun, { input, run }: Scope): Begun {
  return { ...visit, scope: { ...scope, input, run } };
}
