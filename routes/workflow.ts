/**
 * `/workflow`: runs of the pipeline `data-science` under the names that its clients know. A
 * workflow's id is its run's, with `wf-` instead of `run_`.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { OrchestratorError } from "../errors.ts";
import type { Approval } from "../pipeline/calls/approvals/mod.ts";
import { readBody, validationFailed } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { badHeader, readCursor, readIdempotencyKey, readLimit, readQuery } from "./headers.ts";
import { callerOf } from "./identity.ts";
import {
  findWorkflow,
  ID,
  isWorkflowStatus,
  listWorkflows,
  readWorkflow,
  startRequest,
  stateOf,
  STATUSES,
  statusView,
  underWay,
  type Workflow,
  WORKFLOW_PIPELINE,
  workflowDecision,
  workflowId,
  workflowRequest,
} from "../service/mod.ts";

type C = Context<AppEnv>;

/** The endpoints of workflows. */
export function workflowRoutes(deps: AppDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();

  const find = (c: C) => read(c, deps);

  app.post("/workflow/start", (c) => start(c, deps));

  app.get("/workflow/:id/status", async (c) => {
    return c.json(statusView(await find(c)));
  });

  app.get("/workflow/:id/state", async (c) => {
    return c.json(stateOf(await find(c)));
  });

  app.post("/workflow/:id/approve", (c) => decide(c, deps, "approve"));
  app.post("/workflow/:id/reject", (c) => decide(c, deps, "reject"));

  app.get("/workflows", async (c) => {
    const { status, limit, cursor } = readQuery(c, "status", "limit", "cursor");
    if (status !== undefined && !isWorkflowStatus(status)) {
      throw badHeader("?status", `must be one of ${STATUSES.join(", ")}`);
    }
    const query = { status, limit: readLimit(limit), cursor: readCursor(cursor, "run") };
    return c.json(await listWorkflows(deps, callerOf(c), query));
  });

  return app;
}

async function read(c: C, deps: AppDeps): Promise<Workflow> {
  const caller = callerOf(c);
  const run = await findWorkflow(deps.engine, caller, c.req.param("id")!);
  return await readWorkflow(deps, caller, run);
}

async function start(c: C, deps: AppDeps): Promise<Response> {
  const rules = { schema: workflowRequest, max_bytes: deps.settings.max_body_bytes };
  const input = await readBody(c, rules);
  await mustHave(c, deps, input.dataset_url);
  const caller = callerOf(c);
  const key = c.req.raw.headers.get("idempotency-key");
  const idempotency = readIdempotencyKey(key, { method: "POST", path: c.req.path, body: input });
  const asked = { pipeline: WORKFLOW_PIPELINE, input, idempotency };
  const request = await startRequest(deps, caller, asked);
  const { id, replayed } = await deps.engine.start(caller, request)
    .then(({ run, replayed }) => ({ id: run.id, replayed }), underWay);
  if (replayed) c.header("Idempotency-Replayed", "true");
  const workflow_id = workflowId(id);
  c.header("Location", `/workflow/${workflow_id}/status`);
  return c.json({ workflow_id, status: "started", message: "Workflow initialized and running" });
}

/** An upload must exist here: no one should approve work on one that does not. */
async function mustHave(c: C, { artifacts }: AppDeps, dataset_url: string): Promise<void> {
  const [, id] = /^artifact:\/\/(.*)$/.exec(dataset_url) ?? [];
  if (id === undefined) return;
  if (ID.test(id) && await artifacts.get(callerOf(c), id)) return;
  const message = "names an upload that does not exist: upload it with POST /v1/artifacts";
  throw validationFailed([{ location: "/dataset_url", message }]);
}

const WORDS = { approve: "approved", reject: "rejected" } as const;

async function decide(c: C, deps: AppDeps, decision: "approve" | "reject"): Promise<Response> {
  const max_bytes = deps.settings.max_body_bytes;
  const rules = { schema: workflowDecision, max_bytes, when_empty: {} };
  const { comment } = await readBody(c, rules);
  const workflow = await read(c, deps);
  const { run, approval } = workflow;
  if (!approval) throw nothingToDecide(statusView(workflow).status, WORDS[decision]);
  const request = { decision, ...(comment ? { comment } : {}) };
  const decided = await deps.approvals.decide(callerOf(c), approval.id, request);
  return c.json({
    workflow_id: workflowId(run.id),
    status: decided.status === "pending" ? "awaiting_approval" : "running",
    message: messageOf(decided),
  });
}

function messageOf({ status, step, decisions, approvers }: Approval): string {
  const name = step.replace(/#\d+$/, "");
  if (status === "approved") return `Approved ${name}: the workflow continues`;
  if (status === "rejected") {
    return `Rejected ${name}: the workflow returns to the agent with your comment`;
  }
  return `Approved ${name} by ${decisions.length} of ${approvers} people`;
}

function nothingToDecide(status: string, word: string): OrchestratorError {
  return new OrchestratorError(
    "conflict",
    `Cannot record this as ${word}: nothing is awaiting approval (workflow status: ${status}).`,
    { details: { status } },
  );
}
