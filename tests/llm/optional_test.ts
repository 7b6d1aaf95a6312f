import { expect } from "expect";
import { createOpenaiModel } from "../../llm/mod.ts";
import type { MockCall, Reply } from "../_mock/script.ts";
import { ask, expectError, KEY, providerOf, test, withProvider } from "./_setup.ts";

const SCHEMA = {
  type: "object",
  properties: { answer: { type: "string" } },
  required: ["answer"],
  additionalProperties: false,
};
const OUTPUT = { name: "answer", schema: SCHEMA };

/** Refuses as a provider does while `holds` of the request's body; answers otherwise. */
function refusing(
  holds: (body: MockCall["body"]) => boolean,
  message: string,
  status = 400,
): (call: MockCall) => Reply {
  return ({ body }) =>
    holds(body) ? { status, error: { error: { message } } } : { json: { answer: "42" } };
}

const temperatures = [
  { name: "openai", message: "Unsupported value: 'temperature' does not support 0.2." },
  { name: "anthropic", message: "`temperature` is deprecated for this model." },
  { name: "google", message: 'Invalid JSON payload received. Unknown name "temperature".' },
];
for (const { name, message } of temperatures) {
  test(`${name} leaves a refused temperature out, asks again and remembers it for the model`, () => {
    const at = (body: MockCall["body"]) => (body.generationConfig ?? body).temperature;
    const script = refusing((body) => at(body) !== undefined, message);
    return withProvider(providerOf(name), script, async (client, server) => {
      for (const model of ["mock-1", "mock-1", "mock-2"]) {
        const { answer } = await ask(client, { model, temperature: 0.2 });
        expect(answer.text).toBe('{"answer":"42"}');
      }
      expect(server.calls.map(({ body }) => at(body))).toEqual([
        0.2,
        undefined,
        undefined,
        0.2,
        undefined,
      ]);
    });
  });
}

const outputs = [
  { name: "openai", key: "response_format", message: "This response_format is unavailable." },
  { name: "anthropic", key: "output_config", message: "output_config.format: Extra inputs." },
  { name: "google", key: "generationConfig", message: "response_mime_type: is not supported." },
];
for (const { name, key, message } of outputs) {
  test(`${name} asks for JSON in words where structured output is refused`, () => {
    const refused = (body: MockCall["body"]) =>
      (key === "generationConfig" ? body[key]?.responseMimeType : body[key]) !== undefined;
    const script = refusing(refused, message);
    return withProvider(providerOf(name), script, async (client, server) => {
      await ask(client, { output: OUTPUT });
      await ask(client, { output: OUTPUT });
      expect(server.calls.map(({ body }) => refused(body))).toEqual([true, false, false]);
      const system = JSON.stringify(server.calls.at(-1)?.body);
      expect(system).toContain("Be brief.");
      expect(system).toContain("Answer with one JSON value of this JSON Schema");
      expect(system).not.toContain('"role":"system","content":"Answer');
    });
  });
}

test("openai without a system message asks for JSON in one of its own", () => {
  const script = refusing((body) => body.response_format, "No response_format here.");
  return withProvider(providerOf("openai"), script, async (client, server) => {
    await ask(client, { output: OUTPUT, messages: [{ role: "user", content: "Hi?" }] });
    expect(server.calls.at(-1)?.body.messages).toMatchObject([
      { role: "system", content: expect.stringContaining("JSON Schema") },
      { role: "user", content: "Hi?" },
    ]);
  });
});

test("openai leaves out what a server refuses one after the other", () => {
  const script = ({ body }: MockCall): Reply => {
    const extra = ["stream_options", "temperature", "max_tokens"].find((name) => name in body);
    const detail = [{ type: "extra_forbidden", loc: ["body", extra] }];
    return extra ? { status: 422, error: { detail } } : { text: "ok" };
  };
  return withProvider(providerOf("openai"), script, async (client, server) => {
    await ask(client, { temperature: 0, max_output_tokens: 9, idempotency_key: "k" });
    expect(server.calls.length).toBe(4);
    expect(server.calls.at(-1)?.body).toEqual({
      model: "mock-1",
      messages: expect.any(Array),
      stream: true,
      max_completion_tokens: 9,
    });
    const keys = server.calls.map(({ headers }) => headers.get("idempotency-key"));
    expect(keys[0]).toBe("k");
    expect(new Set(keys).size).toBe(4);
  });
});

test("openai itself is asked again with the older name of the token limit", async () => {
  const bodies: Record<string, unknown>[] = [];
  const client = createOpenaiModel({
    apiKey: KEY,
    fetch(_input, init) {
      const body = JSON.parse(String(init?.body));
      bodies.push(body);
      const name = "max_tokens" in body ? "max_tokens" : "max_completion_tokens";
      const error = { message: `Unsupported parameter: '${name}'.` };
      return Promise.resolve(Response.json({ error }, { status: 400 }));
    },
  });
  await expectError(ask(client, { max_output_tokens: 9 }), "model_bad_request", "terminal");
  expect(bodies.map((body) => [body.max_completion_tokens, body.max_tokens])).toEqual([
    [9, undefined],
    [undefined, 9],
  ]);
});

test("openai remembers nothing while the request fails without the parameter as well", () => {
  let wrong = true;
  const script = ({ body }: MockCall): Reply => {
    if (wrong) return { status: 400, error: { detail: "messages; got temperature 0.2" } };
    return { text: String(body.temperature) };
  };
  return withProvider(providerOf("openai"), script, async (client, server) => {
    await expectError(ask(client, { temperature: 0.2 }), "model_bad_request", "terminal");
    expect(server.calls.length).toBe(2);
    wrong = false;
    expect((await ask(client, { temperature: 0.2 })).answer.text).toBe("0.2");
  });
});

test("openai does not ask again for a refusal of something else, or of what was not sent", () => {
  const replies = [
    { status: 400, error: { error: { message: "messages are too long" } } },
    { status: 400, error: { error: { message: "set a temperature" } } },
    { status: 403, error: { error: { message: "stream_options is not for you" } } },
  ];
  return withProvider(providerOf("openai"), replies, async (client, server) => {
    for (const _ of replies) await ask(client).catch(() => {});
    expect(server.calls.length).toBe(3);
  });
});
