import * as z from "zod";
import { OrchestratorError, sentence } from "../../errors.ts";
import type { Effect, Json, RunInfo, StepScope } from "../kernel/mod.ts";
import { unknownName } from "../../json/mod.ts";
import {
  common,
  compileInput,
  inputTemplate,
  type Limits,
  next,
  nextTarget,
  type NodeKind,
  withInput,
} from "./kind.ts";
import { oneStep } from "./policy.ts";

/** A piece of the program that pipelines may call by name. */
export interface Task {
  run(input: Json, scope: StepScope, run: RunInfo): Json | Promise<Json>;
  /** What it does outside; default `at_least_once`. A node's own `effect` wins. */
  effect?: Effect;
}

/** The tasks there are, by name. */
export type Tasks = Record<string, Task>;

interface TaskNode extends Limits {
  task: string;
  with?: unknown;
  next?: string;
  effect?: Effect;
}

/** `task: name` runs one of the program's tasks as one step. */
export const task: NodeKind<TaskNode, { tasks: Tasks }> = {
  kind: "task",
  // A task learns who asks.
  personal: true,
  recorded: "step",
  loosens: false,
  schema: z.strictObject({
    task: z.string().describe("Name of a built-in task."),
    ...common,
    ...withInput,
    effect: z.enum(["none", "at_least_once", "at_most_once"]).optional().describe(
      "The effect outside. none: nothing. at_least_once: it may happen again after a crash, with the same idempotency key. at_most_once: it is never repeated.",
    ),
    ...next,
  }),
  templates: inputTemplate,
  references: ({ task }) => [{ to: "task", path: ["task"], value: task }],
  targets: nextTarget,
  compile(node, { tasks }) {
    const found = Object.hasOwn(tasks, node.task) ? tasks[node.task] : undefined;
    if (!found) {
      throw new OrchestratorError(
        "pipeline_invalid",
        `Cannot run task "${node.task}": ${
          sentence(unknownName("task", node.task, Object.keys(tasks)))
        } Fix the node.`,
      );
    }
    const input = compileInput(node);
    const effect = node.effect ?? found.effect;
    const options = { kind: "task", ...(effect ? { effect } : {}), node, next: () => node.next };
    return oneStep(options, (scope, step, run) => {
      const value = input(scope);
      return value instanceof Promise
        ? value.then((late) => found.run(late ?? null, step, run))
        : found.run(value ?? null, step, run);
    });
  },
};
