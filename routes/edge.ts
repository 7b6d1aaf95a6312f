import { getPath } from "hono/utils/url";
import type { AppDeps, AppEnv } from "./deps.ts";
import { problemOfThrown, problemResponse } from "./problem.ts";

/** Ids from outside end up in logs and headers: nothing else than these characters may. */
const SANE_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

/** They keep an API's answers inert; a route's own header of that name wins. */
const DEFAULTS: [name: string, value: string][] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["cache-control", "no-store"],
];

/** Probes are not logged. */
const QUIET = new Set(["/health", "/livez", "/readyz"]);

/** Answers a request; handlers find `env` in their context. */
type Answer = (request: Request, env: AppEnv["Bindings"]) => Response | Promise<Response>;

/**
 * What goes around every request. Not Hono's middleware, of which every layer costs every request
 * several promises: an address without any is answered by its handler directly.
 *
 * - It takes a sane `X-Request-Id` or makes one, and always answers with it.
 * - What `guard` throws is the answer.
 * - Its answer gets the security headers that it does not have.
 * - The log gets a line when its headers are ready to go: for a stream that is its beginning. Neither
 *   query strings nor headers are logged: they may hold secrets.
 */
export function edge(
  { log, newId, now, identify }: AppDeps,
  guard: (request: Request, path: string) => void,
  answer: Answer,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const began = now();
    const given = request.headers.get("x-request-id");
    const request_id = given !== null && SANE_ID.test(given) ? given : `req_${newId()}`;
    const { method } = request;
    const path = getPath(request);
    let response: Response;
    try {
      guard(request, path);
      response = await answer(request, { request_id, identify });
    } catch (error) {
      response = problemResponse(problemOfThrown(error, { request_id, method, path }, log));
    }
    const { status } = response;
    // A WebSocket's 101 answer belongs to the runtime.
    if (status !== 101) complete(response.headers, request_id);
    if (QUIET.has(path)) return response;
    const ms = Math.round((now() - began) * 1000) / 1000;
    log.info("request", { method, path, status, ms, request_id });
    return response;
  };
}

function complete(headers: Headers, request_id: string): void {
  for (const [name, value] of DEFAULTS) if (!headers.has(name)) headers.set(name, value);
  headers.set("x-request-id", request_id);
}
