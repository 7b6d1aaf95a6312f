/**
 * The conversation on one chat WebSocket: every message is a request, its events come back as
 * messages, and whatever goes wrong is a message too. Runs are durable: closing the socket ends the
 * watching, not the run.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import type { Json, RunListener, RunRecord } from "../pipeline/kernel/mod.ts";
import { validate } from "./body.ts";
import type { AppDeps } from "./deps.ts";
import type { Caller } from "../guard/mod.ts";
import { parseJson } from "./json.ts";
import { problemOfThrown } from "./problem.ts";
import {
  chatRequest,
  type ChatResponse,
  ID,
  replayAndFollow,
  type Sink,
  startTurn,
  unifiedResponse,
} from "../service/mod.ts";
import { type ControlMessage, controlMessage, envelope } from "./ws_messages.ts";
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
export interface Peer {
  caller: Caller;
  /** Id of the request that opened the socket; errors name it. */
  request_id: string;
}

/** What an answer is about. */
interface About {
  /** As the client named its message. */
  id?: string;
  run_id?: string;
}

/** Talks to one client over `socket`. */
export function createChatSession(deps: AppDeps, socket: Sender, peer: Peer): ChatSession {
  const { engine, settings } = deps;
  const { caller, request_id } = peer;
  const outbox = createOutbox(socket);
  const watching = new AbortController();
  const place = { request_id, method: "WS", path: "/v1/chat/stream" };
  const flood = createFloodGate(deps.now);
  let in_flight = 0;

  const sinkFor = ({ id }: About): Sink => {
    const listener: RunListener = id === undefined ? outbox.event : (event, json) => {
      outbox.event({ ...event, id }, `${json.slice(0, -1)},"id":${JSON.stringify(id)}}`);
    };
    return { signal: watching.signal, listener, room: outbox.room };
  };

  const answer = async (message: Json, about: About) => {
    const { id: _id, type, ...body } = validate(envelope, message);
    if (type !== "chat") return await control(validate(controlMessage, { type, ...body }), about);
    const request = validate(chatRequest, body as Json);
    const turn = await startTurn(deps, caller, request, { sink: sinkFor(about) });
    about.run_id = turn.run.id;
    complete(await turn.complete(), about);
  };

  const control = async (message: ControlMessage, about: About) => {
    const { id } = about;
    if (message.type === "ping") return outbox.message({ type: "pong", id });
    const { run_id } = message;
    about.run_id = run_id;
    if (message.type === "resume") return await resume(run_id, message.after, about);
    await engine.cancel(caller, run_id, message.reason);
    outbox.message({ type: "cancel.accepted", run_id, id });
  };

  const resume = async (run_id: string, after: number, about: About) => {
    const run = await find(run_id);
    await replayAndFollow(engine, caller, run_id, after, sinkFor(about));
    if (watching.signal.aborted) return;
    complete(unifiedResponse(run, await engine.journal(caller, run_id)), about);
  };

  const complete = (response: ChatResponse, { id }: About) =>
    outbox.message({ type: "complete", ...response, id });

  const find = async (id: string): Promise<RunRecord> => {
    const run = await engine.get(caller, id);
    if (run !== null) return run;
    throw new OrchestratorError(
      "not_found",
      `No run has the ID ${JSON.stringify(id)}.`,
    );
  };

  const handle = async (text: string) => {
    const about: About = {};
    in_flight++;
    try {
      const message = parseJson(text);
      about.id = idOf(message);
      if (in_flight > MAX_IN_FLIGHT) throw tooMany();
      await answer(message, about);
    } catch (thrown) {
      const { id, run_id } = about;
      const error = { ...problemOfThrown(thrown, place, deps.log), run_id };
      outbox.message({ type: "error", error, id });
    } finally {
      in_flight--;
    }
  };

  return {
    receive(data) {
      if (typeof data !== "string") return outbox.close(1003, "only text messages are supported");
      if (flood()) return outbox.close(1008, "too many messages: at most 100 a second");
      if (isLonger(data, settings.max_message_bytes)) {
        return outbox.close(1009, `a message may have at most ${settings.max_message_bytes} bytes`);
      }
      // A failure here is one of sending: `handle` answers every other one.
      handle(data).catch((error) => deps.log.warn("answering a message failed", { error }));
    },
    shutDown: () => outbox.close(1001, "the server is stopping: reconnect and resume"),
    closed: () => watching.abort(),
  };
}

/** The client's own name for a message, also for one that is wrong otherwise. */
function idOf(message: Json): string | undefined {
  if (typeof message !== "object" || message === null || Array.isArray(message)) return undefined;
  return typeof message.id === "string" && ID.test(message.id) ? message.id : undefined;
}

function tooMany(): OrchestratorError {
  return new OrchestratorError(
    "overloaded",
    `Cannot accept the request: ${MAX_IN_FLIGHT} requests of this socket are in progress. Wait for one to end.`,
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
