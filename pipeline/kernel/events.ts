/**
 * One union for the journal, SSE and WebSocket, and how large its events may be. Journaled events carry `seq`, gapless per run;
 * `step.delta` and `step.snapshot` are live only and carry none.
 *
 * @module
 */
import { isLonger } from "../../bytes.ts";
import { type ErrorJson, OrchestratorError, toOrchestratorError } from "../../errors.ts";
import type { Json } from "../../json/mod.ts";
import type { Usage } from "../../telemetry/mod.ts";

/** Any JSON value. */
export type { Json };

/**
 * Events of what runs do, by type: the kernel journals them and knows nothing more of them. Who emits
 * one adds it here, as a module augmentation.
 */
// deno-lint-ignore no-empty-interface -- filled from above
export interface OwnEvents {}

/** What happened, without the envelope that the kernel adds. */
export type EventBody = KernelEvent | OwnEvents[keyof OwnEvents];

/** What the kernel itself journals. */
export type KernelEvent =
  | {
    type: "run.started";
    pipeline: string;
    version: string;
    input: Json;
    conversation_id?: string;
  }
  | {
    type: "run.resumed";
    reason: ResumeReason;
    worker: string;
    /** It had control of its process when that died, and not for the first time. */
    suspect?: true;
  }
  /** Every branch waits: the run has left memory until one of these comes. */
  | { type: "run.waiting"; for: WaitingFor[] }
  | { type: "run.paused"; reason?: string }
  /** The run has read what others wrote; from then on the run counts as tainted. */
  | { type: "run.tainted" }
  /** The run was asked to stop; its cleanup may follow before `run.cancelled`. */
  | { type: "run.cancelling"; reason?: string }
  | { type: "run.completed"; output: Json; usage?: Usage }
  | { type: "run.failed"; error: ErrorJson; usage?: Usage }
  | { type: "run.cancelled"; reason?: string; error?: ErrorJson; usage?: Usage }
  | {
    type: "step.started";
    step: string;
    attempt: number;
    kind?: string;
    /** A wait or a group: by itself it does nothing outside. */
    passive?: true;
    /** It only reads, or what it is made of says of itself whether it does. */
    reusable?: true;
    /** The run within the run that it waits for. */
    child?: string;
  }
  | {
    type: "step.completed";
    step: string;
    attempt: number;
    kind?: string;
    output: Json;
    duration_ms: number;
    usage?: Usage;
    /** Attempts that a run within the run made at its steps. */
    calls?: number;
    /** Sequence number of the signal that a wait took. */
    signal?: number;
    /** An answer to what the run showed: it holds only for the input that the run had. */
    binding?: true;
  }
  | {
    type: "step.failed";
    step: string;
    attempt: number;
    error: ErrorJson;
    /** What the attempt cost all the same. */
    usage?: Usage;
    /** When the next attempt begins; absent after the last one. RFC 3339 UTC. */
    retry_at?: string;
  }
  | { type: "step.skipped"; step: string; reason: string; usage?: Usage }
  | { type: "signal.received"; name: string; payload: Json }
  | { type: "budget.exceeded"; step: string; budget: keyof Budget; limit: number; spent: number }
  | { type: "budget.raised"; step: string; budget: Budget };

/** Why a run resumes. */
export type ResumeReason = "crashed" | "released" | "redriven" | "signal" | "timer" | "unpaused";

/** What one branch of a run waits for. */
export interface WaitingFor {
  step: string;
  signal?: string;
  /** RFC 3339 UTC. */
  until?: string;
}

/** What a run may spend; absent limits are not set. The run stops before the call after the last. */
export interface Budget {
  /** Input and output tokens together. */
  tokens?: number;
  cost_usd?: number;
  /** Steps that do something outside. */
  steps?: number;
  /** Seconds since the run was created, waiting included. */
  seconds?: number;
}

/** Live-only events. */
export type LiveBody =
  | { type: "step.delta"; step: string; text: string }
  /** Replaces the text of the step so far: for late joiners and after a restart of the text. */
  | { type: "step.snapshot"; step: string; text: string };

/** A journaled event. */
export type JournalEvent = EventBody & { run_id: string; seq: number; at: string };

/** A live event: no `seq`, never replayed. */
export type LiveEvent = LiveBody & { run_id: string; at: string };

/** What clients stream. */
export type RunEvent = JournalEvent | LiveEvent;

/** True for the event that ends a run. */
export function isTerminal(event: { type: string }): boolean {
  return event.type === "run.completed" || event.type === "run.failed" ||
    event.type === "run.cancelled";
}

/** Largest event; a step that returns more has failed. */
export const MAX_EVENT_BYTES = 4_000_000;
/** Largest message: it becomes a part of events of the run that gets it. */
export const MAX_MESSAGE_BYTES = MAX_EVENT_BYTES - 10_000;

/** Refuses a text above its limit. @throws `payload_too_large` */
export function mustFit(what: "an event" | "a message", text: string): void {
  const limit = what === "an event" ? MAX_EVENT_BYTES : MAX_MESSAGE_BYTES;
  if (!isLonger(text, limit)) return;
  throw new OrchestratorError(
    "payload_too_large",
    `Cannot record ${what} of more than ${limit} bytes. Return or send less, or store it elsewhere and pass a reference.`,
  );
}

/** True for what can never be written, however often it is tried. */
export function isTooLarge(error: unknown): boolean {
  return toOrchestratorError(error).code === "payload_too_large";
}
