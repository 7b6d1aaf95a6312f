/** A mock of OpenAI's chat completions, streamed and not, and its list of models. */
import {
  type MockCall,
  type MockServer,
  type Reply,
  type Script,
  sse,
  startServer,
  textOf,
  type Wire,
} from "./script.ts";

/** Starts the server; clients use `${url}/v1` as their base URL. */
export function startOpenai(script: Script): MockServer {
  return startServer(wire, script);
}

const chunk = (delta: unknown, finish_reason: string | null = null) =>
  sse({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 0,
    model: "mock",
    choices: [{ index: 0, delta, finish_reason }],
  });

const finishOf = (reply: Reply) => reply.finish ?? (reply.tool_calls ? "tool_calls" : "stop");

const usageOf = (reply: Reply) => {
  const { input, output } = reply.usage ?? { input: 10, output: 5 };
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
};

const wire: Wire = {
  open: () => [chunk({ role: "assistant", content: "" })],
  text: (content) => chunk({ content }),
  call: (index, { name, arguments: args }) => [
    chunk({
      tool_calls: [{
        index,
        id: `call_${index}`,
        type: "function",
        function: { name, arguments: "" },
      }],
    }),
    ...args.match(/.{1,6}/gs)?.map((piece) =>
      chunk({ tool_calls: [{ index, function: { arguments: piece } }] })
    ) ?? [],
  ],
  finish: (reply) => [
    chunk({}, finishOf(reply)),
    sse({ id: "chatcmpl-1", object: "chat.completion.chunk", choices: [], usage: usageOf(reply) }),
    "data: [DONE]\n\n",
  ],
  error: (reply) =>
    sse(reply.error ?? { error: { message: "overloaded", type: "server_error", code: null } }),
  other(call, reply) {
    if (call.method === "GET") {
      return Response.json({ object: "list", data: [{ id: "mock-1", object: "model" }] });
    }
    return call.body.stream ? undefined : completion(call, reply());
  },
};

function completion(call: MockCall, reply: Reply): Response {
  const tool_calls = reply.tool_calls?.map((tool, index) => ({
    id: `call_${index}`,
    type: "function",
    function: tool,
  }));
  return Response.json({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 0,
    model: call.body.model,
    choices: [{
      index: 0,
      message: { role: "assistant", content: textOf(reply), tool_calls },
      finish_reason: finishOf(reply),
    }],
    usage: usageOf(reply),
  });
}
