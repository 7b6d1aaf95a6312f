/** The tool `http_request`: any request to the hosts that the operator named. @module */
import { OrchestratorError } from "../../errors.ts";
import type { Egress } from "../../guard/mod.ts";
import type { Json } from "../../json/mod.ts";
import type { Tool, ToolScope } from "../tool.ts";
import { contentOf } from "./answer.ts";
import { urlArgument } from "./arguments.ts";
import { redact, type RevealedHeaders, revealHeaders, type Secrets } from "./secrets.ts";
import { encodeBody } from "./tool.ts";

const TIMEOUT_MS = 60_000;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** A host that `http_request` may reach. */
export interface HttpHost {
  /** `https://api.example.com`; may be private. */
  origin: string;
  /** Default: all. */
  methods?: string[];
  /** Sent with each request to it; `${ secrets.name }` stands for a secret. */
  secret_headers?: Record<string, string>;
}

/** What `http_request` needs. */
export interface HttpRequestDeps {
  egress: Egress;
  hosts: () => readonly HttpHost[];
  secrets: Secrets;
}

const INPUT = {
  type: "object",
  properties: {
    method: { type: "string", enum: METHODS, default: "GET" },
    url: { type: "string", description: "Full address, on a host that the operator allows." },
    query: { type: "object", additionalProperties: { type: "string" } },
    headers: { type: "object", additionalProperties: { type: "string" } },
    body: { description: "Text is sent as it is; anything else as JSON." },
  },
  required: ["url"],
  additionalProperties: false,
};

interface Arguments {
  method?: string;
  url: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Json;
}

/** Makes the tool. Its result is `{status, headers, body}`; a status is not an error. */
export function createHttpRequest(deps: HttpRequestDeps): Tool {
  return {
    name: "http_request",
    description: "Makes an HTTP request to one of the hosts that the operator allows. " +
      "Returns the status, some headers and the body, whatever the status is.",
    input: INPUT,
    source: "built_in",
    capability: "write",
    effect: "at_least_once",
    timeout_ms: TIMEOUT_MS,
    untrusted: true,
    run: (args, scope) => request(args as unknown as Arguments, scope, deps),
  };
}

async function request(args: Arguments, scope: ToolScope, deps: HttpRequestDeps): Promise<Json> {
  const { method = "GET", body } = args;
  const { url, host } = allowed(args.url, method, deps.hosts());
  for (const [key, value] of Object.entries(args.query ?? {})) url.searchParams.append(key, value);
  const secret = revealHeaders("http_request", host.secret_headers ?? {}, deps.secrets);
  const headers = lowerCase(args.headers ?? {});
  if (method !== "GET" && method !== "HEAD") headers["idempotency-key"] = scope.idempotency_key;
  if (typeof body === "string") headers["content-type"] ??= "text/plain; charset=utf-8";
  const response = await deps.egress.request(url.href, {
    method,
    // A text is sent as it is, also where it is called JSON.
    ...(body === undefined ? {} : {
      body: typeof body === "string" ? body : encodeBody(body, headers),
    }),
    headers,
    signal: scope.signal,
    timeout_ms: TIMEOUT_MS,
    // A redirect may lead to a host that was not named: the caller sees it and decides.
    max_redirects: 0,
    secret_headers: { origin: url.origin, headers: secret.headers },
    operator_origin: url.origin,
  });
  return {
    status: response.status,
    headers: shownHeaders(response.headers, secret),
    body: await contentOf("http_request", response, scope, secret.values),
  };
}

/** @throws `tool_unconfigured`, `tool_bad_arguments`, `egress_denied` */
function allowed(
  address: string,
  method: string,
  hosts: readonly HttpHost[],
): { url: URL; host: HttpHost } {
  if (hosts.length === 0) {
    throw new OrchestratorError(
      "tool_unconfigured",
      "Cannot call http_request: no hosts are configured for it. List them under http_hosts in " +
        "a tools file.",
    );
  }
  const url = urlArgument("http_request", address);
  const host = hosts.find(({ origin }) => new URL(origin).origin === url.origin);
  if (host && (host.methods ?? METHODS).includes(method)) return { url, host };
  const names = hosts.map(({ origin }) => origin).join(", ");
  const why = host ? `${method} is not allowed for this host` : `only ${names} are allowed`;
  throw new OrchestratorError(
    "egress_denied",
    `Cannot request ${url.origin}: ${why}. The operator can change http_hosts.`,
  );
}

const SHOWN = ["content-type", "location", "etag", "last-modified", "link", "retry-after"];

function shownHeaders(headers: Headers, { values }: RevealedHeaders): Record<string, string> {
  return Object.fromEntries(
    SHOWN.filter((name) => headers.has(name))
      .map((name) => [name, redact(headers.get(name) ?? "", values)]),
  );
}

function lowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, v]) => [name.toLowerCase(), v]));
}
