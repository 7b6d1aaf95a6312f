/**
 * `GET /v1/chat/stream`: the WebSocket of chat.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { OrchestratorError } from "../errors.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { callerOf } from "./identity.ts";
import { problemOf, problemResponse } from "./problem.ts";
import type { Sessions } from "./sessions.ts";
import { createChatSession } from "./ws_session.ts";

/** The chat WebSocket. */
export function chatSocketRoutes(deps: AppDeps, sessions: Sessions): Hono<AppEnv> {
  return new Hono<AppEnv>().get("/v1/chat/stream", (c) => {
    if (c.req.raw.headers.get("upgrade")?.toLowerCase() !== "websocket") return upgradeRequired(c);
    // Before the upgrade: afterwards the request's headers cannot be read any more.
    const peer = { caller: callerOf(c), request_id: c.env.request_id };
    const { socket, response } = upgrade(c.req.raw);
    const session = createChatSession(deps, socket, peer);
    const leave = sessions.add({ close: () => session.shutDown() });
    socket.onmessage = ({ data }) => session.receive(data);
    // A socket that breaks gets an error event and then a close event.
    socket.onclose = () => {
      leave();
      session.closed();
    };
    return response;
  });
}

/** @throws `invalid_request` when the handshake is not one */
function upgrade(request: Request): Deno.WebSocketUpgrade {
  try {
    return Deno.upgradeWebSocket(request);
  } catch (cause) {
    throw new OrchestratorError(
      "invalid_request",
      "Cannot open a WebSocket: the request is not a WebSocket handshake (RFC 6455).",
      { cause },
    );
  }
}

function upgradeRequired(c: Context<AppEnv>): Response {
  const error = new OrchestratorError(
    "upgrade_required",
    "Cannot answer with HTTP: this address only supports WebSocket. For HTTP, POST to /v1/chat.",
  );
  const response = problemResponse(problemOf(error, c.env.request_id));
  response.headers.set("upgrade", "websocket");
  return response;
}
