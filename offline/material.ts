/**
 * What a request brings along: the ask, the documents, the conversation and what earlier agents
 * made. Everything is read leniently, because real models and other pipelines write it too.
 *
 * @module
 */
import type { ModelMessage, ModelRequest } from "../llm/mod.ts";
import { clip, countWords, MAX_CHARS } from "./text.ts";

/** A text to work from. */
export interface Source {
  id: string;
  title?: string;
  url?: string;
  text: string;
}

/** A claim and where it comes from. */
export interface Finding {
  claim: string;
  topic: string;
  sources: string[];
}

/** What the researcher found. */
export interface Research {
  summary: string;
  findings: Finding[];
  sources: { id: string; title: string | null; url: string | null; excerpt: string | null }[];
  gaps: string[];
}

/** One section of an outline. */
export interface Section {
  heading: string;
  points: string[];
  sources: string[];
  words: number;
}

/** An outline. */
export interface Plan {
  title: string;
  sections: Section[];
  tasks: string[];
}

/** A request as the offline model sees it. */
export interface Material {
  /** The request's input as it came. */
  fields: Record<string, unknown>;
  ask: string;
  context: Record<string, unknown>;
  documents: Source[];
  /** Earlier messages, oldest first. */
  history: { role: "user" | "assistant"; content: string }[];
  research?: Research;
  plan?: Plan;
  draft?: string;
}

const ASK_FIELDS = ["ask", "prompt", "question", "query", "user_goal", "goal", "message", "topic"];
const KNOWN_FIELDS = new Set([
  ...ASK_FIELDS,
  "context",
  "documents",
  "research",
  "plan",
  "draft",
  "messages",
  // What an editor says of a draft is nothing to quote in it.
  "remarks",
]);
/** Shorter turns of a conversation are talk, not material. */
const MATERIAL_WORDS = 40;

/** Reads a request. At most {@linkcode MAX_CHARS} characters of documents are kept. */
export function readMaterial(request: ModelRequest): Material {
  const input = record(request.input);
  const turns = request.messages.filter(isTurn);
  const asked = ASK_FIELDS.map((name) => input[name]).find((value) => typeof value === "string");
  const history = historyOf(turns);
  const ask = clip(text(asked) ?? turns.at(-1)?.content ?? "", MAX_CHARS);
  const context = record(input.context);
  return {
    fields: input,
    ask,
    context,
    history,
    documents: fairShare(uniqueIds([
      ...documentsOf(input.documents),
      ...otherFields(input),
      ...toolResults(request.messages),
    ])),
    research: readResearch(input.research),
    plan: readPlan(input.plan),
    draft: text(input.draft) === undefined ? undefined : clip(text(input.draft) ?? ""),
  };
}

/**
 * The documents; without any, what the conversation itself brings: a pasted text in the ask or in
 * earlier turns.
 */
export function documentsOrConversation(material: Material): Source[] {
  if (material.documents.length > 0) return material.documents;
  const turns = material.history.map(({ role, content }, i) => ({
    id: `turn-${i + 1}`,
    title: role === "user" ? "Earlier in the conversation" : "The reply before",
    text: content.replace(/\s?\[[^\[\]\n]{1,120}\](?!\()/g, ""),
  }));
  const pasted = pastedText(material.ask);
  return fairShare(
    [...turns, ...(pasted ? [pasted] : [])].filter((turn) =>
      countWords(turn.text) >= MATERIAL_WORDS
    ),
  );
}

/** What follows the request's first paragraph, or all of it when there is only one. */
function pastedText(ask: string): Source | undefined {
  const gap = ask.search(/\n\s*\n|:\s*\n/);
  const body = gap < 0 ? ask : ask.slice(gap + 1);
  return body.trim() === "" ? undefined : { id: "request", title: "The request", text: body };
}

type Turn = ModelMessage & { role: "user" | "assistant" };

function isTurn(message: ModelMessage): message is Turn {
  return (message.role === "user" || message.role === "assistant") && message.content !== "";
}

/** Every turn but the last user message, which is the rendered prompt. */
function historyOf(turns: Turn[]): Material["history"] {
  const last = turns.findLastIndex((turn) => turn.role === "user");
  return turns.slice(0, Math.max(0, last)).slice(-50)
    .map(({ role, content }) => ({ role, content: clip(content, 20_000) }));
}

function documentsOf(value: unknown): Source[] {
  const items = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return items.slice(0, 500).flatMap((item, i) => {
    const fields = typeof item === "string" ? { text: item } : record(item);
    const body = text(fields.text) ?? text(fields.content);
    if (body === undefined || body.trim() === "") return [];
    return [{
      id: citable(text(fields.id) ?? "") || `doc-${i + 1}`,
      title: text(fields.title) || firstHeading(body),
      url: text(fields.url) || undefined,
      text: body,
    }];
  });
}

/** Fields that only other pipelines know: each is a text of its own, named like the field. */
function otherFields(input: Record<string, unknown>): Source[] {
  return Object.entries(input).filter(([name]) => !KNOWN_FIELDS.has(name)).slice(0, 50)
    .map(([name, value]) => ({ id: citable(name), title: name, text: leaves(value).join("\n\n") }))
    .filter((source) => source.text.trim() !== "");
}

function toolResults(messages: ModelMessage[]): Source[] {
  return messages.flatMap((message, i) =>
    message.role === "tool" && message.content !== ""
      ? [{ id: citable(`${message.name}-${i}`), title: message.name, text: message.content }]
      : []
  );
}

/** The texts inside any JSON value. Bounded in depth and number. */
export function leaves(value: unknown, depth = 0): string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "number" || typeof value === "boolean") return [String(value)];
  if (depth > 6 || value === null || typeof value !== "object") return [];
  return Object.values(value).slice(0, 500).flatMap((item) => leaves(item, depth + 1))
    .slice(0, 2_000);
}

/** Gives each document the same share of what may be read; short ones leave theirs to the others. */
function fairShare(sources: Source[]): Source[] {
  let left = MAX_CHARS;
  const kept = new Map<Source, string>();
  const byLength = sources.toSorted((a, b) => a.text.length - b.text.length);
  byLength.forEach((source, i) => {
    const share = clip(source.text, Math.floor(left / (sources.length - i)));
    left -= share.length;
    kept.set(source, share);
  });
  return sources.map((source) => ({ ...source, text: kept.get(source) ?? "" }));
}

function uniqueIds(sources: Source[]): Source[] {
  const seen = new Set<string>();
  return sources.map((source) => {
    let id = source.id;
    for (let n = 2; seen.has(id); n++) id = `${source.id}-${n}`;
    seen.add(id);
    return { ...source, id };
  });
}

/** An id that can stand in `[…]`. */
function citable(id: string): string {
  return clip(id.replace(/[\[\]\s,;]+/g, "-").replace(/^-+|-+$/g, ""), 80);
}

function firstHeading(body: string): string | undefined {
  return /^#{1,6}[ \t]+(.{1,200})$/m.exec(clip(body, 2_000))?.[1]?.trim();
}

function readResearch(value: unknown): Research | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = record(value);
  return {
    summary: text(fields.summary) ?? "",
    findings: list(fields.findings).map(record).flatMap((finding) => {
      const claim = text(finding.claim)?.trim();
      if (!claim) return [];
      return [{ claim, topic: text(finding.topic) ?? "", sources: strings(finding.sources) }];
    }),
    sources: list(fields.sources).map(record).filter((source) => text(source.id)).map((source) => ({
      id: text(source.id) ?? "",
      title: text(source.title) ?? null,
      url: text(source.url) ?? null,
      excerpt: text(source.excerpt) ?? null,
    })),
    gaps: strings(fields.gaps),
  };
}

function readPlan(value: unknown): Plan | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = record(value);
  return {
    title: text(fields.title) ?? "",
    tasks: strings(fields.tasks),
    sections: list(fields.sections).map(record).filter((section) => text(section.heading))
      .map((section) => ({
        heading: text(section.heading) ?? "",
        points: strings(section.points),
        sources: strings(section.sources),
        words: typeof section.words === "number" ? section.words : 0,
      })),
  };
}

/** The value as an object; anything else is an empty one. */
export function record(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? value as Record<string, unknown>
    : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, 500) : [];
}

function strings(value: unknown): string[] {
  return list(value).filter((item) => typeof item === "string");
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
