/** The whole service in this process: budgets that models without prices or counts cannot evade. */
import { expect } from "expect";
import { type Env, readConfig } from "../config.ts";
import { createOrchestrator } from "../orchestrator.ts";
import { createLogger } from "../telemetry/log.ts";
import { startServer, type Wire } from "./_mock/script.ts";

/** A service with a model server that answers in these chunks, and a count of its requests. */
async function serving(
  chunks: unknown[],
  use: (
    post: (path: string, body: unknown) => Promise<Record<string, unknown>>,
    calls: () => number,
  ) => Promise<void>,
  env: Env = {},
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

Deno.test("a budget in US dollars is refused at the start where a model has no price", () =>
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

Deno.test("a budget in US dollars is refused where a fallback has no price", () =>
  serving(saying("hello"), async (post) => {
    const refused = await post("/v1/runs", { pipeline: "fixed", budget: { cost_usd: 1 } });
    expect(refused.detail).toContain("the price of openai-compatible/other is not known");
  }, {
    LLM_FALLBACKS: "offline/offline,openai-compatible/other",
    LLM_PRICES: '{"openai-compatible/m":{"input":1,"output":2}}',
  }));

Deno.test("a budget in US dollars holds for a model whose price is set", () =>
  serving(saying("hello"), async (post) => {
    const budget = { cost_usd: 1 };
    const run = await post("/v1/runs", { pipeline: "fixed", budget });
    expect(run).toMatchObject({ status: "completed", usage: { estimated: true } });
    expect((run.usage as { cost_usd: number }).cost_usd).toBeGreaterThan(0);
  }, { LLM_PRICES: '{"openai-compatible/m":{"input":1,"output":2}}' }));

Deno.test("the offline model has a price: nothing", () =>
  serving([], async (post) => {
    const messages = [{ role: "user", content: "What is 2 + 2?" }];
    const chat = await post("/v1/chat", { pipeline: "fixed", messages, budget: { cost_usd: 1 } });
    expect(chat).toMatchObject({ status: "completed", usage: { cost_usd: 0 } });
  }, { LLM_PROVIDER: "offline", LLM_DEFAULT_MODEL: undefined }));

Deno.test("tokens that a model server does not count are estimated, so that a budget holds", () => {
  const call = { index: 0, id: "a", function: { name: "dataset", arguments: "{}" } };
  return serving(saying("", { tool_calls: [call] }), async (post, calls) => {
    const run = await post("/v1/runs", { pipeline: "fixed", budget: { tokens: 10 } });
    expect(run).toMatchObject({ status: "failed", error: { code: "budget_exceeded" } });
    expect(run.usage).toMatchObject({ estimated: true });
    expect(calls()).toBe(1);
  });
});
