/**
 * The conversation on one chat WebSocket: every message is a request, its events come back as
 * messages, and whatever goes wrong is a message too. Runs are durable: closing the socket ends the
 * watching, not the run.
 *
 * @module
 */
import { isLonger } from "../bytes.ts";
import { OrchestratorError } from "../errors.ts";
import type { Json, RunListener } from "../pipeline/kernel/mod.ts";
import { parseJson, validate } from "./body.ts";
import type { AppDeps } from "./deps.ts";
import type { Caller } from "../guard/mod.ts";
import { problemOfThrown } from "./problem.ts";
import {
  chatRequest,
  type ChatResponse,
  findRun,
  ID,
  replayAndFollow,
  type Sink,
  startTurn,
  unifiedResponse,
} from "../service/mod.ts";
import { type ControlMessage, controlMessage, envelope } from "./ws_messages.ts";
import { createOutbox, type Outbox, type Sender } from "./ws_outbox.ts";

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
  return new SocketSession(deps, createOutbox(socket), peer);
}

class SocketSession implements ChatSession {
  private readonly watching = new AbortController();
  private readonly flood: () => boolean;
  private in_flight = 0;

  constructor(
    private readonly deps: AppDeps,
    private readonly outbox: Outbox,
    private readonly peer: Peer,
  ) {
    this.flood = createFloodGate(deps.now);
  }

  receive(data: unknown): void {
    const { outbox, deps: { settings: { max_message_bytes }, log } } = this;
    if (typeof data !== "string") return outbox.close(1003, "only text messages are supported");
    if (this.flood()) return outbox.close(1008, "too many messages: at most 100 a second");
    if (isLonger(data, max_message_bytes)) {
      return outbox.close(1009, `a message may have at most ${max_message_bytes} bytes`);
    }
    // A failure here is one of sending: `handle` answers every other one.
    this.handle(data).catch((error) => log.warn("answering a message failed", { error }));
  }

  shutDown(): void {
    this.outbox.close(1001, "the server is stopping: reconnect and resume");
  }

  closed(): void {
    this.watching.abort();
  }

  private async handle(text: string): Promise<void> {
    const about: About = {};
    this.in_flight++;
    try {
      const message = parseJson(text);
      about.id = idOf(message);
      if (this.in_flight > MAX_IN_FLIGHT) throw tooMany();
      await this.answer(message, about);
    } catch (thrown) {
      const { id, run_id } = about;
      const place = { request_id: this.peer.request_id, method: "WS", path: "/v1/chat/stream" };
      const error = { ...problemOfThrown(thrown, place, this.deps.log), run_id };
      this.outbox.message({ type: "error", error, id });
    } finally {
      this.in_flight--;
    }
  }

  private async answer(message: Json, about: About): Promise<void> {
    const { id: _id, type, ...body } = validate(envelope, message);
    if (type !== "chat") {
      return await this.control(validate(controlMessage, { type, ...body }), about);
    }
    const request = validate(chatRequest, body as Json);
    const sink = this.sinkFor(about);
    const turn = await startTurn(this.deps, this.peer.caller, request, { sink });
    about.run_id = turn.run.id;
    this.complete(await turn.complete(), about);
  }

  private async control(message: ControlMessage, about: About): Promise<void> {
    const { id } = about;
    if (message.type === "ping") return this.outbox.message({ type: "pong", id });
    const { run_id } = message;
    about.run_id = run_id;
    if (message.type === "resume") return await this.resume(run_id, message.after, about);
    await this.deps.engine.cancel(this.peer.caller, run_id, message.reason);
    this.outbox.message({ type: "cancel.accepted", run_id, id });
  }

  private async resume(run_id: string, after: number, about: About): Promise<void> {
    const { deps: { engine }, peer: { caller } } = this;
    const run = await findRun(engine, caller, run_id);
    await replayAndFollow(engine, caller, run_id, after, this.sinkFor(about));
    if (this.watching.signal.aborted) return;
    this.complete(unifiedResponse(run, await engine.journal(caller, run_id)), about);
  }

  private complete(response: ChatResponse, { id }: About): void {
    this.outbox.message({ type: "complete", ...response, id });
  }

  /** Where the events of a run go to: with the client's name for its message, if it has one. */
  private sinkFor({ id }: About): Sink {
    const { outbox } = this;
    const listener: RunListener = id === undefined
      ? (event, json) => outbox.event(event, json)
      : (event, json) =>
        outbox.event({ ...event, id }, `${json.slice(0, -1)},"id":${JSON.stringify(id)}}`);
    return { signal: this.watching.signal, listener, room: () => outbox.room() };
  }
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
