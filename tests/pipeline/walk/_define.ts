import { createProgram, type ProgramDeps } from "../../../pipeline/walk/interpreter.ts";
import type { Definition } from "../../../pipeline/document/document.ts";
import { parsePipeline } from "../../../pipeline/document/parse.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { Tasks } from "../../../pipeline/nodes/task.ts";
import { FakeContext, type RecordedStep } from "../_fake_context.ts";
import { NO_TOOLS } from "../_fake_tools.ts";

/** Program deps without models and tools. */
export function deps(tasks: Tasks = {}, more: Partial<ProgramDeps> = {}): ProgramDeps {
  return {
    tasks,
    models: {
      provider: "none",
      generate: () => Promise.reject(new Error("no model here")),
      models: () => Promise.resolve([]),
    },
    model_retry: {},
    ...NO_TOOLS,
    ...more,
  } as ProgramDeps;
}

/** A definition whose first node is `a`. */
export async function define(
  nodes: string,
  { rest = "", ...more }: Partial<Definition> & { rest?: string } = {},
): Promise<Definition> {
  const text = `name: demo\nversion: 1\nstart: a\n${rest}\nnodes:\n${nodes}\n`;
  return { pipeline: await parsePipeline(text, "demo.yaml"), agents: {}, prompts: {}, ...more };
}

/** How a run ended. */
export type Ended = { output: Json } | { error: Record<string, unknown> };

/** One execution, on what earlier ones recorded. */
export interface Trial {
  definition: Definition;
  deps?: ProgramDeps;
  input?: Json;
  prepare?: (ctx: FakeContext) => void;
}

/** Runs a program once. */
export async function once(
  { definition, deps: given = deps(), input = null, prepare }: Trial,
  recorded: RecordedStep[] = [],
): Promise<{ ended: Ended; ctx: FakeContext }> {
  const ctx = new FakeContext(recorded);
  prepare?.(ctx);
  const ended = await createProgram(definition, given)(ctx, input).then(
    (output) => ({ output }),
    ({ code, kind, message, details }) => ({ error: { code, kind, message, details } }),
  );
  return { ended, ctx };
}

/** Runs a program straight, then again on everything it recorded: nothing may run twice. */
export async function twice(trial: Trial): Promise<{ ended: Ended; ctx: FakeContext }> {
  const straight = await once(trial);
  const replay = await once(trial, straight.ctx.steps);
  if (JSON.stringify(replay.ended) !== JSON.stringify(straight.ended)) {
    throw new Error(`the replay ended with ${JSON.stringify(replay.ended)}`);
  }
  if (replay.ctx.ran.length > 0) throw new Error(`the replay ran ${replay.ctx.ran}`);
  return straight;
}
