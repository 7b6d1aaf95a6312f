import { expect } from "expect";
import { createOpenaiModel } from "../../llm/mod.ts";
import { ask, expectError, KEY, providerOf, test, withProvider } from "./_setup.ts";

const openai = providerOf("openai");
const STRICT = {
  type: "object",
  properties: { answer: { type: "string" } },
  required: ["answer"],
  additionalProperties: false,
};

test("openai sends the whole request", () =>
  withProvider(openai, [{ text: "ok" }], async (client, server) => {
    await ask(client, {
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi?" },
        {
          role: "assistant",
          content: "",
          tool_calls: [{ id: "c1", name: "look", arguments: "{}" }],
        },
        { role: "tool", content: "found", tool_call_id: "c1", name: "look" },
        { role: "assistant", content: "Well," },
      ],
      temperature: 0.2,
      max_output_tokens: 50,
      idempotency_key: "run-1/step",
      tools: [{ name: "look", description: "Looks.", parameters: { type: "object" } }],
    });
    const [call] = server.calls;
    expect(call?.path).toBe("/v1/chat/completions");
    expect(call?.headers.get("authorization")).toBe(`Bearer ${KEY}`);
    expect(call?.headers.get("idempotency-key")).toBe("run-1/step");
    expect(call?.body).toEqual({
      model: "mock-1",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi?" },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c1", type: "function", function: { name: "look", arguments: "{}" } }],
        },
        { role: "tool", content: "found", tool_call_id: "c1" },
        { role: "assistant", content: "Well," },
      ],
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.2,
      max_tokens: 50,
      tools: [{
        type: "function",
        function: { name: "look", description: "Looks.", parameters: { type: "object" } },
      }],
    });
  }));

test("openai itself gets the newer name of the token limit and needs no base URL", async () => {
  let body: Record<string, unknown> = {};
  let url = "";
  const client = createOpenaiModel({
    apiKey: KEY,
    fetch: (input, init) => {
      url = String(input);
      body = JSON.parse(String(init?.body));
      return Promise.resolve(new Response(null, { status: 500 }));
    },
  });
  await expectError(ask(client, { max_output_tokens: 9 }), "model_unavailable", "retryable");
  expect(url).toBe("https://api.openai.com/v1/chat/completions");
  expect([body.max_completion_tokens, body.max_tokens]).toEqual([9, undefined]);
});

test("openai asks for structured output, strictly where the schema allows", () =>
  withProvider(openai, [{ json: { answer: "42" } }], async (client, server) => {
    const { answer } = await ask(client, { output: { name: "the answer!", schema: STRICT } });
    expect(JSON.parse(answer.text)).toEqual({ answer: "42" });
    await ask(client, { output: { name: "", schema: { type: "object" } } });
    expect(server.calls.map((call) => call.body.response_format)).toEqual([
      {
        type: "json_schema",
        json_schema: { name: "the_answer_", schema: STRICT, strict: true },
      },
      {
        type: "json_schema",
        json_schema: { name: "output", schema: { type: "object" }, strict: false },
      },
    ]);
  }));

test("openai collects tool calls from their pieces", () => {
  const tool_calls = [
    { name: "look", arguments: '{"for":"größe"}' },
    { name: "stop", arguments: "" },
  ];
  return withProvider(openai, [{ text: "Hm.", tool_calls }], async (client) => {
    const { answer } = await ask(client);
    expect(answer.finish_reason).toBe("tool_calls");
    expect(answer.tool_calls).toEqual([
      { id: "call_0", name: "look", arguments: '{"for":"größe"}' },
      { id: "call_1", name: "stop", arguments: "{}" },
    ]);
  });
});

test("openai tells why the model stopped", () => {
  const reasons = ["length", "function_call", "something_new"];
  return withProvider(openai, reasons.map((finish) => ({ text: "a", finish })), async (client) => {
    const finished: string[] = [];
    for (const _ of reasons) finished.push((await ask(client)).answer.finish_reason);
    expect(finished).toEqual(["length", "tool_calls", "stop"]);
  });
});

test("openai throws model_refused for filtered content and refusals", () =>
  withProvider(
    openai,
    [
      { text: "a", finish: "content_filter" },
      { status: 400, error: { error: { code: "content_filter", message: "filtered" } } },
    ],
    async (client) => {
      await expectError(ask(client), "model_refused", "terminal");
      await expectError(ask(client), "model_refused", "terminal");
      const events = [
        { choices: [{ index: 0, delta: { refusal: "I can't." } }] },
        { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
      ];
      const refusing = createOpenaiModel({ fetch: () => Promise.resolve(streamed(events)) });
      const error = await expectError(ask(refusing), "model_refused", "terminal");
      expect(error.message).toContain("I can't.");
    },
  ));

test("openai takes exhausted quota for terminal, before and inside the stream", () => {
  const error = { error: { code: "insufficient_quota", message: "You exceeded your quota." } };
  return withProvider(
    openai,
    [
      { status: 429, error, headers: { "retry-after": "9" } },
      { fault: "error_event", error },
    ],
    async (client) => {
      for (let i = 0; i < 2; i++) {
        const failure = await expectError(ask(client), "model_rate_limited", "terminal");
        expect(failure.message).toContain("You exceeded your quota");
        expect(failure.message).toContain("billing");
        expect(failure.retry_after_ms).toBeUndefined();
      }
    },
  );
});

test("openai judges error events by their code", () => {
  const event = (error: unknown) => ({ fault: "error_event" as const, error: { error } });
  return withProvider(
    openai,
    [
      event({ code: "rate_limit_exceeded", message: "slow down" }),
      event({ type: "invalid_request_error", message: "no" }),
      event({ code: 503, message: "later" }),
      event("something broke"),
    ],
    async (client) => {
      await expectError(ask(client), "model_rate_limited", "retryable");
      await expectError(ask(client), "model_bad_request", "terminal");
      await expectError(ask(client), "model_unavailable", "retryable");
      const error = await expectError(ask(client), "model_unavailable", "retryable");
      expect(error.message).toContain("something broke");
    },
  );
});

test("openai takes a server's stream without usage and without the final marker", async () => {
  const events = [
    { choices: [{ index: 0, delta: { content: "hello" }, finish_reason: "stop" }] },
  ];
  const client = createOpenaiModel({
    provider: "openai-compatible",
    fetch: () => Promise.resolve(streamed(events)),
  });
  const { answer } = await ask(client);
  expect(answer.text).toBe("hello");
  expect(answer.model).toBe("openai-compatible/mock-1");
  expect(answer.usage).toEqual({ input_tokens: 0, output_tokens: 0, cost_usd: 0 });
});

test("openai takes a whole answer where a stream was asked for as unavailable", async () => {
  for (const body of [JSON.stringify({ choices: [{ message: { content: "hi" } }] }), null]) {
    const client = createOpenaiModel({ fetch: () => Promise.resolve(new Response(body)) });
    await expectError(ask(client), "model_unavailable", "retryable");
  }
});

function streamed(events: unknown[]): Response {
  const body = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
