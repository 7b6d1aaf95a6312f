/**
 * `/v1/dead-letters`: runs that failed, to be looked at and started again from where they failed.
 *
 * @module
 */
import { Hono } from "hono";
import { type ErrorJson, OrchestratorError, toErrorJson } from "../errors.ts";
import type { RunRecord } from "../pipeline/kernel/mod.ts";
import { readBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { findRun, redriveRequest, viewRun } from "../service/mod.ts";
import { readCursor, readLimit, readQuery } from "./headers.ts";
import { callerOf } from "./identity.ts";

/** A run that failed. */
export interface DeadLetter {
  /** The run's. */
  id: string;
  pipeline: string;
  version: string;
  error?: ErrorJson;
  created_at: string;
  failed_at?: string;
  conversation_id?: string;
  /** How often the run was begun: 1, and one more for each time it was redriven. */
  attempts: number;
  links: { run: string; journal: string; redrive: string };
}

/** The outcome for one run of a bulk redrive. */
type Redriven = { id: string; status: "accepted" } | { id: string; error: ErrorJson };

/** The endpoints of dead letters. */
export function deadLetterRoutes({ engine, settings }: AppDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();

  app.get("/v1/dead-letters", async (c) => {
    const { limit, cursor } = readQuery(c, "limit", "cursor");
    const { runs, next_cursor } = await engine.list(callerOf(c), {
      status: "failed",
      limit: readLimit(limit),
      cursor: readCursor(cursor, "run"),
    });
    return c.json({ dead_letters: runs.map(toDeadLetter), next_cursor: next_cursor ?? null });
  });

  app.post("/v1/dead-letters/redrive", async (c) => {
    const max_bytes = settings.max_body_bytes;
    const { ids } = await readBody(c, { schema: redriveRequest, max_bytes });
    const results: Redriven[] = [];
    for (const id of new Set(ids)) {
      const error = await engine.redrive(callerOf(c), id).then(() => undefined, known);
      results.push(error ? { id, error } : { id, status: "accepted" });
    }
    return c.json({ results }, 202);
  });

  app.post("/v1/dead-letters/:id/redrive", async (c) => {
    const caller = callerOf(c);
    const { id } = await findRun(engine, caller, c.req.param("id"));
    await engine.redrive(caller, id);
    c.header("Location", `/v1/runs/${id}`);
    return c.json(viewRun(await findRun(engine, caller, id)), 202);
  });

  return app;
}

function toDeadLetter(run: RunRecord): DeadLetter {
  const { id, pipeline, version, error, created_at, ended_at, conversation_id, attempts = 1 } = run;
  const self = `/v1/runs/${id}`;
  return {
    id,
    pipeline,
    version,
    ...(error ? { error } : {}),
    created_at,
    ...(ended_at ? { failed_at: ended_at } : {}),
    ...(conversation_id ? { conversation_id } : {}),
    attempts,
    links: { run: self, journal: `${self}/journal`, redrive: `/v1/dead-letters/${id}/redrive` },
  };
}

/** Why one run cannot be redriven; what is wrong with the service ends the request. */
function known(error: unknown): ErrorJson {
  if (
    error instanceof OrchestratorError && error.kind === "terminal" && error.code !== "internal"
  ) {
    return toErrorJson(error);
  }
  throw error;
}
