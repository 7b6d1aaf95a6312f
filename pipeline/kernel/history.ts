/**
 * What a journal says: the fold of a run's events into what a resumed execution needs to know.
 *
 * @module
 */
import type { ErrorJson, OrchestratorError } from "../../errors.ts";
import { addUsage, NO_USAGE, type Usage } from "../../telemetry/mod.ts";
import type { Budget, EventBody, JournalEvent, Json } from "./events.ts";

/** What is recorded of one step. */
export interface StepRecord {
  /** Attempts begun. */
  attempts: number;
  /** When the first attempt began, in milliseconds since the epoch. */
  began: number;
  /** Present once it has completed. */
  done?: { output: Json };
  /** The last failure; final when `retry_at` is absent. */
  failed?: { error: ErrorJson; retry_at?: string };
  /** An attempt was begun and nothing is known of its end. */
  open: boolean;
}

/** A signal that no wait has taken. */
export interface PendingSignal {
  seq: number;
  name: string;
  payload: Json;
}

/** A run as its journal tells it. */
export interface History {
  seq: number;
  input: Json;
  steps: Map<string, StepRecord>;
  /** Signals that no wait has taken, oldest first. */
  signals: PendingSignal[];
  /** Identities of the events that the run's function emitted. */
  emitted: Set<string>;
  usage: Usage;
  /** Attempts of steps that do something outside, those of runs within the run included. */
  calls: number;
  /** Limits that were raised meanwhile. */
  raised: Budget;
  paused: boolean;
  /** The run was asked to stop. */
  cancelling?: { reason?: string };
  /** The run goes by an answer to what it showed. */
  bound: boolean;
  /** How often the run was resumed after a crash since it last got anywhere. */
  crashes: number;
  /** At how many of these crashes it had control of the process. */
  suspicions: number;
  /** Its journal cannot be read, so the run cannot be resumed. */
  damaged?: OrchestratorError;
}

/** A history without events. */
export function emptyHistory(input: Json): History {
  return {
    seq: 0,
    input,
    steps: new Map(),
    signals: [],
    emitted: new Set(),
    usage: NO_USAGE,
    calls: 0,
    raised: {},
    paused: false,
    bound: false,
    crashes: 0,
    suspicions: 0,
  };
}

/** The identity of an emitted event: one per type and step. */
export function identity(event: EventBody): string {
  return "step" in event ? `${event.type} ${event.step}` : event.type;
}

/**
 * True for the end of a wait whose outcome holds only for the input that the run had.
 *
 * Journals of earlier versions mark no event: their only such waits had the kind `approval`.
 */
export function isBinding(event: EventBody): boolean {
  if (event.type !== "step.completed") return false;
  return event.binding === true || event.kind === "approval";
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

/** Takes into account what an execution needs to know of an event that it appends itself. */
export function account(history: History, event: EventBody): void {
  switch (event.type) {
    case "run.resumed":
      if (event.reason === "crashed") history.crashes++;
      if (event.suspect) history.suspicions++;
      if (event.reason === "unpaused") history.paused = false;
      break;
    case "run.paused":
      history.paused = true;
      break;
    case "run.cancelling":
      history.cancelling = { reason: event.reason };
      history.paused = false; // it has to clean up
      break;
    case "budget.raised":
      history.raised = { ...history.raised, ...event.budget };
      break;
    case "step.started":
      if (!event.passive) history.calls++;
      break;
    case "step.completed":
      history.bound ||= isBinding(event);
      history.calls += event.calls ?? 0;
      spend(history, event);
      break;
    case "step.failed":
    case "step.skipped":
      spend(history, event);
      break;
  }
}

function spend(history: History, { usage }: { usage?: Usage }): void {
  if (usage) history.usage = addUsage(history.usage, usage);
}

/** Takes into account an event that was journaled before. */
function apply(history: History, event: JournalEvent): void {
  account(history, event);
  switch (event.type) {
    case "run.started":
      history.input = event.input;
      break;
    case "run.resumed":
      if (event.reason === "redriven") forgetFailures(history);
      break;
    case "run.waiting":
      acquit(history);
      break;
    case "run.paused":
    case "run.cancelling":
    case "budget.raised":
      break;
    case "signal.received":
      history.signals.push({ seq: event.seq, name: event.name, payload: event.payload });
      break;
    case "step.started": {
      const step = stepOf(history, event.step, event.at);
      step.attempts = event.attempt;
      step.open = true;
      step.failed = undefined;
      break;
    }
    case "step.completed": {
      const step = stepOf(history, event.step, event.at);
      step.done = { output: event.output };
      step.open = false;
      acquit(history);
      if (event.signal) history.signals = history.signals.filter((s) => s.seq !== event.signal);
      break;
    }
    case "step.failed": {
      const step = stepOf(history, event.step, event.at);
      step.attempts = event.attempt;
      step.failed = { error: event.error, retry_at: event.retry_at };
      step.open = false;
      acquit(history);
      break;
    }
    default:
      history.emitted.add(identity(event));
  }
}

/** Steps that failed for good may be tried again, as if they had never begun. */
export function forgetFailures(history: History): History {
  acquit(history);
  history.cancelling = undefined;
  for (const [key, step] of history.steps) {
    if (step.failed && !step.failed.retry_at) history.steps.delete(key);
  }
  return history;
}

/** The run has got somewhere: no crash so far was its fault. */
function acquit(history: History): void {
  history.crashes = 0;
  history.suspicions = 0;
}

function stepOf(history: History, key: string, at: string): StepRecord {
  let step = history.steps.get(key);
  if (!step) {
    step = { attempts: 0, began: Date.parse(at), open: false };
    history.steps.set(key, step);
  }
  return step;
}
