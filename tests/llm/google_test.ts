import { expect } from "expect";
import { ask, expectError, KEY, providerOf, test, withProvider } from "./_setup.ts";

const google = providerOf("google");

test("google sends the whole request", () =>
  withProvider(google, [{ text: "ok" }], async (client, server) => {
    await ask(client, {
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi?" },
        {
          role: "assistant",
          content: "",
          tool_calls: [
            { id: "call_0.c2ln", name: "look", arguments: '{"for":"x"}' },
            { id: "call_1", name: "look", arguments: "{broken" },
          ],
        },
        { role: "tool", content: "found", tool_call_id: "call_0.c2ln", name: "look" },
      ],
      temperature: 0.2,
      max_output_tokens: 50,
      output: { name: "a", schema: { type: "object" } },
      tools: [{ name: "look", description: "Looks.", parameters: { type: "object" } }],
    });
    const [call] = server.calls;
    expect(call?.path).toBe("/v1/models/mock-1:streamGenerateContent?alt=sse");
    expect(call?.headers.get("x-goog-api-key")).toBe(KEY);
    expect(call?.body).toEqual({
      systemInstruction: { parts: [{ text: "Be brief." }], role: "user" },
      contents: [
        { role: "user", parts: [{ text: "Hi?" }] },
        {
          role: "model",
          parts: [
            { functionCall: { name: "look", args: { for: "x" } }, thoughtSignature: "c2ln" },
            { functionCall: { name: "look", args: {} } },
          ],
        },
        {
          role: "user",
          parts: [{ functionResponse: { name: "look", response: { output: "found" } } }],
        },
      ],
      generationConfig: {
        temperature: 0.2,
        maxOutputTokens: 50,
        responseMimeType: "application/json",
        responseJsonSchema: { type: "object" },
      },
      tools: [{
        functionDeclarations: [{
          name: "look",
          description: "Looks.",
          parametersJsonSchema: { type: "object" },
        }],
      }],
    });
  }));

test("google keeps the signature of a tool call in its id", () => {
  const tool_calls = [{ name: "look", arguments: '{"for":"größe"}' }];
  return withProvider(google, [{ text: "Hm.", tool_calls }], async (client) => {
    const { answer } = await ask(client);
    expect(answer.finish_reason).toBe("tool_calls");
    expect(answer.tool_calls).toEqual([
      { id: "call_0.c2lnbmF0dXJl0", name: "look", arguments: '{"for":"größe"}' },
    ]);
  });
});

test("google tells why the model stopped", () =>
  withProvider(
    google,
    [{ finish: "MAX_TOKENS" }, { finish: "SAFETY" }, { finish: "MALFORMED_FUNCTION_CALL" }],
    async (client) => {
      expect((await ask(client)).answer.finish_reason).toBe("length");
      await expectError(ask(client), "model_refused", "terminal");
      await expectError(ask(client), "model_bad_output", "terminal");
    },
  ));

test("google throws model_refused for a blocked prompt", () => {
  const error = { promptFeedback: { blockReason: "PROHIBITED_CONTENT" } };
  return withProvider(google, [{ fault: "error_event", error }], async (client) => {
    const refusal = await expectError(ask(client), "model_refused", "terminal");
    expect(refusal.message).toContain("PROHIBITED_CONTENT");
  });
});

test("google reads the reason of an invalid key and the delay of a spent quota", () => {
  const error = (code: number, status: string, detail: unknown) => ({
    status: code,
    error: { error: { code, status, message: "no", details: [detail] } },
  });
  return withProvider(
    google,
    [
      error(400, "INVALID_ARGUMENT", { reason: "API_KEY_INVALID" }),
      error(429, "RESOURCE_EXHAUSTED", { retryDelay: "12.5s" }),
    ],
    async (client) => {
      await expectError(ask(client), "model_auth", "terminal");
      const limited = await expectError(ask(client), "model_rate_limited", "retryable");
      expect(limited.retry_after_ms).toBe(12_500);
    },
  );
});
