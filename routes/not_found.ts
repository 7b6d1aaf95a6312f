import type { Hono } from "hono";
import { OrchestratorError } from "../errors.ts";
import type { AppEnv } from "./deps.ts";
import { problemOf, problemResponse } from "./problem.ts";

/** What `app` answers to, as `POST /v1/chat`; middleware left out. */
export function endpointsOf(app: Hono<AppEnv>): string[] {
  const routes = app.routes.filter(({ method }) => method !== "ALL");
  return [...new Set(routes.map(({ method, path }) => `${method} ${path}`))];
}

/** Answers what no route does: 405 with `Allow` on a known path, 404 elsewhere. */
export function answerUnknown(app: Hono<AppEnv>): void {
  const known = endpointsOf(app).map((endpoint) => {
    const [method, path] = endpoint.split(" ") as [string, string];
    return { method, pattern: new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`) };
  });
  app.notFound((c) => {
    const { method, path } = c.req;
    const allowed = known.filter(({ pattern }) => pattern.test(path)).map((route) => route.method);
    if (allowed.includes("GET")) allowed.push("HEAD");
    const error = allowed.length > 0
      ? new OrchestratorError(
        "method_not_allowed",
        `Cannot ${method} ${path}. Allowed methods: ${allowed.join(", ")}.`,
      )
      : new OrchestratorError(
        "not_found",
        `No route matches ${path}. GET / lists the available endpoints.`,
      );
    const response = problemResponse(problemOf(error, c.env.request_id));
    if (allowed.length > 0) response.headers.set("allow", allowed.join(", "));
    return response;
  });
}
