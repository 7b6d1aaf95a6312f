/**
 * `/v1/approvals`: what runs ask people, and the only place where people answer.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { OrchestratorError } from "../errors.ts";
import {
  type Approval,
  type ApprovalStatus,
  viewApproval,
} from "../pipeline/calls/approvals/mod.ts";
import type { Json } from "../pipeline/kernel/mod.ts";
import { readBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { badHeader, readCursor, readLimit, readQuery } from "./headers.ts";
import { callerOf } from "./identity.ts";
import { approvalLinks, decideRequest, ID } from "../service/mod.ts";

const STATUSES: ApprovalStatus[] = ["pending", "approved", "rejected", "expired", "void"];

/** The endpoints of approvals. */
export function approvalRoutes({ approvals, settings }: AppDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();

  app.get("/v1/approvals", async (c) => {
    const page = await approvals.list(callerOf(c), readListQuery(c));
    return c.json({
      approvals: page.approvals.map(view),
      next_cursor: page.next_cursor ?? null,
    });
  });

  app.get("/v1/approvals/:id", async (c) => {
    const id = c.req.param("id");
    const approval = ID.test(id) ? await approvals.get(callerOf(c), id) : null;
    if (approval === null) throw notFound(id);
    return c.json(view(approval));
  });

  app.post("/v1/approvals/:id/decide", async (c) => {
    const max_bytes = settings.max_body_bytes;
    const { payload, ...body } = await readBody(c, { schema: decideRequest, max_bytes });
    const id = c.req.param("id");
    if (!ID.test(id)) throw notFound(id);
    const request = { ...body, ...(payload === undefined ? {} : { payload: payload as Json }) };
    return c.json(view(await approvals.decide(callerOf(c), id, request)));
  });

  return app;
}

function view(approval: Approval) {
  return { ...viewApproval(approval), links: approvalLinks(approval) };
}

function readListQuery(c: Context<AppEnv>) {
  const { status, run, limit, cursor } = readQuery(c, "status", "run", "limit", "cursor");
  if (status !== undefined && !STATUSES.includes(status as ApprovalStatus)) {
    throw badHeader("?status", `must be one of ${STATUSES.join(", ")}`);
  }
  if (run !== undefined && !ID.test(run)) throw badHeader("?run", "must be the ID of a run");
  return {
    status: status as ApprovalStatus | undefined,
    run_id: run,
    limit: readLimit(limit),
    cursor: readCursor(cursor, "approval"),
  };
}

function notFound(id: string): OrchestratorError {
  return new OrchestratorError(
    "not_found",
    `No approval has the ID ${JSON.stringify(id)}. GET /v1/approvals lists them.`,
  );
}
