import { getPath } from "hono/utils/url";
import { OrchestratorError } from "../errors.ts";
import type { AppDeps, AppEnv, RouteSettings } from "./deps.ts";
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

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
/** Orchestrators of containers probe by address; the answers hold nothing but a status. */
const PROBES = new Set(["/livez", "/readyz"]);

/** Answers a request; handlers find `env` in their context. */
type Answer = (request: Request, env: AppEnv["Bindings"]) => Response | Promise<Response>;

/**
 * What goes around every request. Not Hono's middleware, of which every layer costs every request
 * several promises: an address without any is answered by its handler directly.
 *
 * - It takes a sane `X-Request-Id` or makes one, and always answers with it.
 * - It refuses names that are not this server's, and pages of foreign origins.
 * - Its answer gets the security headers that it does not have.
 * - The log gets a line when its headers are ready to go: for a stream that is its beginning. Neither
 *   query strings nor headers are logged: they may hold secrets.
 */
export function edge(
  { log, newId, now, identify, settings }: AppDeps,
  answer: Answer,
): (request: Request) => Promise<Response> {
  const guard = originGuard(settings);
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

/**
 * Keeps web pages of other sites from using this server through a user's browser.
 *
 * DNS rebinding makes a page's own name point at this machine: the browser then says that name in
 * `Host`, so only known names are answered. Cross-site requests carry the page's `Origin`: those
 * that change something, and WebSockets (which CORS does not cover), need a known one. Clients that
 * are not browsers send no `Origin`.
 *
 * @throws `misdirected_request` for a name that is not ours, `forbidden_origin` for a foreign origin
 */
function originGuard(
  { allowed_hosts, allowed_origins }: RouteSettings,
): (request: Request, path: string) => void {
  const hosts = new Set([...LOOPBACK, ...allowed_hosts.map((name) => name.toLowerCase())]);
  const origins = new Set(allowed_origins.map((origin) => origin.toLowerCase()));
  return ({ method, headers, url }, path) => {
    const host = (headers.get("host") ?? new URL(url).host).toLowerCase();
    if (!hosts.has(withoutPort(host)) && !PROBES.has(path)) {
      throw new OrchestratorError(
        "misdirected_request",
        `Cannot answer for the host ${JSON.stringify(host)}: it is not one of this server's ` +
          "names. To allow it, add it to ALLOWED_HOSTS.",
      );
    }
    const origin = headers.get("origin");
    if (origin !== null && (!SAFE_METHODS.has(method) || headers.has("upgrade"))) {
      checkOrigin(origin.toLowerCase(), host, origins);
    }
  };
}

function checkOrigin(origin: string, host: string, allowed: Set<string>): void {
  if (allowed.has(origin) || origin === `http://${host}` || origin === `https://${host}`) return;
  throw new OrchestratorError(
    "forbidden_origin",
    `Cannot accept a request from a page of ${JSON.stringify(origin)}: its origin is not ` +
      "allowed. To allow it, add it to CORS_ORIGINS.",
  );
}

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(":");
  return colon > host.lastIndexOf("]") ? host.slice(0, colon) : host;
}
