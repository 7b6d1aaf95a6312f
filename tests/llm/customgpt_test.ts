import { expect } from "expect";
import { startCustomgpt } from "../_mock/customgpt.ts";
import { ask, expectError, KEY, providerOf, test, withProvider } from "./_setup.ts";

const customgpt = providerOf("customgpt");

test("customgpt asks the agent's project in a new conversation and resolves citations", () =>
  withProvider(customgpt, [{ text: "ok" }], async (client, server) => {
    const { answer } = await ask(client);
    expect(server.calls.map((call) => `${call.method} ${call.path}`)).toEqual([
      "POST /api/v1/projects/42/conversations",
      "POST /api/v1/projects/42/conversations/session-1/messages?stream=true",
      "GET /api/v1/projects/42/citations/7",
      "GET /api/v1/projects/42/citations/8",
    ]);
    const message = server.calls[1];
    expect(message?.headers.get("authorization")).toBe(`Bearer ${KEY}`);
    expect(message?.body).toEqual({ prompt: "Hi?", custom_persona: "Be brief." });
    expect(answer.model).toBe("customgpt/42");
    // The one that cannot be read is left out.
    expect(answer.citations).toEqual([{ title: "A source", url: "https://example.com/a" }]);
  }));

test("customgpt tells several turns as a dialogue and asks for the output's schema", () =>
  withProvider(customgpt, [{ text: "{}" }], async (client, server) => {
    await ask(client, {
      messages: [
        { role: "user", content: "Hi?" },
        { role: "assistant", content: "Hello." },
        { role: "user", content: "So?" },
      ],
      output: { name: "a", schema: { type: "object" } },
    });
    const body = server.calls[1]?.body;
    expect(body.prompt).toBe("user: Hi?\n\nassistant: Hello.\n\nuser: So?");
    expect(body.custom_persona).toContain('{"type":"object"}');
  }));

test("customgpt names the agent that has no project, and the variables", () =>
  withProvider(customgpt, [{}], async (client, server) => {
    const agent = { name: "poet", capabilities: [] };
    const error = await expectError(ask(client, { agent }), "model_not_found", "terminal");
    expect(error.message).toContain('"poet"');
    expect(error.message).toContain("RESEARCH_AGENT_PROJECT_ID");
    await expectError(ask(client, { agent: undefined }), "model_not_found", "terminal");
    expect(server.calls).toEqual([]);
  }));

test("customgpt throws retryable model_unavailable when a conversation has no session", () =>
  withProvider(
    { ...customgpt, start: (script) => startCustomgpt(script, null) },
    [{ text: "ok" }],
    async (client) => {
      const error = await expectError(ask(client), "model_unavailable", "retryable");
      expect(error.message).toContain("session_id");
    },
  ));
