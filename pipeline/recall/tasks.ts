/** Tasks of the pipelines `assistant` and `summarize` on what is remembered. @module */
import type { Conversations, Memory } from "../../knowledge/mod.ts";
import type { Json } from "../../json/mod.ts";
import type { Task } from "../nodes/mod.ts";

/** Exchanges that are put into a summary at once, and characters of each text. */
const MAX_EXCHANGES = 100;
const MAX_TEXT_CHARS = 4_000;
/** Facts that one turn can add. */
const MAX_NEW_FACTS = 10;

/**
 * `remember`: stores what a turn revealed about the user.
 *
 * From `{user_id?, text, facts: [{text, about?}]}` to `{facts}`, those that were kept. Without a user
 * nothing is. To keep a fact twice is to keep it once, so the step may run again.
 */
export function rememberTask(memory: Memory): Task {
  return {
    effect: "none",
    async run(input, _scope, { caller, id: run_id }) {
      const { user_id, text, facts } = fields(input);
      if (typeof user_id !== "string" || user_id === "") return { facts: [] };
      const kept: Json[] = [];
      for (const fact of items(facts).slice(0, MAX_NEW_FACTS).map(fields)) {
        if (typeof fact.text !== "string" || fact.text.trim() === "") continue;
        const about = typeof fact.about === "string" ? slug(fact.about) : "";
        const source = { run_id, ...(typeof text === "string" ? { text } : {}) };
        const known = await memory.remember(caller, user_id, {
          text: fact.text,
          source,
          ...(about ? { about } : {}),
        });
        kept.push({ id: known.id, text: known.text });
      }
      return { facts: kept };
    },
  };
}

/** `read_conversation`: the summary of `{conversation_id}` and what it lacks up to run `upto`. */
export function readConversationTask(conversations: Conversations): Task {
  return {
    effect: "none",
    async run(input, _scope, { caller }) {
      const { conversation_id, upto } = input as { conversation_id: string; upto: string };
      const summary = await conversations.summary(caller, conversation_id);
      const span = { after: summary?.upto, before: `${upto}\0`, limit: MAX_EXCHANGES };
      const found = await conversations.oldest(caller, conversation_id, span);
      return {
        summary: summary?.text ?? "",
        exchanges: found.map(({ user, assistant }) => ({
          user: user.slice(0, MAX_TEXT_CHARS),
          assistant: assistant.slice(0, MAX_TEXT_CHARS),
        })),
        upto: found.at(-1)?.run ?? null,
      };
    },
  };
}

/** `keep_summary`: keeps `{conversation_id, summary, upto}`, unless it is out of date. */
export function keepSummaryTask(conversations: Conversations): Task {
  return {
    effect: "none",
    async run(input, _scope, { caller }) {
      const { conversation_id, summary, upto } = fields(input);
      const isWhole = typeof conversation_id === "string" && typeof summary === "string" &&
        typeof upto === "string";
      if (!isWhole || summary.trim() === "") return { kept: false };
      const kept = await conversations.keepSummary(caller, conversation_id, {
        text: summary,
        upto,
      });
      return { kept };
    },
  };
}

function fields(value: Json | undefined): Record<string, Json | undefined> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function items(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function slug(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_+|_+$/g, "").slice(0, 60);
}
