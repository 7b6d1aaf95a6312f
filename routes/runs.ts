/**
 * `/v1/runs`: start any pipeline; list, look at, follow and cancel runs.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { OrchestratorError } from "../errors.ts";
import type { Json } from "../pipeline/kernel/events.ts";
import type { RunRecord, RunStatus } from "../pipeline/kernel/runs.ts";
import { readBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import {
  badHeader,
  preferenceApplied,
  readIdempotencyKey,
  readInteger,
  readPrefer,
  within,
} from "./headers.ts";
import { tenantOf } from "./identity.ts";
import { endedRun, viewRun, viewRunDetail } from "./run_view.ts";
import { cancelRequest, ID, runRequest } from "./schemas.ts";
import type { Sessions } from "./sessions.ts";
import { replayAndFollow } from "./replay.ts";
import { openSse, sseSink } from "./sse.ts";
import { checkInput, createTranscript, leaveIfStopping } from "./turn.ts";

type C = Context<AppEnv>;

const STATUSES: RunStatus[] = ["queued", "running", "waiting", "completed", "failed", "cancelled"];
const MAX_SEQ = Number.MAX_SAFE_INTEGER;

/** The endpoints of runs. */
export function runRoutes(deps: AppDeps, sessions: Sessions): Hono<AppEnv> {
  const { engine } = deps;
  const app = new Hono<AppEnv>();

  app.post("/v1/runs", (c) => startRun(c, deps));

  app.get("/v1/runs", async (c) => {
    const { runs, next_cursor } = await engine.list(tenantOf(c), readListQuery(c));
    return c.json({ runs: runs.map(viewRun), next_cursor: next_cursor ?? null });
  });

  app.get("/v1/runs/:id", async (c) => {
    const run = await findRun(c, deps, c.req.param("id"));
    return c.json(viewRunDetail(run, await engine.journal(run.tenant, run.id)));
  });

  app.get("/v1/runs/:id/journal", async (c) => {
    const run = await findRun(c, deps, c.req.param("id"));
    return c.json(await engine.journal(run.tenant, run.id, readAfter(c)));
  });

  app.get("/v1/runs/:id/events", async (c) => {
    const after = readAfter(c);
    const run = await findRun(c, deps, c.req.param("id"));
    // Browsers come back for more after every end of a stream; only this status stops them.
    if (run.last_seq !== undefined && after >= run.last_seq) return c.body(null, 204);
    return followRun(deps, sessions, run, after);
  });

  app.post("/v1/runs/:id/cancel", async (c) => {
    const max_bytes = deps.settings.max_body_bytes;
    const { reason } = await readBody(c, { schema: cancelRequest, max_bytes, when_empty: {} });
    const { tenant, id } = await findRun(c, deps, c.req.param("id"));
    await engine.cancel(tenant, id, reason);
    c.header("Location", `/v1/runs/${id}`);
    return c.json(viewRun(await findRun(c, deps, id)), 202);
  });

  app.post("/v1/runs/:id/redrive", async (c) => {
    const { tenant, id } = await findRun(c, deps, c.req.param("id"));
    await engine.redrive(tenant, id);
    c.header("Location", `/v1/runs/${id}`);
    return c.json(viewRun(await findRun(c, deps, id)), 202);
  });

  return app;
}

async function startRun(c: C, deps: AppDeps): Promise<Response> {
  const { headers } = c.req.raw;
  const rules = { schema: runRequest, max_bytes: deps.settings.max_body_bytes };
  const body = await readBody(c, rules);
  const idempotency = readIdempotencyKey(headers.get("idempotency-key"), {
    method: "POST",
    path: "/v1/runs",
    body,
  });
  const { pipeline, conversation_id } = body;
  const input = (body.input ?? {}) as Json;
  const { version } = await deps.catalog.resolve(pipeline);
  await checkInput(deps.catalog, pipeline, input);
  const tenant = tenantOf(c);
  const prefer = readPrefer(headers.get("prefer"));
  const transcript = createTranscript();
  const started = await deps.engine.start({
    tenant,
    pipeline,
    version,
    input,
    ...(conversation_id ? { conversation_id } : {}),
    ...(idempotency ? { idempotency } : {}),
  }, prefer.wait ? transcript.listener : undefined);
  if (started.replayed) c.header("Idempotency-Replayed", "true");
  c.header("Location", `/v1/runs/${started.run.id}`);
  c.header("Preference-Applied", preferenceApplied(prefer));
  // Unlike a chat turn, a run is waited for only when the client asks for it.
  const ended = await within(() => started.result, { ...prefer, respond_async: true });
  if (ended === undefined) return c.json(viewRun(started.run), 202);
  leaveIfStopping(ended);
  await transcript.catchUp(deps.engine, started.run);
  return c.json(viewRunDetail(endedRun(started.run, transcript.events), transcript.events));
}

function followRun(deps: AppDeps, sessions: Sessions, run: RunRecord, after: number): Response {
  const stream = openSse(sessions);
  void replayAndFollow(deps.engine, run, after, sseSink(stream))
    .catch((error) => deps.log.error("event stream broke off", { run_id: run.id, error }))
    .finally(() => stream.end());
  return stream.response;
}

/** @throws `not_found`, also for a run of another tenant and for what cannot be a run's id */
async function findRun(c: C, deps: AppDeps, id: string): Promise<RunRecord> {
  const run = ID.test(id) ? await deps.engine.get(tenantOf(c), id) : null;
  if (run !== null) return run;
  throw new OrchestratorError(
    "not_found",
    `Cannot find the run ${JSON.stringify(id)}: there is none with this id. See GET /v1/runs.`,
  );
}

/** Where a client left off: `Last-Event-ID` from a reconnecting one, else `?after=`. */
function readAfter(c: C): number {
  const header = c.req.raw.headers.get("last-event-id");
  const name = header === null ? "?after" : "Last-Event-ID";
  return readInteger(header ?? c.req.query("after"), { name, min: 0, max: MAX_SEQ, fallback: 0 });
}

function readListQuery(c: C): { status?: RunStatus; limit: number; cursor?: string } {
  const { status, limit, cursor } = c.req.query();
  if (status !== undefined && !STATUSES.includes(status as RunStatus)) {
    throw badHeader("?status", `must be one of ${STATUSES.join(", ")}`);
  }
  if (cursor !== undefined && (cursor === "" || cursor.length > 500)) {
    throw badHeader("?cursor", "must be the next_cursor of an earlier answer");
  }
  return {
    ...(status === undefined ? {} : { status: status as RunStatus }),
    limit: readInteger(limit, { name: "?limit", min: 1, max: 200, fallback: 50 }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}
