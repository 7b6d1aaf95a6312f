/**
 * What a journal says: the fold of a run's events into what a resumed execution needs to know.
 *
 * @module
 */
import type { ErrorJson } from "../../errors.ts";
import { addUsage, NO_USAGE, type Usage } from "../../telemetry/usage.ts";
import type { EventBody, JournalEvent, Json } from "./events.ts";

/** What is recorded of one step. */
export interface StepRecord {
  /** Attempts begun. */
  attempts: number;
  /** Present once it has completed. */
  done?: { output: Json };
  /** The last failure; final when `retry_at` is absent. */
  failed?: { error: ErrorJson; retry_at?: string };
  /** An attempt was begun and nothing is known of its end. */
  open: boolean;
}

/** A run as its journal tells it. */
export interface History {
  seq: number;
  input: Json;
  steps: Map<string, StepRecord>;
  /** Identities of the events that the run's function emitted. */
  emitted: Set<string>;
  usage: Usage;
  /** How often the run was resumed after a crash since it last got anywhere. */
  crashes: number;
}

/** A history without events. */
export function emptyHistory(input: Json): History {
  return {
    seq: 0,
    input,
    steps: new Map(),
    emitted: new Set(),
    usage: NO_USAGE,
    crashes: 0,
  };
}

/** The identity of an emitted event: one per type and step. */
export function identity(event: EventBody): string {
  return "step" in event ? `${event.type} ${event.step}` : event.type;
}

/** Folds a whole journal. */
export function readHistory(events: JournalEvent[]): History {
  const history = emptyHistory(null);
  for (const event of events) {
    history.seq = event.seq;
    apply(history, event);
  }
  return history;
}

function apply(history: History, event: JournalEvent): void {
  switch (event.type) {
    case "run.started":
      history.input = event.input;
      break;
    case "run.resumed":
      if (event.reason === "crashed") history.crashes++;
      if (event.reason === "redriven") forgetFailures(history);
      break;
    case "step.started": {
      const step = stepOf(history, event.step);
      step.attempts = event.attempt;
      step.open = true;
      step.failed = undefined;
      break;
    }
    case "step.completed": {
      const step = stepOf(history, event.step);
      step.done = { output: event.output };
      step.open = false;
      history.crashes = 0;
      break;
    }
    case "step.failed": {
      const step = stepOf(history, event.step);
      step.attempts = event.attempt;
      step.failed = { error: event.error, retry_at: event.retry_at };
      step.open = false;
      history.crashes = 0;
      break;
    }
    default:
      history.emitted.add(identity(event));
      if ("usage" in event && event.usage) history.usage = addUsage(history.usage, event.usage);
  }
}

/** Steps that failed for good may be tried again, as if they had never begun. */
export function forgetFailures(history: History): History {
  history.crashes = 0;
  for (const [key, step] of history.steps) {
    if (step.failed && !step.failed.retry_at) history.steps.delete(key);
  }
  return history;
}

function stepOf(history: History, key: string): StepRecord {
  let step = history.steps.get(key);
  if (!step) history.steps.set(key, step = { attempts: 0, open: false });
  return step;
}
