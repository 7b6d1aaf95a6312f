/** What a run has come to, from its journal. @module */
import { kindNamed } from "../pipeline/document/mod.ts";
import type { JournalEvent, Json } from "../pipeline/kernel/mod.ts";

type Completed = Extract<JournalEvent, { type: "step.completed" | "agent.completed" }>;

/** A run's state. */
export interface RunState {
  /** The latest output of each node of the pipeline that has run, by the node's name. */
  nodes: Record<string, Json>;
  /** Names of the nodes that are at work or wait. */
  current_steps: string[];
  /** Name of the node that began or ended last; absent before the first. */
  last_step?: string;
}

/** Steps of nodes that are not within another one: `review`, `review#2`, `review~2`. */
const NODE = /^([A-Za-z]\w*)(?:#\d+)?(?:~\d+)?$/;

/** Reads a journal. Steps within nodes count as their node's work, never as an output. */
export function runState(journal: JournalEvent[]): RunState {
  const nodes: Record<string, Json> = {};
  const open = new Set<string>();
  const steps = new Set<string>();
  let last_step: string | undefined, output: Json | undefined;
  for (const event of journal) {
    const name = nodeOf(event);
    if (name === undefined || !("step" in event)) continue;
    last_step = name;
    steps.add(event.step);
    const isNode = NODE.test(event.step);
    switch (event.type) {
      case "step.completed":
      case "agent.completed":
        if (!isNode) break;
        open.delete(name);
        output = outputOf(event, steps);
        if (output !== undefined) nodes[name] = output;
        break;
      case "step.failed":
        if (isNode && event.retry_at === undefined) open.delete(name);
        break;
      case "step.started":
      case "agent.started":
      case "approval.requested":
        open.add(name);
    }
  }
  const current_steps = hasEnded(journal) ? [] : [...open];
  return { nodes, current_steps, ...(last_step === undefined ? {} : { last_step }) };
}

/** Name of the node that an event belongs to. */
export function nodeOf(event: JournalEvent): string | undefined {
  if (!("step" in event) || event.step === undefined) return undefined;
  return NODE.exec(event.step.split("/", 1)[0]!.replace(/\[.*$/, ""))?.[1];
}

/**
 * A visit's output. Some kinds leave something else under the visit's key; with a time limit, that
 * has a step of its own within a group whose result is the output.
 */
function outputOf(event: Completed, steps: ReadonlySet<string>): Json | undefined {
  const kind = "kind" in event ? kindNamed(event.kind) : undefined;
  if (typeof kind?.recorded !== "object" || steps.has(`${event.step}/${kind.kind}`)) {
    return event.output;
  }
  return kind.recorded.outputOf(event.output);
}

function hasEnded(journal: JournalEvent[]): boolean {
  const { type } = journal.at(-1) ?? { type: "" };
  return type === "run.completed" || type === "run.failed" || type === "run.cancelled";
}
