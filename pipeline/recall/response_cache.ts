/**
 * Answers that are given again: the whole response of a turn, for requests that would come to the same
 * one. Off unless a time to live is configured or the pipeline names one.
 *
 * 1. A response is known by a hash of everything it depends on: who asks, the pipeline's version, the
 *    input, what the conversation and the memory hold, the documents, the installed pipelines and
 *    tools, the models.
 * 2. Only responses of runs that did nothing outside are kept: every step in their journal, and in
 *    those of runs within them, says of itself that it only reads.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Caller } from "../../guard/mod.ts";
import { canonicalJson, type Json } from "../../json/mod.ts";
import type { Conversations, Memory } from "../../knowledge/mod.ts";
import { keys, type Store } from "../../store/mod.ts";
import type { NodeCache } from "../walk/mod.ts";
import { type Engine, isChildSignal, type JournalEvent } from "../kernel/mod.ts";
import type { Tools } from "../calls/mod.ts";

/** What a response depends on. */
export interface ResponseQuestion {
  pipeline: string;
  version: string;
  input: Json;
  conversation_id?: string;
  user_id?: string;
}

/** The cache of responses. */
export interface ResponseCache {
  /** How long responses of a pipeline are kept, in milliseconds; 0: not at all. */
  ttl(own_seconds?: number): number;
  hash(caller: Caller, question: ResponseQuestion): Promise<string>;
  get(caller: Caller, hash: string): Promise<Json | undefined>;
  /** Keeps a response, unless its run did something outside. @returns whether it did */
  keep(
    caller: Caller,
    run: string,
    hash: string,
    response: Json,
    ttl: number,
  ): Promise<boolean>;
  /** Adds the exchange of a turn that was answered from here to its conversation. */
  remember(
    caller: Caller,
    turn: {
      conversation_id: string;
      user_id?: string;
      user: string;
      assistant: string;
      answered_by: string;
    },
  ): Promise<void>;
}

/** What the cache needs. */
export interface ResponseCacheDeps {
  store: Pick<Store, "commit" | "kv">;
  cache: NodeCache;
  conversations: Pick<Conversations, "head" | "summary" | "exchangeMutation">;
  memory: Pick<Memory, "list">;
  engine: Pick<Engine, "journal">;
  tools: Pick<Tools, "describe">;
  /** Versions of the installed pipelines, by name. */
  pipelines(caller: Caller): Promise<Json>;
  /** Which models answer. */
  models: Json;
  /** For pipelines that say nothing, in milliseconds. */
  ttl_ms: number;
  newId(): string;
}

/** Larger responses are not kept. */
const MAX_CHARS = 1_000_000;
/** Runs within runs that are looked at. */
const MAX_RUNS = 50;

/** Makes the cache of responses. */
export function createResponseCache(deps: ResponseCacheDeps): ResponseCache {
  const { store, cache, conversations, memory, engine, tools } = deps;
  const documents = async (tenant: string) => {
    const stamps: string[] = [];
    for await (const { versionstamp } of store.kv.list({ prefix: keys.collections(tenant) })) {
      stamps.push(versionstamp);
    }
    return stamps;
  };
  return {
    ttl: (own) => own === undefined ? deps.ttl_ms : own * 1_000,
    async hash(caller, { conversation_id, user_id, ...question }) {
      const { tenant, actor } = caller;
      const [head, summary, facts, stamps, pipelines, offered] = await Promise.all([
        conversation_id === undefined ? null : conversations.head(caller, conversation_id),
        conversation_id === undefined ? null : conversations.summary(caller, conversation_id),
        user_id === undefined ? [] : memory.list(caller, user_id),
        documents(tenant),
        deps.pipelines(caller),
        tools.describe(caller, ["*"]),
      ]);
      const said = head ? [conversation_id, head.last_run, summary?.upto ?? null] : null;
      const known = facts.map(({ id, text }) => [id, text]);
      const all = [
        tenant,
        { actor, ...question },
        said,
        known,
        stamps,
        pipelines,
        offered,
        deps.models,
      ];
      return createHash("sha256").update(canonicalJson(all)).digest("hex");
    },
    get: (caller, hash) => cache.get(caller, hash),
    async keep(caller, run, hash, response, ttl) {
      if (JSON.stringify(response).length > MAX_CHARS) return false;
      if (!await onlyReads(engine, caller, [run])) return false;
      return await store.commit(cache.put(caller, hash, response, cache.now() + ttl)) !== null;
    },
    async remember(caller, { conversation_id, user_id, user, assistant, answered_by }) {
      const before = await conversations.head(caller, conversation_id);
      const at = new Date(cache.now()).toISOString();
      const owner = before ? before.owner : user_id ?? caller.actor;
      const exchange = {
        user,
        assistant,
        at,
        answered_by,
        ...(owner === undefined ? {} : { owner }),
      };
      const run = `run_${deps.newId()}`;
      const mutations = conversations.exchangeMutation(
        caller,
        conversation_id,
        run,
        exchange,
        before?.last_run,
      );
      await store.commit({ checks: [], mutations });
    },
  };
}

/** True when no step of the runs, and of those within them, may have changed something. */
async function onlyReads(
  engine: Pick<Engine, "journal">,
  caller: Caller,
  runs: string[],
): Promise<boolean> {
  for (let at = 0; at < runs.length; at++) {
    if (at >= MAX_RUNS) return false;
    for (const event of await engine.journal(caller, runs[at]!)) {
      if (event.type === "step.started" && event.child !== undefined) runs.push(event.child);
      else if (!onlyReadsIn(event)) return false;
    }
  }
  return true;
}

/**
 * Steps without an effect have no `step.started`. Journals of earlier versions mark no step, so
 * what they led to is not kept.
 */
function onlyReadsIn(event: JournalEvent): boolean {
  switch (event.type) {
    case "step.started":
      return event.reusable === true;
    case "signal.received":
      return isChildSignal(event.name);
    default:
      return true;
  }
}
