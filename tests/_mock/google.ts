/** A mock of Gemini's streamGenerateContent and its list of models. */
import { type MockServer, type Script, sse, startServer, type Wire } from "./script.ts";

/** Starts the server; clients use `url` as their base URL. */
export function startGoogle(script: Script): MockServer {
  return startServer(wire, script);
}

const chunk = (part: unknown, rest: Record<string, unknown> = {}) =>
  sse({ candidates: [{ index: 0, content: { role: "model", parts: [part] }, ...rest }] });

const wire: Wire = {
  open: () => [],
  text: (text) => chunk({ text }),
  call: (index, { name, arguments: args }) => [
    chunk({
      functionCall: { name, args: JSON.parse(args) },
      thoughtSignature: `c2lnbmF0dXJl${index}`,
    }),
  ],
  finish: (reply) => [
    sse({
      candidates: [{
        index: 0,
        content: { role: "model", parts: [{ text: "" }] },
        finishReason: reply.finish ?? "STOP",
      }],
      usageMetadata: {
        promptTokenCount: reply.usage?.input ?? 10,
        candidatesTokenCount: reply.usage?.output ?? 5,
      },
    }),
  ],
  error: (reply) =>
    sse(
      reply.error ??
        { error: { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" } },
    ),
  other: (call) =>
    call.method === "GET" ? Response.json({ models: [{ name: "models/mock-1" }] }) : undefined,
};
