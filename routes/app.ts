import { Hono } from "hono";
import { cors } from "hono/cors";
import { approvalRoutes } from "./approvals.ts";
import { artifactRoutes } from "./artifacts.ts";
import { chatRoutes } from "./chat.ts";
import { conversationRoutes } from "./conversations.ts";
import { deadLetterRoutes } from "./dead_letters.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { documentRoutes } from "./documents.ts";
import { edge } from "./edge.ts";
import { healthRoutes } from "./health.ts";
import { llmRoutes } from "./llm.ts";
import { memoryRoutes } from "./memory.ts";
import { answerUnknown, endpointsOf } from "./not_found.ts";
import { pipelineRoutes, scheduleRoutes } from "./pipelines.ts";
import { planRoutes } from "./plans.ts";
import { onError } from "./problem.ts";
import { AddressRouter } from "./router.ts";
import { runControlRoutes } from "./run_control.ts";
import { runRoutes } from "./runs.ts";
import { createSessions } from "./sessions.ts";
import { toolRoutes } from "./tools.ts";
import { workflowRoutes } from "./workflow.ts";
import { chatSocketRoutes } from "./ws.ts";

const EXPOSED = [
  "X-Request-Id",
  "ETag",
  "Content-Disposition",
  "Location",
  "Retry-After",
  "Preference-Applied",
  "Idempotency-Replayed",
];

/** The whole HTTP surface. Nothing listens yet: pass `fetch` to a server, or call `request()`. */
export function createApp(deps: AppDeps): Hono<AppEnv> {
  const { allowed_origins } = deps.settings;
  const sessions = createSessions(deps.shutdown);
  const app = new Hono<AppEnv>({ router: new AddressRouter() });
  app.onError(onError(deps.log));
  if (allowed_origins.length > 0) {
    const share = cors({ origin: [...allowed_origins], exposeHeaders: EXPOSED, maxAge: 600 });
    // CORS does not cover WebSockets, and a handshake's answer cannot take more headers.
    app.use((c, next) => c.req.raw.headers.has("upgrade") ? next() : share(c, next));
  }
  app.route("/", healthRoutes(deps, sessions, () => endpointsOf(app)));
  app.route("/", chatSocketRoutes(deps, sessions));
  app.route("/", chatRoutes(deps, sessions));
  app.route("/", runRoutes(deps, sessions));
  app.route("/", runControlRoutes(deps));
  app.route("/", approvalRoutes(deps));
  app.route("/", artifactRoutes(deps));
  app.route("/", deadLetterRoutes(deps));
  app.route("/", toolRoutes(deps));
  app.route("/", workflowRoutes(deps));
  app.route("/", llmRoutes(deps));
  app.route("/", conversationRoutes(deps));
  app.route("/", memoryRoutes(deps));
  app.route("/", pipelineRoutes(deps));
  app.route("/", scheduleRoutes(deps));
  app.route("/", planRoutes(deps, sessions));
  app.route("/", documentRoutes(deps));
  answerUnknown(app);
  app.fetch = edge(deps, app.fetch);
  return app;
}
