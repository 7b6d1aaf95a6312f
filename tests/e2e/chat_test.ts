import { expect } from "expect";
import type { MockCall, Reply } from "../_mock/script.ts";
import { startAnthropic } from "../_mock/anthropic.ts";
import { type Agent, agentOf, AGENTS, agents, COMPATIBLE, FINAL, PROVIDERS } from "./_agents.ts";
import { chat, journal } from "./_api.ts";
import { report, withServer } from "./_process.ts";

const PROJECTS = ["proj-1", "proj-2", "proj-3", "proj-4"];
const DOCUMENTS = [{ id: "doc-1", title: "Wood", text: "Timber stores carbon." }];

for (const provider of PROVIDERS) {
  Deno.test(`four agents of ${provider.name} answer two turns of a conversation`, async () => {
    const model = provider.start(agents());
    const asked = () => model.calls.filter(({ path }) => !/conversations$|citations/.test(path));
    try {
      await withServer({ env: provider.env(model.url) }, async ({ url }) => {
        const turn = { conversation_id: "demo-1", documents: DOCUMENTS };
        const first = await chat(url, "Why does timber matter?", turn);
        expect(first).toMatchObject({
          conversation_id: "demo-1",
          status: "completed",
          message: { role: "assistant", content: FINAL },
          sources: [{ id: "doc-1", title: "Wood", cited: true }],
          review: {
            score: 95,
            comments: [{ severity: "minor", quote: "stors" }],
            edits: [{ find: "stors", replace: "stores", applied: true }],
          },
          metadata: { pipeline: "compose", models: provider.models, offline: false },
        });
        expect(first.agents.map(({ name }: { name: string }) => name)).toEqual(AGENTS);
        expect(first.usage).toMatchObject(
          provider.counts_tokens
            ? { input_tokens: 4000, output_tokens: 400 }
            : { estimated: true, cost_usd: 0 },
        );
        expect(first.usage.input_tokens).toBeGreaterThan(0);
        expect(first.usage.output_tokens).toBeGreaterThan(0);
        if (provider.counts_tokens) expect(first.usage.cost_usd).toBeCloseTo(0.008, 9);
        if (provider.counts_tokens) expect(first.usage).not.toHaveProperty("estimated");
        expect(asked().map(agentOf)).toEqual(AGENTS);
        expect(JSON.stringify(asked()[0]!.body)).toContain("Timber stores carbon.");
        if (provider.name === "CustomGPT") expect(projectsOf(asked())).toEqual(PROJECTS);

        await chat(url, "Say it shorter.", { conversation_id: "demo-1" });
        for (const { body } of asked().slice(4)) {
          const text = JSON.stringify(body);
          expect(text).toContain("Why does timber matter?");
          expect(text).toContain(JSON.stringify(FINAL).slice(1, -1));
          expect(text).toContain("Say it shorter.");
        }
        expect(asked().length).toBe(8);
        expect(JSON.stringify(asked().slice(0, 4).map(({ body }) => body)))
          .not.toContain("Say it shorter.");
      });
    } finally {
      await model.close();
    }
  });
}

function projectsOf(calls: MockCall[]): string[] {
  return calls.map(({ path }) => /projects\/([^/]+)/.exec(path)![1]!);
}

/** A server whose model's researcher answers with these replies first. */
async function withResearcher(
  replies: Reply[],
  env: Record<string, string>,
  use: (url: string, calls: () => { text: string; at: number }[]) => Promise<void>,
) {
  const times: number[] = [];
  const model = COMPATIBLE.start(agents((agent, n) => {
    if (agent !== "researcher") return undefined;
    times.push(performance.now());
    return replies[n - 1];
  }));
  const calls = () =>
    model.calls.filter((call) => agentOf(call) === "researcher")
      .map(({ body }, n) => ({ text: JSON.stringify(body), at: times[n]! }));
  try {
    await withServer(
      { env: { ...COMPATIBLE.env(model.url), ...env } },
      ({ url }) => use(url, calls),
    );
  } finally {
    await model.close();
  }
}

/** What the journal says about a step. */
async function storyOf(url: string, run_id: string, step: string) {
  return (await journal(url, run_id))
    .filter((event) => "step" in event && event.step === step)
    .map((event) => ({
      type: event.type,
      ...("attempt" in event && { attempt: event.attempt }),
      ...("error" in event && { code: event.error?.code }),
    }));
}

Deno.test("an error in the middle of a streamed answer is tried again", () =>
  withResearcher([{ text: '{"summ', fault: "error_event" }], {}, async (url, calls) => {
    const { run_id, message, agents } = await chat(url, "Why timber?");
    expect(message.content).toBe(FINAL);
    expect(agents[0]).toMatchObject({ name: "researcher", attempts: 2 });
    expect(calls().length).toBe(2);
    const story = await storyOf(url, run_id, "research/llm#1");
    expect(story.filter(({ type }) => type !== "step.started")).toEqual([
      { type: "step.failed", attempt: 1, code: "model_unavailable" },
      { type: "step.completed", attempt: 2 },
    ]);
  }));

Deno.test("Retry-After of a 429 is honoured", () =>
  withResearcher([{ status: 429, headers: { "retry-after": "2" } }], {}, async (url, calls) => {
    const { run_id } = await chat(url, "Why timber?");
    const [first, second] = calls();
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(1950);
    const failed = (await journal(url, run_id)).find(({ type }) => type === "step.failed");
    expect(failed).toMatchObject({ error: { code: "model_rate_limited", retry_after_ms: 2000 } });
  }));

Deno.test("an answer that does not fit is asked for once more", () =>
  withResearcher([{ text: "As you wish." }], {}, async (url, calls) => {
    const { message } = await chat(url, "Why timber?");
    expect(message.content).toBe(FINAL);
    expect(calls().length).toBe(2);
    expect(calls()[1]!.text).toContain("That answer cannot be used");
  }));

Deno.test("an answer that does not fit twice is model_bad_output", () =>
  withResearcher([{ text: "As you wish." }, { text: "Really." }], {}, async (url, calls) => {
    const problem = await chat(url, "Why timber?", {}, 502);
    expect(problem).toMatchObject({ status: 502, code: "model_bad_output" });
    expect(calls().length).toBe(2);
    const events = await journal(url, problem.run_id);
    expect(events.at(-1)).toMatchObject({
      type: "run.failed",
      error: { code: "model_bad_output" },
    });
  }));

Deno.test("a model that falls silent is model_timeout", () =>
  withResearcher(
    [{ text: '{"summ', fault: "stall" }],
    { LLM_STALL_TIMEOUT_SECONDS: "1", LLM_MAX_ATTEMPTS: "1" },
    async (url, calls) => {
      const problem = await chat(url, "Why timber?", {}, 504);
      expect(problem).toMatchObject({ status: 504, code: "model_timeout" });
      expect(calls().length).toBe(1);
    },
  ));

Deno.test("another provider answers when the first one fails", async () => {
  const asked: Agent[] = [];
  const broken = COMPATIBLE.start([{ status: 500 }]);
  const sound = startAnthropic(agents((agent) => void asked.push(agent)));
  const env = {
    ...COMPATIBLE.env(broken.url),
    ANTHROPIC_API_KEY: "sk-test-0123456789",
    ANTHROPIC_BASE_URL: sound.url,
    LLM_FALLBACKS: "anthropic/mock-2",
  };
  try {
    await withServer({ env }, async ({ url }) => {
      const { message, metadata } = await chat(url, "Why timber?");
      expect(message.content).toBe(FINAL);
      expect(metadata.models).toEqual(["anthropic/mock-2"]);
      expect(asked).toEqual(AGENTS);
      expect(broken.calls.length).toBe(4);
    });
  } finally {
    await broken.close();
    await sound.close();
  }
});

const CURL = `
curl -sS -X POST http://localhost:8000/v1/chat \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer $CUSTOMGPT_API_KEY" \\
  -d '{
        "conversation_id": "demo-123",
        "messages": [
          {"role": "user", "content": "Draft a blog post about sustainable architecture trends."}
        ],
        "context": {
          "tone": "informative",
          "length": "800 words"
        }
      }'
`;

const hasCurl = await new Deno.Command("sh", { args: ["-c", "command -v curl"], stdout: "null" })
  .output().then(({ success }) => success, () => false);
if (!hasCurl) report("Skipping the example for curl: there is no curl.");

Deno.test({
  name: "the documented call of curl is answered, without any key",
  ignore: !hasCurl,
  fn: () =>
    withServer({}, async ({ url }) => {
      const script = CURL.replace("localhost:8000", `localhost:${new URL(url).port}`);
      const { stdout } = await new Deno.Command("sh", {
        args: ["-c", script],
        env: { CUSTOMGPT_API_KEY: "sk-your-api-key", no_proxy: "*" },
      }).output();
      const answer = JSON.parse(new TextDecoder().decode(stdout));
      expect(answer).toMatchObject({
        conversation_id: "demo-123",
        status: "completed",
        message: { role: "assistant" },
        metadata: { offline: true },
      });
      expect(answer.message.content).toMatch(/architecture/i);
      expect(answer.agents.map(({ name }: { name: string }) => name)).toEqual(AGENTS);
    }),
});
