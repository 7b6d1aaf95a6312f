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
import type { Caller } from "../guard/mod.ts";
import { canonicalJson, type Json } from "../json/mod.ts";
import type { Conversations, Memory } from "../knowledge/mod.ts";
import type { Tools } from "../pipeline/calls/mod.ts";
import { type Engine, isChildSignal, type JournalEvent } from "../pipeline/kernel/mod.ts";
import { questionText } from "../pipeline/recall/mod.ts";
import type { NodeCache } from "../pipeline/walk/mod.ts";
import { keys, type Store } from "../store/mod.ts";
import { NO_USAGE } from "../telemetry/mod.ts";
import type { Prepared, ServiceDeps } from "./ports.ts";
import type { ChatRequest } from "./requests.ts";
import type { ChatResponse } from "./response.ts";
import { askedTurn, type Turn } from "./turn.ts";

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
  remember(caller: Caller, turn: AnsweredTurn): Promise<void>;
}

/** A turn that was answered from the cache. */
export interface AnsweredTurn {
  conversation_id: string;
  user_id?: string;
  user: string;
  assistant: string;
  /** The run whose answer it was. */
  answered_by: string;
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
  return new StoredResponses(deps);
}

class StoredResponses implements ResponseCache {
  constructor(private readonly deps: ResponseCacheDeps) {}

  ttl(own_seconds?: number): number {
    return own_seconds === undefined ? this.deps.ttl_ms : own_seconds * 1_000;
  }

  async hash(caller: Caller, question: ResponseQuestion): Promise<string> {
    const { tenant, actor } = caller;
    const { conversation_id, user_id, ...asked } = question;
    const { deps } = this;
    const [said, known, stamps, installed, offered] = await Promise.all([
      this.saidIn(caller, conversation_id),
      this.knownOf(caller, user_id),
      this.documentsOf(tenant),
      deps.pipelines(caller),
      deps.tools.describe(caller, ["*"]),
    ]);
    const all = [tenant, { actor, ...asked }, said, known, stamps, installed, offered, deps.models];
    return createHash("sha256").update(canonicalJson(all)).digest("hex");
  }

  get(caller: Caller, hash: string): Promise<Json | undefined> {
    return this.deps.cache.get(caller, hash);
  }

  async keep(
    caller: Caller,
    run: string,
    hash: string,
    response: Json,
    ttl: number,
  ): Promise<boolean> {
    const { store, cache, engine } = this.deps;
    if (JSON.stringify(response).length > MAX_CHARS) return false;
    if (!await onlyReads(engine, caller, [run])) return false;
    return await store.commit(cache.put(caller, hash, response, cache.now() + ttl)) !== null;
  }

  async remember(caller: Caller, turn: AnsweredTurn): Promise<void> {
    const { store, cache, conversations } = this.deps;
    const { conversation_id, user_id, ...said } = turn;
    const before = await conversations.head(caller, conversation_id);
    const owner = before ? before.owner : user_id ?? caller.actor;
    const at = new Date(cache.now()).toISOString();
    const mutations = conversations.exchangeMutation(
      caller,
      conversation_id,
      `run_${this.deps.newId()}`,
      { ...said, at, ...(owner === undefined ? {} : { owner }) },
      before?.last_run,
    );
    await store.commit({ checks: [], mutations });
  }

  /** Where a conversation stands: its last turn, and what of it is in its summary. */
  private async saidIn(caller: Caller, id?: string): Promise<Json> {
    if (id === undefined) return null;
    const { conversations } = this.deps;
    const [head, summary] = await Promise.all([
      conversations.head(caller, id),
      conversations.summary(caller, id),
    ]);
    return head ? [id, head.last_run, summary?.upto ?? null] : null;
  }

  private async knownOf(caller: Caller, user_id?: string): Promise<Json> {
    const facts = user_id === undefined ? [] : await this.deps.memory.list(caller, user_id);
    return facts.map(({ id, text }) => [id, text]);
  }

  private async documentsOf(tenant: string): Promise<string[]> {
    const stamps: string[] = [];
    const collections = this.deps.store.kv.list({ prefix: keys.collections(tenant) });
    for await (const { versionstamp } of collections) stamps.push(versionstamp);
    return stamps;
  }
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

/** What a look-up comes to. */
export interface LookUp {
  /** How the pipeline is started, which was found out on the way. */
  prepared: Prepared;
  /** The answer, when there is one. */
  response?: ChatResponse;
  /** Keeps the answer to come, when it may be kept. */
  keep?(turn: Turn, response: ChatResponse): Promise<void>;
}

/** Looks for the response of a request. @throws as the pipeline's preparation */
export async function lookUp(
  { catalog, responses, newId }: Pick<ServiceDeps, "catalog" | "newId"> & {
    responses: ResponseCache;
  },
  caller: Caller,
  request: ChatRequest,
): Promise<LookUp> {
  const { pipeline, input } = askedTurn(request);
  const prepared = await catalog.prepare(caller, pipeline, input);
  const { version, cache_seconds } = prepared;
  const ttl = responses.ttl(cache_seconds);
  if (ttl <= 0) return { prepared };
  const { conversation_id, user_id } = request;
  const question = { pipeline, version, input, conversation_id, user_id };
  const hash = await responses.hash(caller, question);
  const found = await responses.get(caller, hash) as ChatResponse | undefined;
  if (!found) {
    return {
      prepared,
      async keep({ run }, response) {
        await responses.keep(caller, run.id, hash, response as unknown as Json, ttl);
      },
    };
  }
  const conversation = conversation_id ?? `conv_${newId()}`;
  await responses.remember(caller, {
    conversation_id: conversation,
    user_id,
    user: questionText(input),
    assistant: found.message?.content ?? "",
    answered_by: found.run_id,
  });
  const metadata = { ...found.metadata, cache: "hit" };
  return {
    prepared,
    response: { ...found, conversation_id: conversation, usage: NO_USAGE, metadata },
  };
}
