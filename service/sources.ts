/** What a run's answer is based on. @module */
import type { JournalEvent, Json } from "../pipeline/kernel/mod.ts";

type Fields = { [key: string]: Json | undefined };

/** True for the events that tell of passages that were found: by a node, or by an agent's tool. */
export function isRetrieval(event: { type: string; kind?: string; tool?: string }): boolean {
  return (event.type === "step.completed" && event.kind === "retrieve") ||
    (event.type === "tool.returned" && event.tool === "search_documents");
}

/**
 * The passages that a run retrieved, each once, in the order in which they were found: id, title,
 * address, text, and where in its document each one is.
 */
export function retrievedSources(events: JournalEvent[]): Json[] {
  const sources = new Map<string, Json>();
  for (const event of events) {
    if (!("output" in event) || !isRetrieval(event)) continue;
    for (const found of passagesOf(event.output)) {
      const { id, text, passage, heading, location } = found;
      // A tool's result names its document as a whole, a node's passage is flat.
      const document = isFields(found.document) ? found.document : { ...found, id: found.document };
      const { id: of, title, url = null } = document;
      const source = { id, title, url, excerpt: text, document: of, passage, heading, location };
      if (typeof id === "string" && !sources.has(id)) sources.set(id, source);
    }
  }
  return [...sources.values()];
}

function passagesOf(output: Json): Fields[] {
  const passages = isFields(output) ? output.passages ?? output.results : undefined;
  return Array.isArray(passages) ? passages.filter(isFields) : [];
}

function isFields(value: Json | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
