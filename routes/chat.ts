/**
 * `POST /v1/chat`: a turn of a conversation, answered with the unified response, with `202`, or with
 * a stream of events. The run is durable: it goes on when the client goes away.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { fromErrorJson, OrchestratorError, toOrchestratorError } from "../errors.ts";
import { readBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import {
  type Preference,
  preferenceApplied,
  readIdempotencyKey,
  readPrefer,
  within,
} from "./headers.ts";
import { tenantOf } from "./identity.ts";
import { problemOf, problemResponse } from "./problem.ts";
import type { ChatResponse } from "./response.ts";
import { type ChatRequest, chatRequest } from "./schemas.ts";
import type { Sessions } from "./sessions.ts";
import { openSse, sseSink, type SseStream } from "./sse.ts";
import { startTurn, type Turn, type TurnOptions } from "./turn.ts";

type C = Context<AppEnv>;

/** The chat endpoint. */
export function chatRoutes(deps: AppDeps, sessions: Sessions): Hono<AppEnv> {
  return new Hono<AppEnv>().post("/v1/chat", async (c) => {
    const { max_body_bytes } = deps.settings;
    const body = await readBody(c, { schema: chatRequest, max_bytes: max_body_bytes });
    const idempotency = readIdempotencyKey(c.req.raw.headers.get("idempotency-key"), {
      method: "POST",
      path: "/v1/chat",
      body,
    });
    const options = { ...(idempotency ? { idempotency } : {}) };
    return wantsStream(c, body)
      ? await streamTurn(c, deps, sessions, body, options)
      : await answerTurn(c, await startTurn(deps, tenantOf(c), body, options));
  });
}

function wantsStream(c: C, body: ChatRequest): boolean {
  return body.stream ?? c.req.raw.headers.get("accept")?.includes("text/event-stream") ?? false;
}

async function answerTurn(c: C, turn: Turn): Promise<Response> {
  if (turn.replayed) c.header("Idempotency-Replayed", "true");
  const prefer = readPrefer(c.req.raw.headers.get("prefer"));
  const response = await within(() => turn.complete(), prefer);
  if (response === undefined) return accepted(c, turn, prefer);
  return response.status === "completed" ? c.json(response) : notCompleted(c, response);
}

function accepted(c: C, { run }: Turn, prefer: Preference): Response {
  c.header("Location", `/v1/runs/${run.id}`);
  c.header("Preference-Applied", preferenceApplied(prefer));
  const { id: run_id, conversation_id, status } = run;
  return c.json({ conversation_id, run_id, status }, 202);
}

function notCompleted(c: C, response: ChatResponse): Response {
  const error = response.error ? fromErrorJson(response.error) : new OrchestratorError(
    "run_cancelled",
    "Cannot answer: the run was cancelled. Send the request again to start a new one.",
  );
  const { run_id, conversation_id } = response;
  const ids = { run_id, ...(conversation_id === null ? {} : { conversation_id }) };
  return problemResponse(problemOf(error, c.get("request_id"), ids));
}

async function streamTurn(
  c: C,
  deps: AppDeps,
  sessions: Sessions,
  body: ChatRequest,
  options: TurnOptions,
): Promise<Response> {
  const stream = openSse(sessions);
  try {
    const turn = await startTurn(deps, tenantOf(c), body, { ...options, sink: sseSink(stream) });
    if (turn.replayed) stream.response.headers.set("idempotency-replayed", "true");
    void finishStream(turn, stream).catch((error) => {
      const stopping = toOrchestratorError(error).code === "shutting_down";
      if (!stopping) deps.log.error("chat stream broke off", { run_id: turn.run.id, error });
      stream.end();
    });
    return stream.response;
  } catch (error) {
    stream.end();
    throw error;
  }
}

async function finishStream(turn: Turn, stream: SseStream): Promise<void> {
  const response = await turn.complete();
  stream.send("complete", JSON.stringify({ type: "complete", ...response }));
  stream.end();
}
