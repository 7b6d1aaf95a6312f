/** A mock of CustomGPT's projects, conversations, streamed messages and citations. */
import {
  type MockCall,
  type MockServer,
  type Script,
  sse,
  startServer,
  type Wire,
} from "./script.ts";

/**
 * Starts the server; clients use `${url}/api/v1` as their base URL. Citation 7 exists, 8 does not.
 *
 * @param session id of new conversations; `null`: the reply lacks it
 */
export function startCustomgpt(script: Script, session: string | null = "session-1"): MockServer {
  return startServer({ ...wire, other: (call) => other(call, session) }, script);
}

const event = (data: { status: string; [field: string]: unknown }) => sse(data, data.status);

const wire: Wire = {
  open: () => [event({ status: "start" })],
  text: (message) => event({ status: "progress", message }),
  call: () => [],
  finish: () => [event({ status: "finish", citations: [7, 8] })],
  error: () => event({ status: "error", message: "something went wrong" }),
  other: () => undefined,
};

function other(call: MockCall, session_id: string | null): Response | undefined {
  const citation = /\/citations\/(\d+)$/.exec(call.path)?.[1];
  if (citation === "8") return Response.json({ status: "error" }, { status: 404 });
  if (citation) {
    return success({ id: Number(citation), title: "A source", url: "https://example.com/a" });
  }
  if (call.method === "GET") return success({ data: [{ id: 42, project_name: "Mock" }] });
  return call.path.endsWith("/conversations") ? success({ id: 1, session_id }) : undefined;
}

function success(data: unknown): Response {
  return Response.json({ status: "success", data });
}
