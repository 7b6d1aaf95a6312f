/** A mock of Anthropic's messages, streamed, and its list of models. */
import { type MockServer, type Reply, type Script, sse, startServer, type Wire } from "./script.ts";

/** Starts the server; clients use `url` as their base URL. */
export function startAnthropic(script: Script): MockServer {
  return startServer(wire, script);
}

const event = (data: { type: string; [field: string]: unknown }) => sse(data, data.type);

const wire: Wire = {
  open: (call, reply) => [
    event({
      type: "message_start",
      message: {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model: call.body.model,
        content: [],
        stop_reason: null,
        usage: { input_tokens: reply.usage?.input ?? 10, output_tokens: 1 },
      },
    }),
    event({ type: "ping" }),
    event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  ],
  text: (text) =>
    event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }),
  call(at, { name, arguments: args }) {
    const index = at + 1;
    const content_block = { type: "tool_use", id: `toolu_${at}`, name, input: {} };
    return [
      event({ type: "content_block_start", index, content_block }),
      ...(args.match(/.{1,6}/gs) ?? []).map((partial_json) =>
        event({
          type: "content_block_delta",
          index,
          delta: { type: "input_json_delta", partial_json },
        })
      ),
      event({ type: "content_block_stop", index }),
    ];
  },
  finish: (reply) => [
    event({ type: "content_block_stop", index: 0 }),
    event({
      type: "message_delta",
      delta: { stop_reason: finishOf(reply), stop_sequence: null },
      usage: { output_tokens: reply.usage?.output ?? 5 },
    }),
    event({ type: "message_stop" }),
  ],
  error: (reply) =>
    sse(
      reply.error ?? { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
      "error",
    ),
  other: (call) =>
    call.method === "GET"
      ? Response.json({ data: [{ id: "mock-1", type: "model" }], has_more: false })
      : undefined,
};

function finishOf(reply: Reply): string {
  return reply.finish ?? (reply.tool_calls ? "tool_use" : "end_turn");
}
