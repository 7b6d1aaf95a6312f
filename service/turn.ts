/**
 * One turn of a conversation, the same for HTTP, SSE and WebSocket: a request becomes a run, its
 * events go to whoever listens, its end becomes the unified response.
 *
 * @module
 */
import { fromErrorJson } from "../errors.ts";
import type { Json, RunRecord, RunResult, StartRequest } from "../pipeline/kernel/mod.ts";
import type { ServiceDeps } from "./ports.ts";
import type { Caller } from "../guard/mod.ts";
import type { Sink } from "./replay.ts";
import { type ChatResponse, isResponseEvent, unifiedResponse } from "./response.ts";
import type { ChatRequest } from "./requests.ts";
import { startRequest } from "./start.ts";
import { createTranscript } from "./transcript.ts";

/** Optional parts of {@linkcode startTurn}. */
export interface TurnOptions {
  idempotency?: StartRequest["idempotency"];
  /** Gets every event of the run once and in order. */
  sink?: Sink;
}

/** A turn whose run is on disk. */
export interface Turn {
  run: RunRecord;
  replayed: boolean;
  /** Resolves when the run starts to wait for a person. */
  readonly waits: Promise<void>;
  /** The unified response, once the run has ended and the sink has got (or left) all events. */
  complete(): Promise<ChatResponse>;
}

type TurnDeps = Pick<ServiceDeps, "engine" | "catalog" | "conversations" | "newId">;

/**
 * Starts the run of a chat request.
 *
 * @throws `not_found` (no such pipeline), `validation_failed`, `forbidden` (a user or a conversation
 *   that is not the caller's), and what {@linkcode Engine.start} throws
 */
export async function startTurn(
  deps: TurnDeps,
  caller: Caller,
  request: ChatRequest,
  options: TurnOptions = {},
): Promise<Turn> {
  const { conversation_id, user_id, priority, budget, on_busy } = request;
  if (user_id !== undefined) caller.mustActFor(user_id);
  const { pipeline, input } = askedTurn(request);
  const { idempotency, sink } = options;
  const start = await startRequest(deps, caller, {
    pipeline,
    input,
    conversation_id,
    priority,
    budget,
    on_busy,
    idempotency,
  });
  const waits = Promise.withResolvers<void>();
  const transcript = createTranscript(isResponseEvent, { sink, onWaiting: waits.resolve });
  const started = await deps.engine.start(
    caller,
    { ...start, conversation_id: conversation_id ?? `conv_${deps.newId()}` },
    transcript.listener,
  );
  return {
    run: started.run,
    replayed: started.replayed,
    waits: waits.promise,
    async complete() {
      leaveIfStopping(await started.result);
      await transcript.catchUp(deps.engine, caller, started.run.id);
      return unifiedResponse(started.run, transcript.events);
    },
  };
}

/** @throws `shutting_down`: the run is on disk and resumes after the restart, so its answer is not here */
export function leaveIfStopping(result: RunResult): void {
  if (result.status === "failed" && result.error.code === "shutting_down") {
    throw fromErrorJson(result.error);
  }
}

/** Which pipeline a request runs with which input. */
export function askedTurn(request: ChatRequest): { pipeline: string; input: Json } {
  const pipeline = request.pipeline ?? (request.messages ? "compose" : "assistant");
  return { pipeline, input: turnInput(request) };
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
