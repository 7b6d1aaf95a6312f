import { expect } from "expect";
import { ask, expectError, KEY, providerOf, test, withProvider } from "./_setup.ts";

const anthropic = providerOf("anthropic");

test("anthropic sends the whole request", () =>
  withProvider(anthropic, [{ text: "ok" }], async (client, server) => {
    await ask(client, {
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi?" },
        {
          role: "assistant",
          content: "Let me see.",
          tool_calls: [
            { id: "t1", name: "look", arguments: '{"for":"x"}' },
            { id: "t2", name: "look", arguments: "{broken" },
          ],
        },
        { role: "tool", content: "found", tool_call_id: "t1", name: "look" },
        { role: "tool", content: "arguments were not JSON", tool_call_id: "t2", name: "look" },
      ],
      temperature: 0.2,
      max_output_tokens: 50,
      tools: [{ name: "look", description: "Looks.", parameters: { properties: {} } }],
    });
    const [call] = server.calls;
    expect(call?.path).toBe("/v1/messages");
    expect(call?.headers.get("authorization")).toBe(`Bearer ${KEY}`);
    expect(call?.body).toEqual({
      model: "mock-1",
      max_tokens: 50,
      system: "Be brief.",
      messages: [
        { role: "user", content: [{ type: "text", text: "Hi?" }] },
        {
          role: "assistant",
          content: [
            { type: "text", text: "Let me see." },
            { type: "tool_use", id: "t1", name: "look", input: { for: "x" } },
            { type: "tool_use", id: "t2", name: "look", input: {} },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "t1", content: "found" },
            { type: "tool_result", tool_use_id: "t2", content: "arguments were not JSON" },
          ],
        },
      ],
      stream: true,
      temperature: 0.2,
      tools: [{
        name: "look",
        description: "Looks.",
        input_schema: { type: "object", properties: {} },
      }],
    });
  }));

test("anthropic uses native structured output, or asks where the schema is open", () =>
  withProvider(anthropic, [{ json: { answer: "42" } }], async (client, server) => {
    const closed = { type: "object", properties: { answer: { type: "string", minLength: 1 } } };
    const open = { type: "object", additionalProperties: { type: "string" } };
    const { answer } = await ask(client, { output: { name: "a", schema: closed } });
    expect(JSON.parse(answer.text)).toEqual({ answer: "42" });
    await ask(client, { output: { name: "a", schema: open } });
    const [first, second] = server.calls.map((call) => call.body);
    expect(first.output_config.format).toMatchObject({
      type: "json_schema",
      schema: { type: "object", additionalProperties: false },
    });
    expect(second.output_config).toBeUndefined();
    expect(second.system).toContain(JSON.stringify(open));
    expect(second.max_tokens).toBeGreaterThan(1000);
  }));

test("anthropic collects tool calls from their pieces", () => {
  const tool_calls = [{ name: "look", arguments: '{"for":"größe"}' }];
  return withProvider(anthropic, [{ text: "Hm.", tool_calls }], async (client) => {
    const { answer } = await ask(client);
    expect(answer.finish_reason).toBe("tool_calls");
    expect(answer.tool_calls).toEqual([
      { id: "toolu_0", name: "look", arguments: '{"for":"größe"}' },
    ]);
  });
});

test("anthropic tells why the model stopped", () => {
  const reasons = ["max_tokens", "model_context_window_exceeded", "stop_sequence", "pause_turn"];
  return withProvider(anthropic, reasons.map((finish) => ({ finish })), async (client) => {
    const finished: string[] = [];
    for (const _ of reasons) finished.push((await ask(client)).answer.finish_reason);
    expect(finished).toEqual(["length", "length", "stop", "stop"]);
  });
});

test("anthropic throws model_refused for a refusal", () =>
  withProvider(anthropic, [{ text: "a", finish: "refusal" }], async (client) => {
    await expectError(ask(client), "model_refused", "terminal");
  }));

test("anthropic judges error events by their type", () => {
  const event = (type: string) => ({
    fault: "error_event" as const,
    error: { type: "error", error: { type, message: "no" } },
  });
  return withProvider(
    anthropic,
    [event("rate_limit_error"), event("billing_error"), event("invalid_request_error")],
    async (client) => {
      await expectError(ask(client), "model_rate_limited", "retryable");
      await expectError(ask(client), "model_rate_limited", "terminal");
      await expectError(ask(client), "model_bad_request", "terminal");
    },
  );
});
