/**
 * The conversation on one chat WebSocket: every message is a request, its events come back as
 * messages, and whatever goes wrong is a message too. Runs are durable: closing the socket ends the
 * watching, not the run.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import type { Json } from "../pipeline/kernel/events.ts";
import type { RunRecord } from "../pipeline/kernel/runs.ts";
import { validate } from "./body.ts";
import type { AppDeps } from "./deps.ts";
import type { Caller } from "./identity.ts";
import { parseJson } from "./json.ts";
import { problemOfThrown } from "./problem.ts";
import { replayAndFollow } from "./replay.ts";
import { type ChatResponse, unifiedResponse } from "./response.ts";
import { chatRequest, type ControlMessage, controlMessage } from "./schemas.ts";
import { startTurn } from "./turn.ts";
import { createOutbox, type Sender } from "./ws_outbox.ts";

/** Requests that one socket may have under way. */
const MAX_IN_FLIGHT = 20;
/** Messages that one socket may send in a second. */
const MAX_MESSAGES_PER_SECOND = 100;

/** What the socket's owner tells the session. */
export interface ChatSession {
  /** A message arrived. Never throws. */
  receive(data: unknown): void;
  /** The server stops. */
  shutDown(): void;
  /** The socket is closed. */
  closed(): void;
}

/** Who is at the other end. */
export interface Peer extends Caller {
  /** Id of the request that opened the socket; errors name it. */
  request_id: string;
}

/** Talks to one client over `socket`. */
export function createChatSession(deps: AppDeps, socket: Sender, peer: Peer): ChatSession {
  const { engine, settings } = deps;
  const { tenant, request_id } = peer;
  const outbox = createOutbox(socket);
  const watching = new AbortController();
  const sink = { signal: watching.signal, listener: outbox.event, room: outbox.room };
  const place = { request_id, method: "WS", path: "/v1/chat/stream" };
  const flood = createFloodGate(deps.now);
  let in_flight = 0;

  const answer = async (message: Json) => {
    const { type = "chat", ...body } = isObject(message) ? message : {};
    if (type !== "chat") return await control(validate(controlMessage, message));
    const request = validate(chatRequest, isObject(message) ? body : message);
    const turn = await startTurn(deps, peer, request, { sink });
    complete(await turn.complete());
  };

  const control = async (message: ControlMessage) => {
    switch (message.type) {
      case "ping":
        return outbox.message({ type: "pong" });
      case "cancel":
        await engine.cancel(tenant, message.run_id, message.reason);
        return outbox.message({ type: "cancel.accepted", run_id: message.run_id });
      case "resume":
        return await resume(message.run_id, message.after);
    }
  };

  const resume = async (run_id: string, after: number) => {
    const run = await find(run_id);
    await replayAndFollow(engine, run, after, sink);
    if (watching.signal.aborted) return;
    complete(unifiedResponse(run, await engine.journal(tenant, run_id)));
  };

  const complete = (response: ChatResponse) => outbox.message({ type: "complete", ...response });

  const find = async (id: string): Promise<RunRecord> => {
    const run = await engine.get(tenant, id);
    if (run !== null) return run;
    throw new OrchestratorError(
      "not_found",
      `Cannot resume the run ${JSON.stringify(id)}: there is none with this id.`,
    );
  };

  const handle = async (text: string) => {
    try {
      if (in_flight++ >= MAX_IN_FLIGHT) throw tooMany();
      await answer(parseJson(text));
    } catch (error) {
      outbox.message({ type: "error", error: problemOfThrown(error, place, deps.log) });
    } finally {
      in_flight--;
    }
  };

  return {
    receive(data) {
      if (typeof data !== "string") return outbox.close(1003, "only text messages are understood");
      if (flood()) return outbox.close(1008, "too many messages: at most 100 a second");
      if (isLonger(data, settings.max_message_bytes)) {
        return outbox.close(1009, `messages may have ${settings.max_message_bytes} bytes`);
      }
      void handle(data);
    },
    shutDown: () => outbox.close(1001, "the server stops: reconnect and resume"),
    closed: () => watching.abort(),
  };
}

function isObject(value: Json): value is { [key: string]: Json | undefined } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function tooMany(): OrchestratorError {
  return new OrchestratorError(
    "overloaded",
    `Cannot take the request: ${MAX_IN_FLIGHT} of this socket are under way. Wait for one to end.`,
  );
}

/** True when this call is one too many in its second. */
function createFloodGate(now: () => number): () => boolean {
  let second = NaN;
  let count = 0;
  return () => {
    const current = Math.floor(now() / 1000);
    if (current !== second) count = 0;
    second = current;
    return ++count > MAX_MESSAGES_PER_SECOND;
  };
}

/** In bytes of UTF-8; counts them only when the number of characters leaves it open. */
function isLonger(text: string, max_bytes: number): boolean {
  if (text.length > max_bytes) return true;
  return text.length * 3 > max_bytes && new TextEncoder().encode(text).length > max_bytes;
}
