/**
 * `/v1/runs`: start any pipeline; list, look at and follow runs.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type { JournalEvent, Json, RunRecord, RunStatus } from "../pipeline/kernel/mod.ts";
import { readBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import {
  badHeader,
  preferenceApplied,
  readCursor,
  readIdempotencyKey,
  readInteger,
  readLimit,
  readPrefer,
  readQuery,
  within,
} from "./headers.ts";
import {
  createTranscript,
  endedRun,
  findRun,
  leaveIfStopping,
  type PendingApproval,
  pendingApprovals,
  replayAndFollow,
  type RunRequest,
  runRequest,
  runState,
  startRequest,
  viewRun,
  viewRunDetail,
} from "../service/mod.ts";
import { callerOf } from "./identity.ts";
import type { Sessions } from "./sessions.ts";
import { openSse, sseSink } from "./sse.ts";

type C = Context<AppEnv>;

const STATUSES: RunStatus[] = [
  "queued",
  "running",
  "waiting",
  "paused",
  "completed",
  "failed",
  "cancelled",
];
const MAX_SEQ = Number.MAX_SAFE_INTEGER;

/** The endpoints of runs. */
export function runRoutes(deps: AppDeps, sessions: Sessions): Hono<AppEnv> {
  const { engine } = deps;
  const app = new Hono<AppEnv>();

  app.post("/v1/runs", async (c) => {
    const max_bytes = deps.settings.max_body_bytes;
    return await startRun(c, deps, await readBody(c, { schema: runRequest, max_bytes }));
  });

  app.get("/v1/runs", async (c) => {
    const { runs, next_cursor } = await engine.list(callerOf(c), readListQuery(c));
    return c.json({ runs: runs.map(viewRun), next_cursor: next_cursor ?? null });
  });

  app.get("/v1/runs/:id", async (c) => {
    const caller = callerOf(c);
    const run = await findRun(engine, caller, c.req.param("id"));
    const pending = await pendingApprovals(deps.approvals, caller, run);
    const journal = await engine.journal(caller, run.id);
    return c.json(showRun(run, journal, pending));
  });

  app.get("/v1/runs/:id/journal", async (c) => {
    const { id } = await findRun(engine, callerOf(c), c.req.param("id"));
    return c.json(await engine.journal(callerOf(c), id, readAfter(c)));
  });

  app.get("/v1/runs/:id/events", async (c) => {
    const run = await findRun(engine, callerOf(c), c.req.param("id"));
    return streamRun(c, deps, sessions, run);
  });

  return app;
}

/** Starts the run that `body` asks for, and answers as the request prefers. */
export async function startRun(c: C, deps: AppDeps, body: RunRequest): Promise<Response> {
  const { headers } = c.req.raw;
  const idempotency = readIdempotencyKey(headers.get("idempotency-key"), {
    method: "POST",
    path: "/v1/runs",
    body,
  });
  const asked = { ...body, input: (body.input ?? {}) as Json, idempotency };
  const caller = callerOf(c);
  const start = await startRequest(deps, caller, asked);
  const prefer = readPrefer(headers.get("prefer"));
  const transcript = createTranscript(() => true);
  const listener = prefer.wait ? transcript.listener : undefined;
  const started = await deps.engine.start(caller, start, listener);
  if (started.replayed) c.header("Idempotency-Replayed", "true");
  c.header("Location", `/v1/runs/${started.run.id}`);
  c.header("Preference-Applied", preferenceApplied(prefer));
  // Unlike a chat turn, a run is waited for only when the client asks for it.
  const ended = await within(() => started.result, { ...prefer, respond_async: true });
  if (ended === undefined) {
    const { run } = started;
    // While the client waited, the run may have started to wait for a person.
    return c.json(viewRun(prefer.wait ? await findRun(deps.engine, caller, run.id) : run), 202);
  }
  leaveIfStopping(ended);
  await transcript.catchUp(deps.engine, caller, started.run.id);
  return c.json(showRun(endedRun(started.run, transcript.events), transcript.events));
}

/** A run as it is shown, whether it was read or watched to its end. */
function showRun(run: RunRecord, journal: JournalEvent[], pending?: PendingApproval[]) {
  return { ...viewRunDetail(run, journal, pending), state: runState(journal) };
}

/** A run's events from where the client left off, then live. */
export function streamRun(c: C, deps: AppDeps, sessions: Sessions, run: RunRecord): Response {
  const after = readAfter(c);
  // Browsers come back for more after every end of a stream; only this status stops them.
  if (run.last_seq !== undefined && after >= run.last_seq) return c.body(null, 204);
  const stream = openSse(sessions);
  void replayAndFollow(deps.engine, callerOf(c), run.id, after, sseSink(stream))
    .catch((error) => deps.log.error("event stream interrupted", { run_id: run.id, error }))
    .finally(() => stream.end());
  return stream.response;
}

/** Where a client left off: `Last-Event-ID` from a reconnecting one, else `?after=`. */
function readAfter(c: C): number {
  const header = c.req.raw.headers.get("last-event-id");
  const name = header === null ? "?after" : "Last-Event-ID";
  return readInteger(header ?? c.req.query("after"), { name, min: 0, max: MAX_SEQ, fallback: 0 });
}

function readListQuery(c: C): { status?: RunStatus; limit: number; cursor?: string } {
  const { status, limit, cursor } = readQuery(c, "status", "limit", "cursor");
  if (status !== undefined && !STATUSES.includes(status as RunStatus)) {
    throw badHeader("?status", `must be one of ${STATUSES.join(", ")}`);
  }
  return {
    ...(status === undefined ? {} : { status: status as RunStatus }),
    limit: readLimit(limit),
    cursor: readCursor(cursor, "run"),
  };
}
