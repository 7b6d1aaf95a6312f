/**
 * One turn of a conversation, the same for HTTP, SSE and WebSocket: a request becomes a run, its
 * events go to whoever listens, its end becomes the unified response.
 *
 * @module
 */
import { fromErrorJson } from "../errors.ts";
import { isTerminal, type JournalEvent, type Json } from "../pipeline/kernel/events.ts";
import type { Engine, RunListener, RunRecord, RunResult } from "../pipeline/kernel/runs.ts";
import { validationFailed } from "./body.ts";
import type { AppDeps, CatalogPort } from "./deps.ts";
import { replayAndFollow, type Sink } from "./replay.ts";
import { type ChatResponse, isResponseEvent, unifiedResponse } from "./response.ts";
import type { ChatRequest } from "./schemas.ts";

/** Optional parts of {@linkcode startTurn}. */
export interface TurnOptions {
  idempotency?: { key: string; fingerprint: string };
  /** Gets every event of the run once and in order. */
  sink?: Sink;
}

/** A turn whose run is on disk. */
export interface Turn {
  run: RunRecord;
  replayed: boolean;
  /** The unified response, once the run has ended and the sink has got (or left) all events. */
  complete(): Promise<ChatResponse>;
}

type TurnDeps = Pick<AppDeps, "engine" | "catalog" | "newId">;

/**
 * Starts the run of a chat request.
 *
 * @throws `not_found` (no such pipeline), `validation_failed`, and what {@linkcode Engine.start} throws
 */
export async function startTurn(
  deps: TurnDeps,
  tenant: string,
  request: ChatRequest,
  options: TurnOptions = {},
): Promise<Turn> {
  const pipeline = request.pipeline ?? (request.messages ? "compose" : "assistant");
  const { version } = await deps.catalog.resolve(pipeline);
  const input = turnInput(request);
  await checkInput(deps.catalog, pipeline, input);
  const transcript = createTranscript(options.sink);
  const started = await deps.engine.start({
    tenant,
    pipeline,
    version,
    input,
    conversation_id: request.conversation_id ?? deps.newId("conv"),
    ...(options.idempotency ? { idempotency: options.idempotency } : {}),
  }, transcript.listener);
  return {
    run: started.run,
    replayed: started.replayed,
    async complete() {
      leaveIfStopping(await started.result);
      await transcript.catchUp(deps.engine, started.run);
      return unifiedResponse(started.run, transcript.events);
    },
  };
}

/** @throws `shutting_down`: the run is on disk and goes on after the restart, its answer is not here */
export function leaveIfStopping(result: RunResult): void {
  if (result.status === "failed" && result.error.code === "shutting_down") {
    throw fromErrorJson(result.error);
  }
}

/** @throws `validation_failed` when the pipeline does not take this input */
export async function checkInput(catalog: CatalogPort, name: string, input: Json): Promise<void> {
  const issues = await catalog.validateInput(name, input);
  if (issues.length > 0) throw validationFailed(issues);
}

function turnInput(request: ChatRequest): Json {
  const { context, documents, user_id, metadata, prompt } = request;
  const messages = request.messages ?? [{ role: "user" as const, content: prompt! }];
  return {
    messages: messages as unknown as Json,
    ...(context ? { context: context as Json } : {}),
    ...(documents ? { documents: documents as Json } : {}),
    ...(user_id ? { user_id } : {}),
    ...(metadata ? { metadata: metadata as Json } : {}),
  };
}

/** For turns that nobody watches. */
const NOWHERE: Sink = {
  signal: new AbortController().signal,
  listener: () => {},
  room: () => Promise.resolve(),
};

/** Passes events on, each once, and keeps those that responses are made of. */
export interface Transcript {
  readonly events: JournalEvent[];
  readonly listener: RunListener;
  /** A replayed run ended before anybody listened: its events come from the journal. */
  catchUp(engine: Engine, run: RunRecord): Promise<void>;
}

/** Starts a transcript; give its listener to the engine. */
export function createTranscript(sink: Sink = NOWHERE): Transcript {
  const events: JournalEvent[] = [];
  let last_seq = 0;
  let ended = false;
  const listener: RunListener = (event, json) => {
    if ("seq" in event) {
      if (event.seq <= last_seq) return;
      last_seq = event.seq;
      ended = isTerminal(event);
      if (isResponseEvent(event)) events.push(event);
    }
    sink.listener(event, json);
  };
  return {
    events,
    listener,
    async catchUp(engine, run) {
      if (!ended) await replayAndFollow(engine, run, last_seq, { ...sink, listener });
    },
  };
}
