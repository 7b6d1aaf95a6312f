/**
 * What agents, tools and approvals journal. The kernel keeps these events and knows nothing of them.
 *
 * @module
 */
import type { Usage } from "../../telemetry/mod.ts";
import type { EventBody, Json } from "../kernel/mod.ts";

declare module "../kernel/events.ts" {
  interface OwnEvents {
    "agent.started": { type: "agent.started"; step: string; agent: string; model?: string };
    "agent.completed": {
      type: "agent.completed";
      step: string;
      agent: string;
      output: Json;
      usage: Usage;
      model: string;
      duration_ms: number;
      attempts: number;
    };
    "tool.called": { type: "tool.called"; step: string; tool: string; arguments: Json };
    "tool.returned": { type: "tool.returned"; step: string; tool: string; output: Json };
    "tool.denied": { type: "tool.denied"; step: string; tool: string; reason: string };
    "approval.requested": {
      type: "approval.requested";
      step: string;
      approval: string;
      /** The run that asks, when it is one within this run. */
      run?: string;
      title: string;
      expires_at?: string;
    };
    "approval.decided": {
      type: "approval.decided";
      step: string;
      approval: string;
      run?: string;
      decision: "approved" | "rejected" | "expired" | "void";
      by?: string[];
      comment?: string;
    };
  }
}

/**
 * Which of these events a run keeps that repeats another one from a step on: those of what is not
 * done again.
 *
 * @param has whether an event of this type and step was before that step
 */
export function keepsEvent(
  event: EventBody,
  has: (type: EventBody["type"], step: string) => boolean,
): boolean {
  switch (event.type) {
    case "tool.called":
    case "tool.returned":
      return has("step.completed", event.step);
    case "agent.started":
    case "agent.completed":
      return has("agent.completed", event.step);
    default:
      return false;
  }
}
