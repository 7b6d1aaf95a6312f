/**
 * What can be done to a run: cancel, redrive, pause, resume, restart it, send it a signal.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type { Caller } from "../guard/mod.ts";
import type { Engine, Json, RunRecord, RunStatus } from "../pipeline/kernel/mod.ts";
import { readBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import {
  findRun,
  ownIdempotency,
  reasonRequest,
  restartRequest,
  signalRequest,
  viewRun,
} from "../service/mod.ts";
import { readIdempotencyKey } from "./headers.ts";
import { callerOf } from "./identity.ts";

type C = Context<AppEnv>;

/** How long an answer waits, at most, for a run to apply a request, in milliseconds. */
const PATIENCE_MS = 1_000;
/** How often it looks. */
const LOOK_MS = 10;

/** The endpoints that change runs. Each answers 202: what is asked is on disk. */
export function runControlRoutes(deps: AppDeps): Hono<AppEnv> {
  const { engine } = deps;
  const max_bytes = deps.settings.max_body_bytes;
  const app = new Hono<AppEnv>();

  for (const [verb, wanted] of [["cancel", "cancelled"], ["pause", "paused"]] as const) {
    app.post(`/v1/runs/:id/${verb}`, async (c) => {
      const { reason } = await readBody(c, { schema: reasonRequest, max_bytes, when_empty: {} });
      const caller = callerOf(c);
      const run = await findRun(engine, caller, idOf(c));
      await applied(engine, caller, run, () => engine[verb](caller, run.id, reason), wanted);
      return await accepted(c, deps, run.id);
    });
  }

  for (const verb of ["redrive", "resume"] as const) {
    app.post(`/v1/runs/:id/${verb}`, async (c) => {
      const { id } = await findRun(engine, callerOf(c), idOf(c));
      await engine[verb](callerOf(c), id);
      return await accepted(c, deps, id);
    });
  }

  app.post("/v1/runs/:id/signal", async (c) => {
    const { name, payload } = await readBody(c, { schema: signalRequest, max_bytes });
    const { id } = await findRun(engine, callerOf(c), idOf(c));
    await engine.signal(callerOf(c), id, name, (payload ?? null) as Json);
    return await accepted(c, deps, id);
  });

  app.post("/v1/runs/:id/restart", (c) => restart(c, deps));

  return app;
}

async function restart(c: C, deps: AppDeps): Promise<Response> {
  const { engine, settings: { max_body_bytes: max_bytes } } = deps;
  const body = await readBody(c, { schema: restartRequest, max_bytes });
  const caller = callerOf(c);
  const { id } = await findRun(engine, caller, idOf(c));
  const { from, input, with: given } = body;
  const key = c.req.raw.headers.get("idempotency-key");
  const asked = readIdempotencyKey(key, { method: "POST", path: c.req.path, body });
  const idempotency = ownIdempotency(caller, asked);
  const { run, replayed } = await engine.restart(caller, id, {
    from,
    ...(idempotency ? { idempotency } : {}),
    ...(input === undefined ? {} : { input: input as Json }),
    ...(given === undefined ? {} : { with: given as Json }),
  });
  if (replayed) c.header("Idempotency-Replayed", "true");
  return await accepted(c, deps, run.id);
}

async function accepted(c: C, { engine }: AppDeps, id: string): Promise<Response> {
  c.header("Location", `/v1/runs/${id}`);
  return c.json(viewRun(await findRun(engine, callerOf(c), id)), 202);
}

function idOf(c: C): string {
  return c.req.param("id")!;
}

/**
 * Requests another status of a run. A waiting run wakes up to apply it and is `running` for a
 * moment: the answer waits until that is over.
 */
async function applied(
  engine: Engine,
  caller: Caller,
  { id, status }: RunRecord,
  ask: () => Promise<void>,
  wanted: RunStatus,
): Promise<void> {
  await ask();
  if (status !== "waiting") return;
  for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
    const run = await engine.get(caller, id);
    if (run?.status === wanted || run?.last_seq !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
