import { expect } from "expect";
import { OrchestratorError } from "../../../errors.ts";
import type {
  GenerateOptions,
  ModelAnswer,
  ModelClient,
  ModelRequest,
  ToolCall,
} from "../../../llm/model.ts";
import {
  type AgentCall,
  type AgentProfile,
  createAgent,
  runAgent,
} from "../../../pipeline/agent/mod.ts";
import type { EventBody, Json } from "../../../pipeline/kernel/events.ts";
import type { Tools } from "../../../pipeline/calls/tool_call.ts";
import { FakeContext, RUN } from "../_fake_context.ts";
import { FakeTools, NO_TOOLS } from "../_fake_tools.ts";

type Script = (request: ModelRequest, options: GenerateOptions) => Partial<ModelAnswer>;

/** A model that answers by a script, one entry a call, and keeps what it was asked. */
class ScriptedModel implements ModelClient {
  readonly provider = "scripted";
  readonly requests: ModelRequest[] = [];

  constructor(private readonly script: (Partial<ModelAnswer> | Script)[]) {}

  generate(request: ModelRequest, options: GenerateOptions): Promise<ModelAnswer> {
    this.requests.push(structuredClone(request));
    const entry = this.script[this.requests.length - 1];
    if (!entry) return Promise.reject(new Error("the script is over"));
    const answer = typeof entry === "function" ? entry(request, options) : entry;
    return Promise.resolve({
      text: "",
      tool_calls: [],
      finish_reason: "stop",
      usage: { input_tokens: 10, output_tokens: 1, cost_usd: 0.5 },
      model: "scripted/one",
      ...answer,
    });
  }

  models(): Promise<string[]> {
    return Promise.resolve([]);
  }
}

const echo = () => new FakeTools((args) => Promise.resolve({ found: args }));

function profile(fields: Partial<AgentProfile> = {}): AgentProfile {
  return {
    name: "planner",
    description: "",
    capabilities: ["plan"],
    tools: [],
    history: 2,
    max_turns: 10,
    timeout_seconds: 120,
    system: "You plan for {{ ask }}.",
    system_line: 1,
    ...fields,
  };
}

function call(fields: Partial<AgentProfile> = {}, more: Partial<AgentCall> = {}): AgentCall {
  return {
    key: "plan",
    agent: createAgent(profile(fields), "Plan {{ ask }} with {{ research | json }}."),
    input: { ask: "tea", research: ["leaves"] },
    messages: [{ role: "user", content: "tea" }],
    ...more,
  };
}

function toolCall(id: string, name: string, args = "{}"): ToolCall {
  return { id, name, arguments: args };
}

async function run(
  script: (Partial<ModelAnswer> | Script)[],
  what: AgentCall = call(),
  tools: Tools = echo(),
  ctx = new FakeContext(),
) {
  const models = new ScriptedModel(script);
  const model_retry = { max_attempts: 4, interval_ms: 100 };
  const output = await runAgent(ctx, what, { models, model_retry, ...NO_TOOLS, tools })
    .catch((error) => ({ error }));
  return { output, ctx, requests: models.requests };
}

function ofType(ctx: FakeContext, type: string): EventBody[] {
  return ctx.events.filter((event) => event.type === type);
}

Deno.test("runAgent() asks with the rendered profile and prompt and gives the text", async () => {
  const { output, requests } = await run([{ text: "1. boil" }], call({ model: "openai/x" }));
  expect(output).toBe("1. boil");
  expect(requests).toEqual([{
    model: "openai/x",
    agent: { name: "planner", capabilities: ["plan"] },
    input: { ask: "tea", research: ["leaves"] },
    messages: [
      { role: "system", content: "You plan for tea." },
      { role: "user", content: 'Plan tea with ["leaves"].' },
    ],
    idempotency_key: "run_1/plan/llm#1",
  }]);
});

Deno.test("runAgent() makes no call that a budget in US dollars cannot count", async () => {
  const ctx = new FakeContext([], { budget: { cost_usd: 1 } });
  const models = Object.assign(new ScriptedModel([{ text: "done" }]), {
    unpriced: (model?: string) => model === "local/x" ? ["local/x"] : [],
  });
  const deps = { models, model_retry: {}, ...NO_TOOLS, tools: echo() };
  await expect(runAgent(ctx, call({ model: "local/x" }), deps)).rejects.toMatchObject({
    code: "model_unpriced",
    details: { models: ["local/x"] },
  });
  expect(models.requests).toEqual([]);
  const priced = new FakeContext([], { budget: { cost_usd: 1 } });
  expect(await runAgent(priced, call({ model: "openai/x" }), deps)).toBe("done");
});

Deno.test("runAgent() passes on limits, temperature and deltas", async () => {
  const { ctx, requests } = await run(
    [(_request, { onDelta, onReset }) => {
      onDelta?.("1.");
      onReset?.();
      onDelta?.("1. boil");
      return { text: "1. boil" };
    }],
    call({ temperature: 0, max_output_tokens: 9, timeout_seconds: 7 }),
  );
  expect(requests[0]).toMatchObject({ temperature: 0, max_output_tokens: 9 });
  expect(ctx.steps[0]!.options).toEqual({
    kind: "model",
    reusable: true,
    timeout_ms: 7_000,
    retry: { max_attempts: 4, interval_ms: 100 },
    usage: expect.any(Function),
    spent: expect.any(Function),
  });
  expect(ctx.deltas).toEqual([["plan/llm#1", "1."], ["plan/llm#1", null], [
    "plan/llm#1",
    "1. boil",
  ]]);
});

Deno.test("runAgent() lets the node's limits win field by field", async () => {
  const { ctx } = await run(
    [{ text: "x" }],
    call({}, { retry: { max_attempts: 1 }, timeout_ms: 50 }),
  );
  expect(ctx.steps[0]!.options).toEqual({
    kind: "model",
    reusable: true,
    timeout_ms: 50,
    retry: { max_attempts: 1, interval_ms: 100 },
    usage: expect.any(Function),
    spent: expect.any(Function),
  });
  const retry = [{ errors: ["model_timeout"], max_attempts: 1 }, { interval_ms: 5 }];
  const { ctx: several } = await run([{ text: "x" }], call({}, { retry }));
  expect(several.steps[0]!.options.retry).toEqual([
    { errors: ["model_timeout"], max_attempts: 1, interval_ms: 100 },
    { max_attempts: 4, interval_ms: 5 },
  ]);
});

Deno.test("runAgent() shows the last messages before the current one", async () => {
  const messages = ["a", "b", "c", "d", "now"].map((content, index) => ({
    role: index % 2 === 0 ? "user" as const : "assistant" as const,
    content,
  }));
  const { requests } = await run([{ text: "x" }], call({ history: 3, system: "" }, { messages }));
  expect(requests[0]!.messages.map(({ content }) => content)).toEqual([
    "b",
    "c",
    "d",
    'Plan tea with ["leaves"].',
  ]);
  const none = await run([{ text: "x" }], call({ history: 0, system: "" }, { messages }));
  expect(none.requests[0]!.messages).toHaveLength(1);
});

Deno.test("runAgent() sends the input itself when the agent has no prompt", async () => {
  const ask = async (input: Json) => {
    const agent = createAgent(profile({ system: "" }));
    return (await run([{ text: "x" }], call({}, { agent, input }))).requests[0]!.messages;
  };
  expect(await ask("hello")).toEqual([{ role: "user", content: "hello" }]);
  expect(await ask({ a: 1 })).toEqual([{ role: "user", content: '{\n  "a": 1\n}' }]);
});

Deno.test("runAgent() reports what it did and used", async () => {
  const { ctx } = await run(
    [{ tool_calls: [toolCall("c1", "search")] }, { text: "done", model: "scripted/two" }],
    call({ tools: ["search"] }),
  );
  expect(ctx.events.map(({ type }) => type)).toEqual([
    "agent.started",
    "tool.called",
    "tool.returned",
    "agent.completed",
  ]);
  expect(ctx.events.at(-1)).toEqual({
    type: "agent.completed",
    step: "plan",
    agent: "planner",
    output: "done",
    usage: { input_tokens: 20, output_tokens: 2, cost_usd: 1 },
    model: "scripted/two",
    duration_ms: expect.any(Number),
    attempts: 1,
  });
});

Deno.test("runAgent() runs the tools of one turn together and answers them in order", async () => {
  const gate = Promise.withResolvers<void>();
  const tools = new FakeTools(async (args) => {
    const { q } = args as { q: string };
    if (q === "first") await gate.promise;
    else gate.resolve();
    return q === "second" ? `text of ${q}` : { q };
  });
  const { ctx, requests } = await run(
    [{
      text: "let me look",
      tool_calls: [
        toolCall("c1", "search", '{"q":"first"}'),
        toolCall("c2", "search", '{"q":"second"}'),
      ],
    }, { text: "done" }],
    call({ tools: ["search", "gone"] }),
    tools,
  );
  expect(tools.calls).toEqual([
    ["search", { q: "first" }, "run_1/plan/tool#1"],
    ["search", { q: "second" }, "run_1/plan/tool#2"],
  ]);
  expect(requests[1]!.messages.slice(2)).toEqual([
    {
      role: "assistant",
      content: "let me look",
      tool_calls: [
        toolCall("c1", "search", '{"q":"first"}'),
        toolCall("c2", "search", '{"q":"second"}'),
      ],
    },
    { role: "tool", content: '{\n  "q": "first"\n}', tool_call_id: "c1", name: "search" },
    { role: "tool", content: "text of second", tool_call_id: "c2", name: "search" },
  ]);
  expect(requests[0]!.tools!.map(({ name }) => name)).toEqual(["search"]);
  // Watchers see each result as it comes.
  expect(ofType(ctx, "tool.returned").map((event) => "step" in event && event.step)).toEqual([
    "plan/tool#2",
    "plan/tool#1",
  ]);
});

const DENIED: [why: string, call: ToolCall, reason: RegExp][] = [
  ["outside the agent's list", toolCall("c1", "shell"), /not one of this agent's tools/],
  ["with arguments that are not JSON", toolCall("c1", "search", "{q:"), /not valid JSON/],
  [
    "with arguments that do not fit",
    toolCall("c1", "search", '{"q":5}'),
    /the arguments do not match the schema: \/q: must be a string/,
  ],
];
for (const [why, denied, reason] of DENIED) {
  Deno.test(`runAgent() denies a call ${why} and tells the model`, async () => {
    const tools = echo();
    const { ctx, requests, output } = await run(
      [{ tool_calls: [denied] }, { text: "done" }],
      call({ tools: ["search"] }),
      tools,
    );
    expect(output).toBe("done");
    expect(tools.calls).toEqual([]);
    expect(ctx.ran).toEqual(["plan/tools", "plan/llm#1", "plan/llm#2"]);
    expect(ofType(ctx, "tool.denied")).toEqual([{
      type: "tool.denied",
      step: "plan/tool#1",
      tool: denied.name,
      reason: expect.stringMatching(reason),
    }]);
    expect(requests[1]!.messages.at(-1)!.content).toMatch(reason);
  });
}

Deno.test("runAgent() shows a tool's failure to the model", async () => {
  const tools = new FakeTools(() => Promise.reject(new Error("no route to host")));
  const { output, requests, ctx } = await run(
    [{ tool_calls: [toolCall("c1", "search", "")] }, { text: "sorry" }],
    call({ tools: ["search"] }),
    tools,
  );
  expect(output).toBe("sorry");
  expect(JSON.parse(requests[1]!.messages.at(-1)!.content)).toEqual({
    error: { code: "tool_failed", message: "no route to host" },
  });
  expect(ofType(ctx, "tool.returned")).toHaveLength(1);
});

Deno.test("runAgent() shows a tool's time-out to the model", async () => {
  const ctx = new FakeContext([{
    key: "plan/tool#1",
    options: {},
    outcome: { error: { code: "step_timeout", kind: "retryable", message: "too slow" } },
  }]);
  const script = [{ tool_calls: [toolCall("c1", "search")] }, { text: "sorry" }];
  const { output, requests } = await run(script, call({ tools: ["search"] }), echo(), ctx);
  expect(output).toBe("sorry");
  expect(requests[1]!.messages.at(-1)!.content).toContain("step_timeout");
});

Deno.test("runAgent() lets a cancel end it, also in the middle of a tool", async () => {
  const ctx = new FakeContext();
  const cancelled = new OrchestratorError("run_cancelled", "stop", { kind: "cancelled" });
  const tools = new FakeTools((_args, { signal }) => {
    ctx.controller.abort(cancelled);
    return Promise.reject(signal.reason);
  });
  const script = [{ tool_calls: [toolCall("c1", "search")] }];
  const { output } = await run(script, call({ tools: ["search"] }), tools, ctx);
  expect(output).toMatchObject({ error: { code: "run_cancelled", kind: "cancelled" } });
});

Deno.test("runAgent() withholds the tools on the last turn", async () => {
  const again = { tool_calls: [toolCall("c", "search")] };
  const { output, requests } = await run(
    [again, again, { text: "best guess", tool_calls: [toolCall("c", "search")] }],
    call({ tools: ["search"], max_turns: 3 }),
  );
  expect(output).toBe("best guess");
  expect(requests.map(({ tools }) => tools?.length ?? 0)).toEqual([1, 1, 0]);
});

const OUTPUT = { type: "object", required: ["score"], properties: { score: { type: "number" } } };

Deno.test("runAgent() gives the answer as data when the agent has an output schema", async () => {
  const { output, requests } = await run(
    [{ text: 'Sure: {"score": 7}' }],
    call({ output: OUTPUT }),
  );
  expect(output).toEqual({ score: 7 });
  expect(requests[0]!.output).toEqual({ name: "planner", schema: OUTPUT });
});

Deno.test("runAgent() asks once more when the answer does not fit", async () => {
  const { output, requests, ctx } = await run(
    [{ text: '{"score":"high"}' }, { text: '```json\n{"score":8}\n```' }],
    call({ output: OUTPUT, tools: ["search"] }),
  );
  expect(output).toEqual({ score: 8 });
  expect(ctx.ran).toEqual(["plan/tools", "plan/llm#1", "plan/llm#2"]);
  expect(requests[1]!.tools).toBeUndefined();
  const [before, request] = requests[1]!.messages.slice(-2);
  expect(before).toEqual({ role: "assistant", content: '{"score":"high"}' });
  expect(request!.content).toMatch(/- \/score: .*number/);
});

Deno.test("runAgent() fails for good when the answer does not fit twice", async () => {
  const { output } = await run([{ text: "no" }, { text: "{}" }], call({ output: OUTPUT }));
  expect(output).toMatchObject({
    error: {
      code: "model_bad_output",
      kind: "terminal",
      details: { agent: "planner", step: "plan", problems: [expect.stringContaining("score")] },
    },
  });
});

Deno.test("runAgent() fails when the answer was filtered", async () => {
  const { output } = await run([{ finish_reason: "content_filter" }]);
  expect(output).toMatchObject({ error: { code: "model_refused" } });
});

Deno.test("runAgent() throws what a model call threw at last", async () => {
  const { output, ctx } = await run([() => {
    throw new OrchestratorError("model_auth", "Cannot log in: the key is wrong. Check it.");
  }]);
  expect(output).toMatchObject({ error: { code: "model_auth" } });
  expect(ofType(ctx, "agent.completed")).toEqual([]);
});

Deno.test("runAgent() resumed after any step asks the same and repeats nothing", async () => {
  const script = [
    { tool_calls: [toolCall("c1", "search", '{"q":"a"}'), toolCall("c2", "shell")] },
    { text: "hm", tool_calls: [toolCall("c3", "search", '{"q":"b"}')] },
    { text: "not JSON" },
    { text: '{"score":1}' },
  ];
  const what = call({ tools: ["search"], output: OUTPUT });
  const whole = await run(script, what);
  expect(whole.ctx.ran).toEqual([
    "plan/tools",
    "plan/llm#1",
    "plan/tool#1/gate",
    "plan/tool#1",
    "plan/llm#2",
    "plan/tool#3/gate",
    "plan/tool#3",
    "plan/llm#3",
    "plan/llm#4",
  ]);
  for (let count = 0; count <= whole.ctx.steps.length; count++) {
    const recorded = whole.ctx.steps.slice(0, count);
    const calls = recorded.filter(({ key }) => key.includes("/llm#")).length;
    const ctx = new FakeContext(recorded);
    const resumed = await run(script.slice(calls), what, echo(), ctx);
    expect(resumed.output).toEqual({ score: 1 });
    expect(resumed.requests).toEqual(whole.requests.slice(calls));
    expect(ctx.ran).toEqual(whole.ctx.ran.slice(count));
    expect(ctx.events.map(withoutTime)).toEqual(whole.ctx.events.map(withoutTime));
    // What was recorded whole is reported as it was, times included.
    if (count === whole.ctx.steps.length) expect(ctx.events).toEqual(whole.ctx.events);
  }
});

function withoutTime(event: EventBody): unknown {
  return { ...event, duration_ms: 0 };
}

Deno.test("runAgent() tells prompts which run they belong to", async () => {
  const agent = createAgent(profile({ system: "{{ run.id }} {{ run.pipeline }} {{ input }}" }));
  const { requests } = await run([{ text: "x" }], call({}, { agent, input: "hi" }));
  expect(requests[0]!.messages[0]!.content).toBe(`${RUN.id} ${RUN.pipeline} hi`);
});
