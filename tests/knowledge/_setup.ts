/** What tests of documents share: a library over a fresh store, and an embedder without a model. */
import {
  createKnowledge,
  type Embedder,
  type KnowledgeOptions,
  type NewDocument,
} from "../../knowledge/mod.ts";
import { openStore } from "../../store/mod.ts";
import { LOCAL } from "../_caller.ts";

export const LIMITS = {
  max_documents: 100,
  max_passages: 1_000,
  max_indexed: 1_000,
  max_bytes: 1_000_000,
};
export const NEVER = new AbortController().signal;

const encoder = new TextEncoder();

/** A library in memory, or in `directory`. */
export async function library(
  options: Partial<KnowledgeOptions> & { directory?: string; worker?: string } = {},
) {
  const { directory = ":memory:", worker = "w1", ...rest } = options;
  const { store, close } = await openStore(directory, {
    worker,
    now: Date.now,
    sleep: () => Promise.resolve(),
    lease_ms: 15_000,
  });
  let ids = 0;
  const knowledge = createKnowledge({
    store,
    now: () => Date.parse("2026-01-02T03:04:05Z"),
    newId: () => `${worker}${String(++ids).padStart(6, "0")}`,
    limits: LIMITS,
    ...rest,
  });
  return {
    store,
    knowledge,
    /** Adds a Markdown document. */
    add: (text: string, more: Partial<NewDocument> = {}) =>
      knowledge.add(LOCAL, {
        bytes: encoder.encode(text),
        type: "text/markdown",
        ...more,
      }, NEVER),
    search: (query: string, more = {}) => knowledge.search(LOCAL, { query, ...more }, NEVER),
    /** Every key of the store that belongs to a document. */
    async keys(): Promise<string[]> {
      const found: string[] = [];
      for await (const { key } of store.kv.list({ prefix: [] })) {
        const [kind] = key;
        if (kind !== "meta" && kind !== "lease" && kind !== "collection") found.push(key.join("/"));
      }
      return found;
    },
    [Symbol.asyncDispose]: close,
  };
}

/** Topics by the words that are about them: texts on one topic have near vectors. */
const TOPICS: Record<string, string[]> = {
  animals: ["cat", "dog", "feline", "puppy", "pet"],
  money: ["bank", "invoice", "payment", "salary", "bill"],
  weather: ["rain", "storm", "sun", "umbrella", "wet"],
};

/** An embedder that knows three topics; `fail` makes it fail. */
export function topicEmbedder(model = "topics") {
  const state = { fail: undefined as Error | undefined, calls: 0 };
  const embedder: Embedder = {
    model,
    embed(texts) {
      state.calls++;
      if (state.fail) return Promise.reject(state.fail);
      return Promise.resolve(texts.map((text) => {
        const lower = text.toLowerCase();
        return [
          ...Object.values(TOPICS).map((words) =>
            words.filter((word) => lower.includes(word)).length
          ),
          0.01,
        ];
      }));
    },
  };
  return { embedder, state };
}
