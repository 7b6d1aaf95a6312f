/**
 * `/v1/plans`: goals that are broken into steps and carried out. A plan is a run of the pipeline
 * `plan` and has its id; what is shown of it is read from that run.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type * as z from "zod";
import { OrchestratorError } from "../errors.ts";
import type { DecideRequest } from "../pipeline/calls/approvals/mod.ts";
import type { Json } from "../pipeline/kernel/mod.ts";
import { type Plan, planIssues } from "../pipeline/plans/mod.ts";
import { readBody, validationFailed } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import {
  badHeader,
  preferenceApplied,
  readCursor,
  readIdempotencyKey,
  readLimit,
  readPrefer,
  readQuery,
  within,
} from "./headers.ts";
import { callerOf } from "./identity.ts";
import {
  findPlan,
  isWorkflowStatus,
  listPipelineRuns,
  PLAN_PIPELINE,
  planApproval,
  planItem,
  planLinks,
  planRejection,
  planRequest,
  type PlanRun,
  planView,
  readPlan,
  reasonRequest,
  runStatus,
  startRequest,
  STATUSES,
  statusOf,
  underWay,
} from "../service/mod.ts";
import { streamRun } from "./runs.ts";
import type { Sessions } from "./sessions.ts";

type C = Context<AppEnv>;

/** The endpoints of plans. */
export function planRoutes(deps: AppDeps, sessions: Sessions): Hono<AppEnv> {
  const { engine, settings: { max_body_bytes: max_bytes } } = deps;
  const app = new Hono<AppEnv>();

  const find = (c: C) => findPlan(engine, callerOf(c), c.req.param("id")!);
  const read = async (c: C) => await readPlan(deps, callerOf(c), await find(c));
  const show = async (c: C, status: 200 | 202 = 200) =>
    c.json(await planView(deps, callerOf(c), await read(c)), status);

  app.post("/v1/plans", (c) => start(c, deps));

  app.get("/v1/plans", async (c) => c.json(await list(c, deps)));

  app.get("/v1/plans/:id", (c) => show(c));

  app.get("/v1/plans/:id/steps", async (c) => c.json({ steps: (await read(c)).state.steps }));

  app.get("/v1/plans/:id/events", async (c) => streamRun(c, deps, sessions, await find(c)));

  app.post("/v1/plans/:id/approve", async (c) => {
    const approval = await readBody(c, { schema: planApproval, max_bytes, when_empty: {} });
    await approve(c, deps, await read(c), approval);
    return await show(c, 202);
  });

  app.post("/v1/plans/:id/reject", async (c) => {
    const decision = await readBody(c, { schema: planRejection, max_bytes, when_empty: {} });
    await decide(c, deps, await read(c), { decision: "reject", ...decision });
    return await show(c, 202);
  });

  app.post("/v1/plans/:id/cancel", async (c) => {
    const { reason } = await readBody(c, { schema: reasonRequest, max_bytes, when_empty: {} });
    await engine.cancel(callerOf(c), (await find(c)).id, reason);
    return await show(c, 202);
  });

  return app;
}

/** Makes a plan's run; waits for its end only when the client asks for that. */
async function start(c: C, deps: AppDeps): Promise<Response> {
  const { engine, settings: { max_body_bytes: max_bytes } } = deps;
  const { headers } = c.req.raw;
  const caller = callerOf(c);
  const body = await readBody(c, { schema: planRequest, max_bytes });
  const key = headers.get("idempotency-key");
  const idempotency = readIdempotencyKey(key, { method: "POST", path: c.req.path, body });
  const { priority, budget, ...input } = body;
  const asked = { pipeline: PLAN_PIPELINE, input: input as Json, idempotency, priority, budget };
  const request = await startRequest(deps, caller, asked);
  const prefer = readPrefer(headers.get("prefer"));
  const started = await engine.start(caller, request).then(
    ({ run, replayed, result }) => ({ id: run.id, replayed, result }),
    (thrown) => ({ ...underWay(thrown), result: undefined }),
  );
  const { id, replayed, result } = started;
  if (replayed) c.header("Idempotency-Replayed", "true");
  c.header("Location", planLinks(id).self);
  c.header("Preference-Applied", preferenceApplied(prefer));
  const ended = result && await within(() => result, { ...prefer, respond_async: true });
  const plan = await readPlan(deps, caller, await findPlan(engine, caller, id));
  return c.json(await planView(deps, caller, plan), ended ? 200 : 202);
}

/** Approves a plan as it is, or as the client has edited it. */
async function approve(
  c: C,
  deps: AppDeps,
  known: PlanRun,
  { plan, ...decision }: z.infer<typeof planApproval>,
): Promise<void> {
  const { payload_hash: current } = known.approval ?? {};
  // An edit of a plan that is not the current one is refused as such, whatever is wrong with it.
  const isCurrent = (decision.payload_hash ?? current) === current;
  if (plan !== undefined && isCurrent) await mustBeSound(known, plan);
  await decide(c, deps, known, { decision: "approve", ...decision, payload: plan as Plan });
}

async function list(c: C, { engine }: AppDeps) {
  const { status, limit, cursor } = readQuery(c, "status", "limit", "cursor");
  if (status !== undefined && !isWorkflowStatus(status)) {
    throw badHeader("?status", `must be one of ${STATUSES.join(", ")}`);
  }
  const caller = callerOf(c);
  const { runs, next_cursor } = await listPipelineRuns(engine, caller, {
    pipeline: PLAN_PIPELINE,
    status: runStatus(status),
    fits: (run) => status === undefined || statusOf(run) === status,
    limit: readLimit(limit),
    cursor: readCursor(cursor, "run"),
  });
  return {
    plans: await Promise.all(runs.map((run) => planItem(engine, caller, run))),
    next_cursor,
  };
}

/** @throws `validation_failed`: an edited plan that cannot be carried out is not taken */
async function mustBeSound({ state }: PlanRun, plan: unknown): Promise<void> {
  const { capabilities, plan: current } = state;
  if (!capabilities || !current) return;
  const kept = current.steps.filter(({ id }) => current.kept.includes(id));
  const issues = await planIssues(plan, { capabilities, kept });
  if (issues.length === 0) return;
  throw validationFailed(
    issues.map(({ location, message }) => ({
      location: location === "/" ? "/plan" : `/plan${location}`,
      message,
    })),
  );
}

async function decide(
  c: C,
  deps: AppDeps,
  { run, approval }: PlanRun,
  decision: DecideRequest,
): Promise<void> {
  if (!approval) {
    throw new OrchestratorError(
      "conflict",
      `Cannot ${decision.decision} the plan ${run.id}: it is not awaiting approval (status: ` +
        `${statusOf(run)}). See GET ${planLinks(run.id).self}.`,
      { details: { status: statusOf(run) } },
    );
  }
  const given = Object.entries(decision).filter(([, value]) => value !== undefined);
  const request = Object.fromEntries(given) as unknown as DecideRequest;
  await deps.approvals.decide(callerOf(c), approval.id, request);
}
