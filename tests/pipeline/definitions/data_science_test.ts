import { expect } from "expect";
import { createOfflineModel } from "../../../llm/offline/mod.ts";
import type { AgentState } from "../../../pipeline/agent_state.ts";
import { agentStateTask } from "../../../pipeline/agent_state.ts";
import { type ApprovalDeps, payloadHash } from "../../../pipeline/approvals/mod.ts";
import { createCatalog } from "../../../pipeline/catalog.ts";
import { createProgram } from "../../../pipeline/graph/mod.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { Service, Services } from "../../../pipeline/services.ts";
import { standIns } from "../../../pipeline/stand_ins.ts";
import { FakeContext } from "../_fake_context.ts";
import { NO_TOOLS } from "../_fake_tools.ts";

const root = new URL("../../../", import.meta.url).pathname;
const INPUT = {
  user_goal: "Build a customer churn prediction model",
  dataset_url: "https://example.com/churn.csv",
};

/** What somebody decides; `code` in place of the one that was asked about. */
interface Decision {
  decision: "approved" | "rejected";
  comment?: string;
  code?: string;
}

/** Runs the built-in pipeline; `decisions` are made one after the other. */
async function dataScience(decisions: Decision[], services: Services = standIns) {
  const ctx = new FakeContext();
  let verdict: { decision: string; payload: Json; by: string[]; comment?: string } | undefined;
  const approvals: ApprovalDeps = {
    store: {
      get: () => {
        if (!verdict) return Promise.resolve(null);
        const value = { status: verdict.decision, payload_hash: payloadHash(verdict.payload) };
        // deno-lint-ignore no-explicit-any -- only what is looked at after a decision
        return Promise.resolve({ value } as any);
      },
      async *list() {},
      commit: () => Promise.resolve("1"),
    },
    now: () => 0,
    newId: () => "1",
  };
  ctx.onWait = () => {
    const [{ decision, comment, code }] = decisions.splice(0, 1) as [Decision];
    const payload = { code: code ?? codes(ctx).at(-1)! };
    verdict = { decision, payload, by: ["ada"], ...(comment ? { comment } : {}) };
    return { signal: verdict };
  };
  const deps = {
    models: createOfflineModel(),
    model_retry: {},
    tasks: { agent_state: agentStateTask },
    ...NO_TOOLS,
    services,
    approvals,
  };
  const catalog = createCatalog({
    roots: {
      pipelines: [`${root}pipeline/definitions`],
      agents: [`${root}agents`],
      prompts: [`${root}prompts`],
    },
    tasks: ["agent_state", "merge_review"],
    services: Object.keys(services),
    definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
    compile: (definition) => createProgram(definition, deps),
  });
  const { definition } = await catalog.resolve("data-science");
  const output = await createProgram(definition, deps)(ctx, INPUT);
  return { ctx, state: output as unknown as AgentState };
}

/** What the data engineering agent wrote, visit by visit. */
function codes(ctx: FakeContext): string[] {
  return agentOutputs(ctx, "data_engineer").map((output) => (output as { code: string }).code);
}

function agentOutputs(ctx: FakeContext, agent: string): Json[] {
  return ctx.events.flatMap((event) =>
    event.type === "agent.completed" && event.agent === agent ? [event.output] : []
  );
}

Deno.test("data-science: approved at once, without services", async () => {
  const { ctx, state } = await dataScience([{ decision: "approved" }]);
  expect(Object.keys(state)).toEqual([
    "messages",
    "user_goal",
    "dataset_info",
    "research_plan",
    "code_context",
    "review_feedback",
    "human_approval",
    "next_step",
  ]);
  expect(state).toMatchObject({
    user_goal: INPUT.user_goal,
    dataset_info: { file_path: INPUT.dataset_url },
    human_approval: "APPROVED",
    next_step: "end",
    code_context: {
      eda_code: codes(ctx)[0],
      eda_result: { embedded: true, executed: false },
      ml_result: { embedded: true, executed: false, dataset: INPUT.dataset_url },
    },
  });
  expect(state.research_plan).toHaveLength(5);
  expect(state.messages.map(({ role, name }) => name ?? role)).toEqual([
    "user",
    "research_agent",
    "data_engineering_agent",
    "browser_agent",
    "ml_agent",
    "ml_worker",
    "critic_agent",
  ]);
  expect(state.review_feedback.map(({ from, message }) => [from, message.slice(0, 28)])).toEqual([
    ["critic_agent", "The exploration was not run:"],
    ["critic_agent", "The training was not run: Th"],
  ]);
});

Deno.test("data-science: every rejection adds to what the next exploration follows", async () => {
  const { ctx, state } = await dataScience([
    { decision: "rejected", comment: "Look at outliers" },
    { decision: "rejected" },
    { decision: "rejected", comment: "Draw plots" },
    { decision: "approved" },
  ]);
  const [first, second, third, fourth] = codes(ctx);
  expect(first).not.toMatch(/interquartile|savefig/);
  expect(second).toContain("interquartile");
  expect(third).toContain("# 2. Rejected without a comment.");
  expect(fourth).toMatch(/interquartile[\s\S]*savefig/);
  expect(state.code_context.eda_code).toBe(fourth!);
  expect(state.review_feedback.slice(0, 3)).toEqual([
    { from: "human_approval", message: "Look at outliers" },
    { from: "human_approval", message: "Rejected without a comment." },
    { from: "human_approval", message: "Draw plots" },
  ]);
  expect(ctx.ran.filter((key) => key.startsWith("human_approval"))).toHaveLength(4);
});

Deno.test("data-science: what runs is the code as it was edited; results reach the agents", async () => {
  const called: [string, Json][] = [];
  const service = (answer: Json): Service => ({
    embedded(path, body) {
      called.push([path, body]);
      return answer;
    },
  });
  const { ctx, state } = await dataScience([{ decision: "approved", code: "print(1)" }], {
    browser_agent: service({ stdout: "1\n", exit_code: 0 }),
    ml_worker: service({ metrics: { f1: 0.4 }, baseline: { f1: 0.5 } }),
  });
  const ml = agentOutputs(ctx, "ml_engineer")[0] as { code: string };
  expect(called).toEqual([
    ["/execute", { code: "print(1)" }],
    ["/train", { dataset: INPUT.dataset_url, code: ml.code }],
  ]);
  expect(state.code_context.eda_result).toEqual({ stdout: "1\n", exit_code: 0 });
  expect(state.review_feedback).toContainEqual({
    from: "critic_agent",
    severity: "major",
    about: "ml_result",
    message: "f1 of 0.4 is no better than the baseline's 0.5.",
  });
});
