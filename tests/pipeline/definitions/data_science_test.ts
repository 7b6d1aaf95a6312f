import { expect } from "expect";
import { createOfflineModel } from "../../../offline/mod.ts";
import { type AgentState, agentStateTask } from "../../../pipeline/notebook/agent_state.ts";
import { type ApprovalDeps, payloadHash } from "../../../pipeline/calls/approvals/mod.ts";
import { createCatalog } from "../../../pipeline/catalog/catalog.ts";
import { createProgram } from "../../../pipeline/walk/interpreter.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { Services } from "../../../pipeline/calls/services.ts";
import { environmentsTask, SANDBOX } from "../../../pipeline/notebook/environment.ts";
import { giveUpTask } from "../../../pipeline/notebook/give_up.ts";
import { FakeContext, RUN } from "../_fake_context.ts";
import { NO_TOOLS } from "../_fake_tools.ts";
import { LOCAL } from "../../_caller.ts";

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

/** A service of this program that gives these answers, one after the other; the last one stays. */
function embedded(...answers: Json[]) {
  const called: [string, Json][] = [];
  return {
    called,
    environment: SANDBOX,
    embedded(path: string, body: Json) {
      called.push([path, body]);
      return answers.length > 1 ? answers.shift()! : answers[0]!;
    },
  };
}

/** What is answered where the data cannot be loaded. */
const UNREACHABLE: Services = {
  browser_agent: embedded({ embedded: true, executed: false, message: "no data" }),
  ml_worker: embedded({ embedded: true, executed: false, message: "no data" }),
};

/** Runs the built-in pipeline; `decisions` are made one after the other. */
async function dataScience(decisions: Decision[], services: Services = UNREACHABLE) {
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
      tryGet: () => Promise.resolve(null),
      async *keys() {},
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
    tasks: {
      agent_state: agentStateTask,
      environments: environmentsTask(services),
      give_up: giveUpTask,
    },
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
    tasks: [...Object.keys(deps.tasks), "merge_review"],
    services: Object.keys(services),
    definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
  });
  const { definition } = await catalog.resolve(LOCAL, "data-science");
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
      ml_result: { embedded: true, executed: false, message: "no data" },
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
    ["critic_agent", "The training was not run: no"],
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
  expect(first).not.toMatch(/interquartile|histogram_/);
  expect(second).toContain("interquartile");
  expect(third).toContain("# 2. Rejected without a comment.");
  expect(fourth).toMatch(/interquartile[\s\S]*histogram_/);
  expect(state.code_context.eda_code).toBe(fourth!);
  expect(state.review_feedback.slice(0, 3)).toEqual([
    { from: "human_approval", message: "Look at outliers" },
    { from: "human_approval", message: "Rejected without a comment." },
    { from: "human_approval", message: "Draw plots" },
  ]);
  expect(ctx.ran.filter((key) => key.startsWith("human_approval"))).toHaveLength(4);
});

Deno.test("data-science: what runs is the code as it was edited; results reach the agents", async () => {
  const browser_agent = embedded({ stdout: "1\n", exit_code: 0 });
  const ml_worker = embedded({ metrics: { f1: 0.4 }, baseline: { f1: 0.5 } });
  const { ctx, state } = await dataScience([{ decision: "approved", code: "print(1)" }], {
    browser_agent,
    ml_worker,
  });
  const ml = agentOutputs(ctx, "ml_engineer")[0] as { code: string };
  const dataset = INPUT.dataset_url;
  expect([...browser_agent.called, ...ml_worker.called]).toEqual([
    ["/execute", { dataset, code: "print(1)" }],
    ["/train", { dataset, code: ml.code }],
  ]);
  expect(state.code_context.eda_result).toEqual({ stdout: "1\n", exit_code: 0 });
  expect(state.review_feedback).toContainEqual({
    from: "critic_agent",
    severity: "major",
    about: "ml_result",
    message: "f1 of 0.4 is no better than the baseline's 0.5.",
  });
});

const FAILED = {
  executed: true,
  exit_code: 1,
  error: { code: "code_failed", message: "Cannot run the code: KeyError: 'churn'." },
  stderr: "KeyError: 'churn'",
};
const RAN = { executed: true, exit_code: 0, stdout: "" };

Deno.test("data-science: code that fails goes back with its error and is approved again", async () => {
  const browser_agent = embedded(FAILED, RAN);
  const ml_worker = embedded(FAILED, { ...FAILED, error: "again" }, RAN);
  const { ctx, state } = await dataScience(
    [{ decision: "approved", code: "print(table['churn'])" }, { decision: "approved" }],
    { browser_agent, ml_worker },
  );
  expect(ctx.ran.filter((key) => key.startsWith("human_approval"))).toHaveLength(2);
  expect(browser_agent.called).toHaveLength(2);
  expect(ml_worker.called).toHaveLength(3);
  const prompts = ctx.events.flatMap((event) =>
    event.type === "agent.started" ? [event.agent] : []
  );
  expect(prompts.filter((agent) => agent === "data_engineer")).toHaveLength(2);
  expect(prompts.filter((agent) => agent === "ml_engineer")).toHaveLength(3);
  expect(state.review_feedback.slice(0, 3)).toEqual([
    { from: "browser_agent", message: FAILED.error.message },
    { from: "ml_worker", message: FAILED.error.message },
    { from: "ml_worker", message: "again" },
  ]);
  expect(state.code_context.eda_result).toEqual(RAN);
});

Deno.test("data-science: code that fails three times ends the run with its error", async () => {
  const decisions = Array.from({ length: 3 }, () => ({ decision: "approved" as const }));
  const services = { browser_agent: embedded(FAILED), ml_worker: embedded(RAN) };
  await expect(dataScience(decisions, services)).rejects.toMatchObject({
    code: "code_failed",
    message: expect.stringContaining("KeyError: 'churn'"),
    details: { stderr: "KeyError: 'churn'" },
  });
  expect(services.browser_agent.called).toHaveLength(3);
  expect(services.ml_worker.called).toHaveLength(0);
});

Deno.test("data-science: the agents know what their code runs in", async () => {
  const urls = { url: "http://service.test", timeout_ms: 1 };
  const here = embedded(RAN);
  expect(environmentsTask({ browser_agent: here, ml_worker: urls }).run(null, {} as never, RUN))
    .toMatchObject({
      browser_agent: { has_packages: false, description: expect.stringContaining("charts") },
      ml_worker: { has_packages: true, description: expect.stringContaining("pandas") },
    });
  const { state } = await dataScience([{ decision: "approved" }], {
    browser_agent: here,
    ml_worker: here,
  });
  expect(state.code_context.eda_code).toContain("import charts");
  expect(state.code_context.ml_code).not.toContain("sklearn");
});
