import * as z from "zod";
import { OrchestratorError, sentence } from "../../errors.ts";
import { compileTemplate, type Evaluate, type Scope } from "../language/mod.ts";
import { unknownName } from "../../json/mod.ts";
import type { Effect, Json } from "../kernel/mod.ts";
import { callService, type Fetch, type ServiceRequest, type Services } from "../calls/mod.ts";
import { common, type Limits, next, nextTarget, type NodeKind, type Placed } from "./kind.ts";
import { oneStep } from "./policy.ts";

interface CallNode extends Limits {
  call: {
    service: string;
    path: string;
    method?: string;
    body?: unknown;
    query?: Record<string, unknown>;
    headers?: Record<string, string>;
  };
  effect?: Effect;
  next?: string;
}

/** What call nodes need. */
export interface CallEnv {
  /** Without it there are none. */
  services?: Services;
  /** Default: `globalThis.fetch`. */
  fetch?: Fetch;
}

const PARTS = ["path", "query", "headers", "body"] as const;

/** Headers that the caller sets itself, and those that hold secrets. */
const RESERVED = new Set([
  "authorization",
  "connection",
  "content-length",
  "content-type",
  "cookie",
  "host",
  "idempotency-key",
  "proxy-authorization",
  "transfer-encoding",
  "upgrade",
]);

const headerName = z.string().regex(
  /^[A-Za-z0-9-]+$/,
  "a header's name consists of letters, digits and -",
)
  .refine((name) => !RESERVED.has(name.toLowerCase()), "this header cannot be set here");

/** `call:` asks a configured service over HTTP as one step. */
export const call: NodeKind<CallNode, CallEnv> = {
  kind: "call",
  // A request does not say who asks, and embedded services answer every user alike.
  personal: false,
  recorded: "step",
  loosens: false,
  schema: z.strictObject({
    call: z.strictObject({
      service: z.string().describe("Name of a configured service."),
      path: z.string().regex(/^\//, "a path starts with /")
        .describe("Appended to the service's address; may contain ${ expressions }."),
      method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]).optional()
        .describe("Default POST."),
      body: z.unknown().optional()
        .describe("Sent as JSON: any value with ${ expressions }. Without it: no body."),
      query: z.record(z.string(), z.unknown()).optional()
        .describe("Query parameters: values with ${ expressions }."),
      headers: z.record(headerName, z.string()).optional()
        .describe("Headers: texts with ${ expressions }, but no secrets."),
    }),
    ...common,
    effect: z.enum(["none", "at_least_once", "at_most_once"]).optional().describe(
      "The effect of the call. at_least_once (default): it may happen again after a crash, with the same Idempotency-Key. at_most_once: it is never repeated. none: it only reads.",
    ),
    ...next,
  }),
  templates: ({ call }) =>
    PARTS.filter((name) => call[name] !== undefined)
      .map((name): Placed<unknown> => ({ path: ["call", name], value: call[name] })),
  targets: nextTarget,
  references: ({ call }) => [{ to: "service", path: ["call", "service"], value: call.service }],
  compile(node, { services = {}, fetch }) {
    const { service: name } = node.call;
    const service = Object.hasOwn(services, name) ? services[name] : undefined;
    if (!service) {
      const why = unknownName("service", name, Object.keys(services));
      throw new OrchestratorError(
        "pipeline_invalid",
        `Cannot call service "${name}": ${sentence(why)}`,
      );
    }
    const prepare = compileRequest(node.call);
    const timeout_ms = "url" in service ? { timeout_ms: service.timeout_ms } : {};
    const effect = node.effect ? { effect: node.effect } : {};
    return oneStep(
      { kind: "call", ...timeout_ms, ...effect, node, next: () => node.next },
      async (scope, step, run) =>
        callService(name, service, await prepare(scope), step, run, fetch),
    );
  },
};

function compileRequest(call: CallNode["call"]) {
  const parts = Object.fromEntries(
    PARTS.filter((name) => call[name] !== undefined)
      .map((name) => [name, compileTemplate(call[name] as Json)]),
  ) as { path: Evaluate } & Partial<Record<typeof PARTS[number], Evaluate>>;
  return async (scope: Scope): Promise<ServiceRequest> => {
    const [path, query, headers, body] = await Promise.all(
      PARTS.map((name) => parts[name]?.(scope)),
    );
    return {
      method: call.method ?? "POST",
      path: text(path),
      query: texts(query),
      headers: texts(headers),
      ...(body === undefined ? {} : { body }),
    };
  };
}

function texts(value: Json | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries((value ?? {}) as Record<string, Json>).map(([name, part]) => [name, text(part)]),
  );
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
