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

/** The visit of a node at the beginning of a step's key: `review`, `review#2`, `review~2`. */
const VISIT = /[A-Za-z]\w*(?:#\d+)?(?:~\d+)?(?=$|[/[])/y;
/** The node's name in it. */
const NAME = /\w+/y;

/** Reads a journal. Steps within nodes count as their node's work, never as an output. */
export function runState(journal: JournalEvent[]): RunState {
  const nodes: Record<string, Json> = {};
  const open = new Set<string>();
  // Nothing of a run that has ended is at work: most runs are looked at then.
  const isOver = hasEnded(journal);
  let steps: ReadonlySet<string> | undefined;
  const has = (step: string) => (steps ??= new Set(journal.map(stepOf))).has(step);
  let last_step: string | undefined;
  for (const event of journal) {
    const step = stepOf(event);
    const length = lengthOf(VISIT, step);
    if (length === 0) continue;
    const name = last_step = step.slice(0, lengthOf(NAME, step));
    const isNode = length === step.length;
    switch (event.type) {
      case "step.completed":
      case "agent.completed": {
        if (!isNode) break;
        open.delete(name);
        const output = outputOf(event, has);
        if (output !== undefined) nodes[name] = output;
        break;
      }
      case "step.failed":
        if (isNode && event.retry_at === undefined) open.delete(name);
        break;
      case "step.started":
      case "agent.started":
      case "approval.requested":
        if (!isOver) open.add(name);
    }
  }
  return { nodes, current_steps: [...open], ...(last_step === undefined ? {} : { last_step }) };
}

/** Name of the node that an event belongs to. */
export function nodeOf(event: JournalEvent): string | undefined {
  const step = stepOf(event);
  return lengthOf(VISIT, step) === 0 ? undefined : step.slice(0, lengthOf(NAME, step));
}

function stepOf(event: JournalEvent): string {
  return "step" in event && event.step !== undefined ? event.step : "";
}

/** Length of what a sticky pattern finds at the beginning of a text. Makes nothing: this is hot. */
function lengthOf(pattern: RegExp, text: string): number {
  pattern.lastIndex = 0;
  return pattern.test(text) ? pattern.lastIndex : 0;
}

/**
 * A visit's output. Some kinds leave something else under the visit's key; with a time limit, that
 * has a step of its own within a group whose result is the output.
 */
function outputOf(event: Completed, has: (step: string) => boolean): Json | undefined {
  const kind = "kind" in event ? kindNamed(event.kind) : undefined;
  if (typeof kind?.recorded !== "object" || has(`${event.step}/${kind.kind}`)) {
    return event.output;
  }
  return kind.recorded.outputOf(event.output);
}

function hasEnded(journal: JournalEvent[]): boolean {
  const { type } = journal.at(-1) ?? { type: "" };
  return type === "run.completed" || type === "run.failed" || type === "run.cancelled";
}
