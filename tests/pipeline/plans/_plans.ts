/** Shared by the tests of plans: what may be used, and planners that answer from a list. */
import { createProgram, type ProgramDeps } from "../../../pipeline/walk/interpreter.ts";
import type { Definition } from "../../../pipeline/document/document.ts";
import { parseProfile } from "../../../pipeline/agent/mod.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { Capabilities } from "../../../pipeline/plans/capabilities.ts";
import type { PlanStep } from "../../../pipeline/plans/plan.ts";
import type { ModelRequest } from "../../../llm/model.ts";
import type { ToolInfo } from "../../../tools/tool.ts";
import { NO_USAGE } from "../../../telemetry/usage.ts";
import { define, deps } from "../walk/_define.ts";

/** A tool that can be described. */
export function toolInfo(name: string, more: Partial<ToolInfo> = {}): ToolInfo {
  return {
    name,
    description: `Does ${name}.`,
    input: { type: "object" },
    source: "built_in",
    capability: "compute",
    effect: "none",
    timeout_ms: 1_000,
    untrusted: false,
    ...more,
  };
}

/** What plans may use here. */
export const CAPABILITIES: Capabilities = {
  agents: [
    { name: "writer", description: "Writes." },
    {
      name: "researcher",
      description: "Finds.",
      input: {
        type: "object",
        additionalProperties: false,
        required: ["ask"],
        properties: { ask: { type: "string" }, documents: { type: "array" } },
      },
    },
  ],
  tools: [
    toolInfo("fetch_page", {
      input: { type: "object", required: ["url"], properties: { url: { type: "string" } } },
    }),
  ],
  pipelines: [{ name: "compose", description: "Writes texts.", version: "sha256:1" }],
};

/** A step of the agent `writer`, unless it says otherwise. */
export function step(id: string, more: Partial<PlanStep> = {}): PlanStep {
  return { id, title: id, kind: "agent", name: "writer", input: {}, depends_on: [], ...more };
}

/** A plan as a planner answers it. */
export function planOf(...steps: PlanStep[]): { summary: string; steps: PlanStep[] } {
  return { summary: "As planned.", steps };
}

/** A step of the tool `act`. */
export function act(id: string, input: Record<string, Json> = {}, ...after: string[]): PlanStep {
  return step(id, { kind: "tool", name: "act", input, depends_on: after });
}

const PLANNER = `---
description: Plans.
output: { type: object }
---
Plan.`;
const WRITER = "---\ndescription: Writes.\n---\nWrite.";

/** A definition with one plan node, its planner and an agent. */
export async function planDefinition(fields = ""): Promise<Definition> {
  const node = `  a: { plan: { goal: "\${ input.goal }"${fields} } }`;
  return await define(node, {
    agents: {
      task_planner: parseProfile(PLANNER, "task_planner"),
      writer: parseProfile(WRITER, "writer"),
    },
  });
}

/** What the tool `act` does here. */
export type Act = (args: Record<string, Json>, step: string) => Json | Promise<Json>;

/** What plan nodes need: a planner that gives these answers in turn, and a tool. */
export function planDeps(
  answers: Json[] | ((request: ModelRequest) => Json),
  action: Act = (args) => args.give ?? null,
  more: Partial<ProgramDeps> = {},
): ProgramDeps {
  const answer = typeof answers === "function"
    ? answers
    : ({ idempotency_key = "" }: ModelRequest) => {
      const visit = /planner(?:#(\d+))?\/llm/.exec(idempotency_key)?.[1] ?? "1";
      return answers[Number(visit) - 1] ?? "nothing more is planned";
    };
  return deps({}, {
    models: {
      provider: "scripted",
      models: () => Promise.resolve([]),
      generate: (request) => {
        const isPlanner = request.agent?.name === "task_planner";
        const text = isPlanner ? JSON.stringify(answer(request)) : "written";
        return Promise.resolve({
          text,
          tool_calls: [],
          finish_reason: "stop",
          usage: NO_USAGE,
          model: "scripted",
          citations: [],
        });
      },
    },
    tools: {
      describe: () => Promise.resolve([toolInfo("act")]),
      call: async (_name, args, scope) =>
        await action(args as Record<string, Json>, scope.run?.step ?? ""),
    },
    ...more,
  });
}

/** The program of a definition with a plan node. */
export async function planProgram(given: ProgramDeps, fields = "") {
  return createProgram(await planDefinition(fields), given);
}
