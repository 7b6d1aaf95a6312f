/**
 * What the service is and how it is.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type { AppDeps, AppEnv } from "./deps.ts";
import { callerOf } from "./identity.ts";
import type { Sessions } from "./sessions.ts";

/** `/`, `/health`, `/livez` and `/readyz`. `endpoints` is asked when everything is mounted. */
export function healthRoutes(
  deps: AppDeps,
  sessions: Sessions,
  endpoints: () => string[],
): Hono<AppEnv> {
  const { about, engine, settings } = deps;
  const base = settings.base_url?.replace(/\/$/, "") ?? "";
  const app = new Hono<AppEnv>();

  app.get("/", (c) =>
    c.json({
      name: about.name,
      version: about.version,
      mode: about.mode,
      links: {
        health: `${base}/health`,
        chat: `${base}/v1/chat`,
        chat_stream: `${base.replace(/^http/, "ws")}/v1/chat/stream`,
        runs: `${base}/v1/runs`,
      },
      endpoints: endpoints(),
    }));

  app.get("/health", (c) => health(c, deps, sessions));

  app.get("/livez", (c) => c.json({ status: "ok" }));

  app.get("/readyz", (c) => {
    const { accepting, store_ok } = engine.stats();
    const reason = !store_ok ? "store down" : !accepting ? "draining" : undefined;
    return reason ? c.json({ status: "not ready", reason }, 503) : c.json({ status: "ok" });
  });

  return app;
}

async function health(
  c: Context<AppEnv>,
  { about: { name, version, mode }, engine, health }: AppDeps,
  sessions: Sessions,
): Promise<Response> {
  const parts = await health(callerOf(c));
  const { running, queued, accepting, store_ok } = engine.stats();
  const down = parts.store.status === "down" || !store_ok;
  const degraded = !accepting || parts.model_provider.status === "down";
  return c.json({
    status: down ? "down" : degraded ? "degraded" : "ok",
    name,
    version,
    mode,
    active_sessions: sessions.size,
    runs: { running, queued, accepting },
    ...parts,
  }, down ? 503 : 200);
}
