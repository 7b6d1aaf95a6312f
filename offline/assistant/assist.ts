/**
 * The assistant's answers: what a tool or pipeline gave, what went wrong and what is missing, what is
 * known of the user, what the documents say.
 *
 * @module
 */
import { answer } from "../answer.ts";
import type { Brief } from "../brief.ts";
import { leaves, type Material, record, type Source } from "../material.ts";
import { bm25, indexTerms } from "../score.ts";
import { clip, enumerate, shorten, termsOf } from "../text.ts";

const GREETING = /^(?:hi|hello|hey|good (?:morning|afternoon|evening))\b[^?]{0,60}$/i;
const THANKS = /^(?:thanks?|thank you|ok(?:ay)?|great|nice|cool)\b[^?]{0,60}$/i;
const ABOUT_ME =
  /\b(?:what(?:'s| is) my|who am i|do you (?:know|remember)|what do you know about me|where do i|what do i)\b/i;
const RESULT_WORDS = 400;

/** Answers the ask. */
export function assist(material: Material, brief: Brief): string {
  const { ask, fields } = material;
  const own: Material = { ...material, documents: documentsOf(material) };
  const parts = (Array.isArray(fields.tried) ? fields.tried : []).map(record)
    .map((step) => told(step, own, brief)).filter((part) => part !== "");
  if (parts.length > 0) return parts.join("\n\n");
  if (own.documents.length > 0) return answer(own, brief);
  return smallTalk(ask.trim(), strings(record(fields.memory).facts), strings(fields.learned)) ??
    aboutUser(ask, strings(record(fields.memory).facts)) ?? answer(withSummary(own), brief);
}

/** Only what came as documents: other fields are no material to quote. */
function documentsOf({ documents, fields }: Material): Source[] {
  const given = Array.isArray(fields.documents) ? fields.documents.length : 0;
  return documents.slice(0, given);
}

/** The summary of a long conversation stands for its beginning. */
function withSummary(material: Material): Material {
  const { summary } = record(material.fields.memory);
  if (typeof summary !== "string" || summary === "") return material;
  return { ...material, history: [{ role: "user", content: summary }, ...material.history] };
}

function told(step: Record<string, unknown>, material: Material, brief: Brief): string {
  const what = typeof step.what === "string" ? step.what : "It";
  if (step.error) return failure(what, record(step.error), record(record(step.takes).properties));
  const { result } = step;
  if (result === undefined || result === null) return `The ${what} gave nothing back.`;
  if (typeof result === "number" || typeof result === "boolean") return `The result is ${result}.`;
  if (typeof result === "string") return shorten(result, RESULT_WORDS);
  const fields = record(result);
  const plain = fields.result ?? fields.answer ?? fields.content;
  if (typeof plain === "number" || typeof plain === "boolean") return `The result is ${plain}.`;
  const text = typeof plain === "string" ? plain : fields.text ?? fields.summary ?? fields.message;
  if (typeof text === "string" && text !== "") return fromText(text, fields, material, brief);
  return listed(result);
}

/** Long texts, such as a page that was read, are answered from; short ones are the answer. */
function fromText(
  text: string,
  { title, url }: Record<string, unknown>,
  material: Material,
  brief: Brief,
): string {
  if (text.length < 1_000) return text;
  const source: Source = {
    id: "page",
    text: clip(text, 100_000),
    ...(typeof title === "string" ? { title } : {}),
    ...(typeof url === "string" ? { url } : {}),
  };
  return answer({ ...material, documents: [source] }, brief);
}

function listed(result: unknown): string {
  const rows = Array.isArray(result) ? result : record(result).results;
  if (!Array.isArray(rows)) {
    return "```json\n" + clip(JSON.stringify(result, null, 2), 4_000) + "\n```";
  }
  if (rows.length === 0) return "Nothing was found.";
  return rows.slice(0, 10).map((row) => `- ${shorten(leaves(row).join(" · "), 40)}`).join("\n");
}

function failure(
  what: string,
  { code, message, issues }: Record<string, unknown>,
  fields: Record<string, unknown>,
): string {
  const list = (Array.isArray(issues) ? issues : []).map(record);
  if (code === "validation_failed" && list.length > 0) {
    const missing = list.map((issue) => `- ${needed(issue, fields)}`).join("\n");
    return `${MISSING} ${what} something is missing:\n\n${missing}\n\nTell me, and I start it.`;
  }
  const why = typeof message === "string" ? ` ${message}` : "";
  return `The ${what} did not work (${String(code)}).${why}`;
}

/** How answers begin that ask for what a pipeline needs; the router knows them by it. */
export const MISSING = "To continue with the";

/** What is missing, as the schema describes it; else what is wrong where. */
function needed({ location, message }: Record<string, unknown>, fields: Record<string, unknown>) {
  const name = Object.keys(fields).find((name) => location === `/${name}`);
  const { description } = record(name === undefined ? undefined : fields[name]);
  if (typeof description === "string") return `${name}: ${description}`;
  return `${name ?? (location || "/")}: ${message}`;
}

function smallTalk(ask: string, facts: string[], learned: string[]): string | undefined {
  if (learned.length > 0 && !/\?\s*$/.test(ask)) {
    return `I will remember that: ${learned.map((fact) => fact.replace(/\.$/, "")).join("; ")}.`;
  }
  if (GREETING.test(ask)) {
    const name = facts.map((fact) => /^The user's name is (.{1,80})\.$/.exec(fact)?.[1])
      .find(Boolean);
    return `Hello${name ? ` ${name}` : ""}! What can I do for you?`;
  }
  return THANKS.test(ask) ? "You are welcome." : undefined;
}

/** What is known of the user, if that is the question. */
function aboutUser(ask: string, facts: string[]): string | undefined {
  if (!ABOUT_ME.test(ask) || facts.length === 0) return undefined;
  const scores = bm25(indexTerms(facts.map(termsOf)), termsOf(ask));
  const best = scores.indexOf(Math.max(...scores));
  const fits = (scores[best] ?? 0) > 0;
  if (!fits && !/\babout me\b|\bwho am i\b/i.test(ask)) return undefined;
  const told = fits ? [facts[best]!] : facts.slice(0, 10);
  return enumerate(told.map(toYou)).replace(/\.? and /g, ". ");
}

function toYou(fact: string): string {
  return fact.replace(/^The user's /, "Your ").replace(/^The user (\w+?)s\b/, "You $1");
}

function strings(value: unknown): string[] {
  return (Array.isArray(value) ? value : []).filter((item) => typeof item === "string");
}
