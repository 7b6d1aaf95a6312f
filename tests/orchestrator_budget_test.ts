/** The whole service in this process: budgets that models without prices or counts cannot evade. */
import { expect } from "expect";
import { type Env, readConfig } from "../config.ts";
import { createOrchestrator } from "../orchestrator.ts";
import { createLogger } from "../telemetry/log.ts";
import { startServer, type Wire } from "./_mock/script.ts";

/** The model's transport keeps its timer for connecting a little longer than its connection. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** A service with a model server that answers in these chunks, and a count of its requests. */
async function serving(
  chunks: unknown[],
  use: (
    post: (path: string, body: unknown) => Promise<Record<string, unknown>>,
    calls: () => number,
  ) => Promise<void>,
  env: Env = {},
  pipelines: Record<string, string> = {},
) {
  const wire = {
    other: () =>
      new Response(
        [...chunks.map((chunk) => JSON.stringify(chunk)), "[DONE]"]
          .map((text) => `data: ${text}\n\n`).join(""),
      ),
  };
  const server = startServer(wire as unknown as Wire, []);
  const home = await Deno.makeTempDir();
  await Deno.mkdir(`${home}/agents`);
  await Deno.mkdir(`${home}/pipelines`);
  await Deno.writeTextFile(`${home}/agents/probe.md`, "---\ntools: [dataset]\n---\nProbe.\n");
  const pipeline = "name: fixed\nversion: 1\nstart: a\nnodes:\n  a: { agent: probe }\n";
  await Deno.writeTextFile(`${home}/pipelines/fixed.yaml`, pipeline);
  for (const [name, body] of Object.entries(pipelines)) {
    const text = `name: ${name}\nversion: 1\n${body}`;
    await Deno.writeTextFile(`${home}/pipelines/${name}.yaml`, text);
  }
  const config = readConfig({
    ORCHESTRATOR_HOME: home,
    LLM_BASE_URL: `${server.url}/v1`,
    LLM_DEFAULT_MODEL: "m",
    LLM_MAX_ATTEMPTS: "1",
    ...env,
  });
  const log = createLogger({ level: "error", format: "json", write: () => {} });
  const service = await createOrchestrator({ config, log });
  const post = async (path: string, body: unknown) => {
    const headers = { "content-type": "application/json", prefer: "wait=20" };
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    return await (await service.app.request(`http://localhost${path}`, init)).json();
  };
  try {
    await use(post, () => server.calls.length);
  } finally {
    await service.close();
    await server.close();
    await Deno.remove(home, { recursive: true });
  }
}

const saying = (content: string, more = {}) => [{
  choices: [{ index: 0, delta: { content, ...more }, finish_reason: "stop" }],
}];

test("a budget in US dollars is refused at the start where a model has no price", () =>
  serving(saying("hello"), async (post, calls) => {
    const budget = { cost_usd: 0.001 };
    const refused = await post("/v1/runs", { pipeline: "fixed", budget });
    expect(refused).toMatchObject({ status: 422, code: "model_unpriced" });
    expect(refused.detail).toContain('{"openai-compatible/m":{"input":1,"output":2}}');
    expect(refused.detail).toContain("LLM_PRICES");
    const messages = [{ role: "user", content: "go" }];
    const chat = await post("/v1/chat", { pipeline: "fixed", messages, budget });
    expect(chat).toMatchObject({ code: "model_unpriced" });
    expect(calls()).toBe(0);
    expect(await post("/v1/runs", { pipeline: "fixed", budget: { tokens: 1e6 } }))
      .toMatchObject({ status: "completed" });
  }));

test("a budget in US dollars is refused where a fallback has no price", () =>
  serving(saying("hello"), async (post) => {
    const refused = await post("/v1/runs", { pipeline: "fixed", budget: { cost_usd: 1 } });
    expect(refused.detail).toContain("the price of openai-compatible/other is not known");
  }, {
    LLM_FALLBACKS: "offline/offline,openai-compatible/other",
    LLM_PRICES: '{"openai-compatible/m":{"input":1,"output":2}}',
  }));

test("a budget in US dollars holds for a model whose price is set", () =>
  serving(saying("hello"), async (post) => {
    const budget = { cost_usd: 1 };
    const run = await post("/v1/runs", { pipeline: "fixed", budget });
    expect(run).toMatchObject({ status: "completed", usage: { estimated: true } });
    expect((run.usage as { cost_usd: number }).cost_usd).toBeGreaterThan(0);
  }, { LLM_PRICES: '{"openai-compatible/m":{"input":1,"output":2}}' }));

test("the offline model has a price: nothing", () =>
  serving([], async (post) => {
    const messages = [{ role: "user", content: "What is 2 + 2?" }];
    const chat = await post("/v1/chat", { pipeline: "fixed", messages, budget: { cost_usd: 1 } });
    expect(chat).toMatchObject({ status: "completed", usage: { cost_usd: 0 } });
  }, { LLM_PROVIDER: "offline", LLM_DEFAULT_MODEL: undefined }));

test("tokens that a model server does not count are estimated, so that a budget holds", () => {
  const call = { index: 0, id: "a", function: { name: "dataset", arguments: "{}" } };
  return serving(saying("", { tool_calls: [call] }), async (post, calls) => {
    const run = await post("/v1/runs", { pipeline: "fixed", budget: { tokens: 10 } });
    expect(run).toMatchObject({ status: "failed", error: { code: "budget_exceeded" } });
    expect(run.usage).toMatchObject({ estimated: true });
    expect(calls()).toBe(1);
  });
});

const PIPELINES = {
  again: `start: a
max_steps: 100
nodes:
  a: { agent: probe, catch: [{ errors: [all], next: a }], next: end }
  end: { transform: done }
`,
  each: `start: each
nodes:
  each:
    map:
      items: [1, 2, 3, 4, 5, 6]
      concurrency: 1
      tolerated_failures: all
      body: { start: a, nodes: { a: { agent: probe } } }
`,
  outer: "start: a\nnodes:\n  a: { pipeline: inner }\n",
  inner: "start: a\nnodes:\n  a: { pipeline: fixed }\n",
};
const USAGE = { usage: { prompt_tokens: 1000, completion_tokens: 1000 } };
const piece = (delta: object, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});

/** Answers that are billed and that nobody gets. */
const FAILURES: Record<string, unknown[]> = {
  "that the provider filters": [piece({ content: "Well" }), piece({}, "content_filter"), USAGE],
  "that the model refuses": [piece({ refusal: "I cannot." }), piece({}, "stop"), USAGE],
  "whose stream ends early": [piece({ content: "Well" }), USAGE],
};

for (const [what, chunks] of Object.entries(FAILURES)) {
  for (const pipeline of ["again", "each"]) {
    test(`a budget counts answers ${what}, in the pipeline "${pipeline}"`, () =>
      serving(
        chunks,
        async (post, calls) => {
          const run = await post("/v1/runs", { pipeline, budget: { tokens: 5000 } });
          expect(run).toMatchObject({ usage: { input_tokens: 3000, output_tokens: 3000 } });
          expect((run.usage as { cost_usd: number }).cost_usd).toBeCloseTo(0.009);
          expect(calls()).toBe(3);
        },
        { LLM_PRICES: '{"openai-compatible/m":{"input":1,"output":2}}' },
        PIPELINES,
      ));
  }
}

test("a budget counts each attempt at an answer, estimated where it was not counted", () =>
  serving([piece({ content: "Well, ".repeat(1000) })], async (post, calls) => {
    const run = await post("/v1/runs", { pipeline: "fixed", budget: { tokens: 2000 } });
    expect(run).toMatchObject({ status: "failed", usage: { estimated: true } });
    expect((run.usage as { output_tokens: number }).output_tokens).toBe(1500 * calls());
    expect(calls()).toBe(2);
  }, { LLM_MAX_ATTEMPTS: "4" }));

test("an error that comes before an answer costs nothing", () =>
  serving([{ error: { message: "overloaded", type: "server_error" } }], async (post) => {
    const run = await post("/v1/runs", { pipeline: "fixed", budget: { tokens: 1 } });
    expect(run).toMatchObject({ status: "failed", error: { code: "model_unavailable" } });
    expect(run.usage).toEqual({ input_tokens: 0, output_tokens: 0, cost_usd: 0 });
  }));

test("a budget in US dollars is refused where a pipeline within has a model without a price", () =>
  serving(
    saying("hello"),
    async (post, calls) => {
      const refused = await post("/v1/runs", { pipeline: "outer", budget: { cost_usd: 1 } });
      expect(refused).toMatchObject({ status: 422, code: "model_unpriced" });
      expect(calls()).toBe(0);
    },
    {},
    PIPELINES,
  ));

test("a budget in steps counts those of runs within the run", () =>
  serving(
    saying("hello"),
    async (post, calls) => {
      const run = await post("/v1/runs", { pipeline: "rounds", budget: { steps: 5 } });
      expect(run).toMatchObject({ status: "failed", error: { code: "budget_exceeded" } });
      expect(calls()).toBe(5);
    },
    {},
    {
      ...PIPELINES,
      rounds: "start: a\nmax_steps: 50\nnodes:\n  a: { pipeline: inner, next: b }\n" +
        "  b: { agent: probe, catch: [{ errors: [all], next: end }], next: a }\n  end: { transform: 1 }\n",
    },
  ));
