/**
 * Keeps web pages of other sites from driving this server through somebody's browser.
 *
 * DNS rebinding makes a page's own name point at this machine: the browser then says that name in
 * `Host`, so only known names are answered. Cross-site requests carry the page's `Origin`: those
 * that change something, and WebSockets (which CORS does not cover), need a known one. Clients that
 * are not browsers send no `Origin`.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
/** Orchestrators of containers probe by address; the answers hold nothing but a status. */
const PROBES = new Set(["/livez", "/readyz"]);

/** Throws: 421 for requests to a name that is not ours, 403 for foreign origins. */
export function originGuard(
  allowed_hosts: readonly string[],
  allowed_origins: readonly string[],
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
    `Cannot accept a request from a page of ${
      JSON.stringify(origin)
    }: its origin is not allowed. ` +
      "To allow it, add it to CORS_ORIGINS.",
  );
}

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(":");
  return colon > host.lastIndexOf("]") ? host.slice(0, colon) : host;
}
