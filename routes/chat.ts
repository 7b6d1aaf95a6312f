/**
 * `POST /v1/chat`: a turn of a conversation, answered with the unified response, with `202`, or with
 * a stream of events. The run is durable: it continues if the client disconnects.
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
import { callerOf } from "./identity.ts";
import { problemOf, problemResponse } from "./problem.ts";
import {
  type ChatRequest,
  chatRequest,
  type ChatResponse,
  lookUp,
  pendingApprovals,
  runLinks,
  startTurn,
  type Turn,
  type TurnOptions,
} from "../service/mod.ts";
import type { Sessions } from "./sessions.ts";
import { openSse, sseSink, type SseStream } from "./sse.ts";

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
    if (wantsStream(c, body)) return await streamTurn(c, deps, sessions, body, options);
    // Who sends a request twice on purpose, or does not wait, is after the run.
    const caller = callerOf(c);
    if (idempotency || c.req.raw.headers.has("prefer") || isUncached(c)) {
      return await answerTurn(c, deps, await startTurn(deps, caller, body, options));
    }
    const { prepared, response, keep } = await lookUp(deps, caller, body);
    if (response) return c.json(response);
    const catalog = { prepare: () => Promise.resolve(prepared) };
    const turn = await startTurn({ ...deps, catalog }, caller, body, options);
    return await answerTurn(c, deps, turn, keep);
  });
}

function wantsStream(c: C, body: ChatRequest): boolean {
  return body.stream ?? c.req.raw.headers.get("accept")?.includes("text/event-stream") ?? false;
}

/** `Cache-Control: no-cache` asks for a new answer. */
function isUncached(c: C): boolean {
  return /\bno-(?:cache|store)\b/i.test(c.req.raw.headers.get("cache-control") ?? "");
}

async function answerTurn(
  c: C,
  deps: AppDeps,
  turn: Turn,
  keep?: (turn: Turn, response: ChatResponse) => Promise<void>,
): Promise<Response> {
  if (turn.replayed) c.header("Idempotency-Replayed", "true");
  const prefer = readPrefer(c.req.raw.headers.get("prefer"));
  // A client that does not say how long it waits is not kept waiting for people.
  const over = () => {
    return prefer.wait === undefined
      ? Promise.race([turn.complete(), turn.waits])
      : turn.complete();
  };
  const response = await within(over, prefer);
  if (!response) return await accepted(c, deps, turn, prefer);
  if (response.status !== "completed") return notCompleted(c, response);
  void keep?.(turn, response).catch((error) => {
    deps.log.warn("caching a response failed", { run_id: turn.run.id, error });
  });
  return c.json(response);
}

async function accepted(c: C, deps: AppDeps, turn: Turn, prefer: Preference): Promise<Response> {
  const { id: run_id, conversation_id } = turn.run;
  const caller = callerOf(c);
  const at_once = prefer.respond_async && !prefer.wait;
  const run = (at_once ? null : await deps.engine.get(caller, run_id)) ?? turn.run;
  const approvals = at_once ? [] : await pendingApprovals(deps.approvals, caller, run);
  c.header("Location", `/v1/runs/${run_id}`);
  c.header("Preference-Applied", preferenceApplied(prefer));
  const links = runLinks(run_id);
  return c.json({ conversation_id, run_id, status: run.status, approvals, links }, 202);
}

function notCompleted(c: C, response: ChatResponse): Response {
  const error = response.error ? fromErrorJson(response.error) : new OrchestratorError(
    "run_cancelled",
    "Cannot answer: the run was cancelled. Send the request again to start a new one.",
  );
  const { run_id, conversation_id } = response;
  const ids = { run_id, ...(conversation_id === null ? {} : { conversation_id }) };
  return problemResponse(problemOf(error, c.env.request_id, ids));
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
    const turn = await startTurn(deps, callerOf(c), body, { ...options, sink: sseSink(stream) });
    if (turn.replayed) stream.response.headers.set("idempotency-replayed", "true");
    void finishStream(turn, stream).catch((error) => {
      const stopping = toOrchestratorError(error).code === "shutting_down";
      if (!stopping) deps.log.error("chat stream interrupted", { run_id: turn.run.id, error });
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
