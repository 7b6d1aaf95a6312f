/**
 * One union for the journal, SSE and WebSocket. Journaled events carry `seq`, gapless per run;
 * `step.delta` and `step.snapshot` are live only and carry none.
 *
 * @module
 */
import type { ErrorJson } from "../../errors.ts";
import type { Usage } from "../../telemetry/usage.ts";

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** What happened, without the envelope that the kernel adds. */
export type EventBody =
  | {
    type: "run.started";
    pipeline: string;
    version: string;
    input: Json;
    conversation_id?: string;
  }
  | { type: "run.resumed"; reason: "crashed" | "released" | "redriven"; worker: string }
  | { type: "run.completed"; output: Json; usage?: Usage }
  | { type: "run.failed"; error: ErrorJson; step?: string }
  | { type: "run.cancelled"; reason?: string }
  | { type: "step.started"; step: string; attempt: number; kind?: string }
  | {
    type: "step.completed";
    step: string;
    attempt: number;
    kind?: string;
    output: Json;
    duration_ms: number;
  }
  | {
    type: "step.failed";
    step: string;
    attempt: number;
    error: ErrorJson;
    /** When the next attempt begins; absent after the last one. RFC 3339 UTC. */
    retry_at?: string;
  }
  | { type: "step.skipped"; step: string; reason: string }
  | { type: "agent.started"; step: string; agent: string; model?: string }
  | {
    type: "agent.completed";
    step: string;
    agent: string;
    output: Json;
    usage: Usage;
    model: string;
    duration_ms: number;
    attempts: number;
  }
  | { type: "tool.called"; step: string; tool: string; arguments: Json }
  | { type: "tool.returned"; step: string; tool: string; output: Json }
  | { type: "tool.denied"; step: string; tool: string; reason: string };

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
