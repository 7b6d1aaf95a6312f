/**
 * The unified response of a chat turn, made from its run's journal and nothing else: whoever has the
 * journal can make the same response again.
 *
 * @module
 */
import type { ErrorJson } from "../errors.ts";
import { answerText } from "../pipeline/recall/mod.ts";
import type { EventBody, JournalEvent, Json } from "../pipeline/kernel/mod.ts";
import { addUsage, NO_USAGE, type Usage } from "../telemetry/mod.ts";

/** What one agent contributed. */
export interface AgentReport {
  name: string;
  output: Json;
  usage: Usage;
  duration_ms: number;
  attempts: number;
}

/** What a reviewing agent said about the draft. */
export interface ReviewReport {
  score: Json;
  summary: Json;
  comments: Json;
  edits: Json;
  violations: Json;
}

/** The answer to a chat turn. */
export interface ChatResponse {
  conversation_id: string | null;
  run_id: string;
  status: "completed" | "failed" | "cancelled" | "running";
  /** `null` unless the run completed. */
  message: { role: "assistant"; content: string } | null;
  agents: AgentReport[];
  sources: Json[];
  review: ReviewReport | null;
  usage: Usage;
  metadata: { [key: string]: Json | undefined };
  /** Why the run failed. */
  error?: ErrorJson;
}

type EventOf<T extends EventBody["type"]> = Extract<JournalEvent, { type: T }>;
type Fields = { [key: string]: Json | undefined };

/** True for the events that {@linkcode unifiedResponse} needs; the others need not be kept. */
export function isResponseEvent(event: { type: string }): boolean {
  return event.type === "agent.completed" || event.type === "run.started" ||
    event.type === "run.completed" || event.type === "run.failed" ||
    event.type === "run.cancelled" || isRetrieval(event);
}

/**
 * The unified response of a run.
 *
 * @param run the run's header: its own status is not looked at
 * @param events its journal, in order; only the events of {@linkcode isResponseEvent} matter
 */
export function unifiedResponse(
  run: { id: string; pipeline: string; version: string; conversation_id?: string },
  events: JournalEvent[],
): ChatResponse {
  const agents = events.filter((event) => event.type === "agent.completed");
  // A run that failed and was started again has more than one end: the last one counts.
  const end = events.findLast((event) => ENDS[event.type] !== undefined);
  const completed = end?.type === "run.completed" ? end : undefined;
  const output = asObject(completed?.output);
  return {
    conversation_id: run.conversation_id ?? null,
    run_id: run.id,
    status: ENDS[end?.type ?? ""] ?? "running",
    message: completed ? { role: "assistant", content: answerText(completed.output) } : null,
    agents: agents.map(toReport),
    sources: Array.isArray(output?.sources) ? output.sources : retrievedSources(events),
    review: toReview(asObject(output?.review)),
    usage: usageIn(events),
    metadata: { ...asObject(output?.metadata), ...metadataOf(run, events, agents, end) },
    ...(end?.type === "run.failed" ? { error: end.error } : {}),
  };
}

const ENDS: Record<string, ChatResponse["status"]> = {
  "run.completed": "completed",
  "run.failed": "failed",
  "run.cancelled": "cancelled",
};

/** What a run used: as its end says, where it has ended; else what its agents have used so far. */
export function usageIn(events: JournalEvent[]): Usage {
  // A run that failed and was started again has more than one end: the last one counts.
  const end = events.findLast((event) => ENDS[event.type] !== undefined);
  if (end && "usage" in end && end.usage) return end.usage;
  return events.reduce(
    (sum, event) => event.type === "agent.completed" ? addUsage(sum, event.usage) : sum,
    NO_USAGE,
  );
}

function metadataOf(
  run: { pipeline: string; version: string },
  events: JournalEvent[],
  agents: EventOf<"agent.completed">[],
  end: JournalEvent | undefined,
): Record<string, Json> {
  const models = [...new Set(agents.map((agent) => agent.model))];
  const begin = events.find((event) => event.type === "run.started");
  return {
    pipeline: run.pipeline,
    version: run.version,
    models,
    offline: models.includes("offline"),
    ...(begin ? { started_at: begin.at } : {}),
    ...(end ? { ended_at: end.at } : {}),
    ...(begin && end ? { duration_ms: Date.parse(end.at) - Date.parse(begin.at) } : {}),
  };
}

function toReport(event: EventOf<"agent.completed">): AgentReport {
  const { agent, output, usage, duration_ms, attempts } = event;
  return { name: agent, output, usage, duration_ms, attempts };
}

function toReview(review: Fields | undefined): ReviewReport | null {
  if (!review) return null;
  const { score = null, summary = null, comments = [], edits = [], violations = [] } = review;
  return { score, summary, comments, edits, violations };
}

/** True for events that report passages that were found: by a node, or by an agent's tool. */
function isRetrieval(event: { type: string; kind?: string; tool?: string }): boolean {
  return (event.type === "step.completed" && event.kind === "retrieve") ||
    (event.type === "tool.returned" && event.tool === "search_documents");
}

/**
 * The passages that a run retrieved, each once, in the order in which they were found: id, title,
 * address, text, and where in its document each one is.
 */
function retrievedSources(events: JournalEvent[]): Json[] {
  const sources = new Map<string, Json>();
  for (const event of events) {
    if (!("output" in event) || !isRetrieval(event)) continue;
    for (const found of passagesOf(event.output)) {
      const { id, text, passage, heading, location } = found;
      // A tool's result names its document as a whole, a node's passage is flat.
      const document = isObject(found.document) ? found.document : { ...found, id: found.document };
      const { id: of, title, url = null } = document;
      const source = { id, title, url, excerpt: text, document: of, passage, heading, location };
      if (typeof id === "string" && !sources.has(id)) sources.set(id, source);
    }
  }
  return [...sources.values()];
}

function passagesOf(output: Json): Fields[] {
  const passages = isObject(output) ? output.passages ?? output.results : undefined;
  return Array.isArray(passages) ? passages.filter(isObject) : [];
}

function asObject(value: Json | undefined): Fields | undefined {
  return isObject(value) ? value : undefined;
}

function isObject(value: Json | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
