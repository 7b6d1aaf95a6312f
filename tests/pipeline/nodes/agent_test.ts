import { expect } from "expect";
import type { ModelRequest } from "../../../llm/model.ts";
import { parseProfile } from "../../../pipeline/agent/profile.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import { agent, type AgentEnv } from "../../../pipeline/nodes/agent.ts";
import { FakeContext, RUN } from "../_fake_context.ts";
import { NO_TOOLS } from "../_fake_tools.ts";

const PROFILE = parseProfile("---\nprompt: greet\nhistory: 5\n---\nBe kind.\n", "host");

function environment(requests: ModelRequest[]): AgentEnv {
  return {
    agents: { host: PROFILE },
    prompts: { greet: "Greet {{ name }}{{ first }}" },
    model_retry: {},
    models: {
      provider: "fake",
      generate(request) {
        requests.push(request);
        return Promise.resolve({
          text: "hello",
          tool_calls: [],
          finish_reason: "stop",
          usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
          model: "fake",
        });
      },
      models: () => Promise.resolve([]),
    },
    ...NO_TOOLS,
  };
}

async function run(node: object, input: Json) {
  const requests: ModelRequest[] = [];
  const ctx = new FakeContext();
  const compiled = agent.compile({ agent: "host", ...node }, environment(requests));
  const output = await compiled.run(ctx, "a#2", {
    input,
    nodes: { first: "!" },
    run: { id: RUN.id, pipeline: RUN.pipeline, created_at: RUN.created_at },
  });
  return { output, ctx, request: requests[0]! };
}

Deno.test("agent runs its profile with its `with` and the run's conversation", async () => {
  const messages = [
    { role: "user", content: "hi" },
    { role: "system", content: "ignored" },
    { role: "assistant", content: "yes?" },
    { role: "user", content: "greet Ada" },
    { role: "user", content: 5 },
    null,
  ];
  const { output, ctx, request } = await run({ with: { name: "${ input.name }" } }, {
    name: "Ada",
    messages,
  });
  expect(output).toBe("hello");
  expect(ctx.ran).toEqual(["a#2/llm#1"]);
  expect(request.input).toEqual({ name: "Ada" });
  expect(request.messages).toEqual([
    { role: "system", content: "Be kind." },
    { role: "user", content: "hi" },
    { role: "assistant", content: "yes?" },
    { role: "user", content: "Greet Ada" },
  ]);
});

Deno.test("agent without `with` gets the run's input and the outputs so far", async () => {
  const { request } = await run({ timeout_seconds: 3 }, { name: "Bo" });
  expect(request.messages.at(-1)!.content).toBe("Greet Bo!");
});

Deno.test("agent without `with` is asked the user's last message, unless the input asks something", async () => {
  const messages = [
    { role: "user", content: "first" },
    { role: "assistant", content: "yes?" },
    { role: "user", content: "last" },
  ];
  const input = async (node: object, input: Json) => (await run(node, input)).request.input;
  expect(await input({}, { messages })).toEqual({ ask: "last", messages, first: "!" });
  expect(await input({}, { messages, ask: "mine" })).toMatchObject({ ask: "mine" });
  expect(await input({}, { name: "Bo" })).toEqual({ name: "Bo", first: "!" });
  expect(await input({ with: { name: "Bo" } }, { messages })).toEqual({ name: "Bo" });
});

Deno.test("agent hands its node's limits to its model calls", async () => {
  const { ctx } = await run({ timeout_seconds: 3, retry: { max_attempts: 2 } }, null);
  expect(ctx.steps[0]!.options).toEqual({
    kind: "model",
    reusable: true,
    timeout_ms: 3_000,
    retry: { max_attempts: 2 },
    usage: expect.any(Function),
    spent: expect.any(Function),
  });
  const { input_tokens } = ctx.steps[0]!.options.usage!({ usage: { input_tokens: 5 } });
  expect(input_tokens).toBe(5);
});

Deno.test("agent that does not exist fails when the program is made", () => {
  expect(() => agent.compile({ agent: "hots" }, environment([]))).toThrow('did you mean "host"');
});
