/** The data-science workflow as its documentation shows it, with the machine's own curl. */
import { expect } from "expect";
import type { AgentState } from "../../pipeline/notebook/agent_state.ts";
import { type Body, journal, untilEvent } from "./_api.ts";
import { type ServerProcess, startServer, withHome, withServer } from "./_process.ts";

/** The documented commands, word for word. */
const START = `curl -X POST "http://localhost:8000/workflow/start" \\
  -H "Content-Type: application/json" \\
  -d '{
    "user_goal": "Build a customer churn prediction model",
    "dataset_url": "https://example.com/churn.csv"
  }'`;
const STATUS = `curl "http://localhost:8000/workflow/wf-abc123/status"`;
const APPROVE = `curl -X POST "http://localhost:8000/workflow/wf-abc123/approve"`;
const LIST = `curl "http://localhost:8000/workflows"`;
const REJECT = `curl -X POST "http://localhost:8000/workflow/wf-abc123/reject" \\
  -H "Content-Type: application/json" \\
  -d '{"comment": "Look at outliers first"}'`;

/** Runs a documented command against a server and, where it names one, a workflow. */
async function curl(command: string, url: string, id = "wf-abc123"): Promise<Body> {
  const script = command.replace("http://localhost:8000", url).replace("wf-abc123", id);
  const { stdout, code } = await new Deno.Command("sh", {
    args: ["-c", script.replace(/^curl /, "curl --silent --show-error ")],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).output();
  expect(code).toBe(0);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Follows the run until an event of this type comes, and leaves. */
function until(url: string, id: string, type: string, after = 0): Promise<number> {
  return untilEvent(`${url}/v1/runs/${runId(id)}/events`, type, { after });
}

const runId = (id: string) => id.replace("wf-", "run_");

async function state(url: string, id: string): Promise<AgentState> {
  return await (await fetch(`${url}/workflow/${id}/state`)).json();
}

/** Services that answer `answers[path]` and keep what they were sent. */
async function withServices(
  answers: Record<string, unknown>,
  use: (url: string, calls: { path: string; key: string | null; body: Body }[]) => Promise<void>,
): Promise<void> {
  const calls: { path: string; key: string | null; body: Body }[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const path = new URL(request.url).pathname;
    calls.push({
      path,
      key: request.headers.get("idempotency-key"),
      body: await request.json(),
    });
    return Response.json(answers[path]);
  });
  try {
    await use(`http://127.0.0.1:${server.addr.port}`, calls);
  } finally {
    await server.shutdown();
  }
}

Deno.test("the documented commands start, watch, approve and list a workflow", () =>
  withServer({}, async ({ url, logs }) => {
    const started = await curl(START, url);
    expect(started).toEqual({
      workflow_id: expect.stringMatching(/^wf-[0-9a-z]{26}$/),
      status: "started",
      message: "Workflow initialized and running",
    });
    const id = started.workflow_id;
    await until(url, id, "run.waiting");
    const waiting = await curl(STATUS, url, id);
    expect(waiting).toMatchObject({
      workflow_id: id,
      status: "awaiting_approval",
      current_step: "human_approval",
      user_goal: "Build a customer churn prediction model",
      research_plan_steps: 5,
      feedback_count: 0,
      pending_approval: { title: "Run this exploration of https://example.com/churn.csv?" },
    });
    expect(waiting.pending_approval.preview).toContain("https://example.com/churn.csv");
    expect(await state(url, id)).toMatchObject({
      human_approval: "PENDING",
      next_step: "human_approval",
    });

    expect(await curl(APPROVE, url, id)).toEqual({
      workflow_id: id,
      status: "running",
      message: "Approved human_approval: the workflow continues",
    });
    await until(url, id, "run.completed");
    expect(await curl(STATUS, url, id)).toMatchObject({ status: "completed", feedback_count: 2 });
    const end = await state(url, id);
    expect(end).toMatchObject({
      human_approval: "APPROVED",
      next_step: "end",
      code_context: {
        eda_result: { embedded: true, executed: false },
        ml_result: { embedded: true, executed: false },
      },
    });
    const run = await (await fetch(`${url}/v1/runs/${runId(id)}`)).json();
    expect(run.output).toEqual(end);
    expect(await curl(LIST, url)).toEqual({
      workflows: [expect.objectContaining({ workflow_id: id, status: "completed" })],
      next_cursor: null,
    });
    expect(await curl(APPROVE, url, id)).toMatchObject({ status: 409, code: "conflict" });
    expect(await curl(STATUS, url)).toMatchObject({ status: 404, code: "not_found" });
    const lines = logs().trimEnd().split("\n").map((line) => JSON.parse(line));
    expect(lines.filter(({ workflow_id }) => workflow_id === id)).toMatchObject([
      {
        level: "INFO",
        logger: "orchestrator",
        message: "Workflow started successfully",
        user_goal: "Build a customer churn prediction model",
      },
      { level: "INFO", message: "Workflow completed" },
    ]);
  }));

Deno.test("a rejection goes back with its comment; services get what was approved", () =>
  withServices({
    "/execute": { stdout: "400 rows\n", exit_code: 0 },
    "/train": { metrics: { roc_auc: 0.8, f1: 0.7 }, baseline: { f1: 0.4 } },
  }, (services, calls) =>
    withServer({
      env: { BROWSER_AGENT_URL: services, ML_WORKER_URL: services },
    }, async ({ url }) => {
      const id = (await curl(START, url)).workflow_id;
      const asked = await until(url, id, "run.waiting");
      const before = (await state(url, id)).code_context.eda_code as string;
      expect(before).not.toContain("interquartile");
      expect(await curl(REJECT, url, id)).toMatchObject({ workflow_id: id, status: "running" });
      await until(url, id, "run.waiting", asked);
      expect(await curl(STATUS, url, id)).toMatchObject({
        status: "awaiting_approval",
        current_step: "human_approval",
        feedback_count: 1,
      });
      const code = (await state(url, id)).code_context.eda_code as string;
      expect(code).toContain("# 1. Look at outliers first (see outliers)");
      expect(code).toContain("interquartile");

      expect(await curl(APPROVE, url, id)).toMatchObject({ status: "running" });
      await until(url, id, "run.completed", asked);
      const end = await state(url, id);
      const dataset = "https://example.com/churn.csv";
      expect(calls).toEqual([
        { path: "/execute", key: `${runId(id)}/browser_agent`, body: { dataset, code } },
        {
          path: "/train",
          key: `${runId(id)}/ml_worker`,
          body: { dataset, code: end.code_context.ml_code },
        },
      ]);
      expect(end.review_feedback).toEqual([
        { from: "human_approval", message: "Look at outliers first" },
        {
          from: "critic_agent",
          severity: "info",
          about: "ml_result",
          message: "f1 is 0.7; the baseline has 0.4.",
        },
      ]);
    })));

Deno.test("a workflow that waits outlives SIGKILL", () =>
  withHome({}, async (home) => {
    const use = async (body: (server: ServerProcess) => Promise<void>) => {
      const server = await startServer({ home });
      try {
        await body(server);
      } finally {
        await server.stop("SIGKILL");
      }
    };
    let id = "";
    await use(async ({ url }) => {
      id = (await curl(START, url)).workflow_id;
      await until(url, id, "run.waiting");
    });
    await use(async ({ url }) => {
      expect(await curl(STATUS, url, id)).toMatchObject({ status: "awaiting_approval" });
      expect(await curl(APPROVE, url, id)).toMatchObject({ status: "running" });
      await until(url, id, "run.completed");
      const events = await journal(url, runId(id));
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
      expect(await curl(STATUS, url, id)).toMatchObject({ status: "completed" });
    });
  }));
