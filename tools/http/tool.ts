/** A tool of a definition. @module */
import { OrchestratorError } from "../../errors.ts";
import type { Egress } from "../../guard/mod.ts";
import type { Json } from "../../json/mod.ts";
import type { Tool, ToolScope, ToolSource } from "../tool.ts";
import { contentOf, statusFailure } from "./answer.ts";
import { badArgument } from "./arguments.ts";
import type { HttpToolDefinition } from "./definition.ts";
import { revealHeaders, type Secrets } from "./secrets.ts";
import { type Args, fillJson, fillQuery, fillText, plainText } from "./template.ts";

/** What of an answer an expression sees. */
export interface Answer {
  body: Json;
  status: number;
  /** The call's arguments. */
  input: Json;
}

/** Prepares a JSONata expression. @throws (when evaluated) `expression_failed`, `expression_limit` */
export type Select = (expression: string) => (answer: Answer) => Promise<Json | undefined>;

/** What HTTP tools need. */
export interface HttpToolDeps {
  egress: Egress;
  source: ToolSource;
  select: Select;
  /**
   * For the operator's own definitions only: their secrets. Without it a tool has none and reaches
   * public hosts only.
   */
  secrets?: Secrets;
}

const SAFE = ["GET", "HEAD"];

/** Makes a tool of a definition that {@linkcode parseToolDefinition} took. */
export function httpTool(definition: HttpToolDefinition, deps: HttpToolDeps): Tool {
  const { name, description, input, output, http, timeout_seconds, untrusted } = definition;
  const reads = SAFE.includes(http.method);
  const result = selector(http.response, deps.select);
  return {
    name,
    description,
    input,
    ...(output && { output }),
    source: deps.source,
    capability: definition.capability ?? (reads ? "egress" : "write"),
    effect: definition.effect ?? defaultEffect(http.method),
    timeout_ms: timeout_seconds * 1000,
    untrusted,
    async run(args, scope) {
      const answer = await call(definition, args, scope, deps);
      const found = await result(answer);
      if (found !== undefined) return found;
      const why = `the response has no value at ${http.response}. Fix the tool's \`http.response\``;
      throw new OrchestratorError("tool_failed", `Cannot call ${name}: ${why}.`, {
        details: { tool: name, status: answer.status },
      });
    },
  };
}

/** POST and PATCH may do their work twice when they are sent twice. */
function defaultEffect(method: string): Tool["effect"] {
  if (SAFE.includes(method)) return "none";
  return method === "PUT" || method === "DELETE" ? "at_least_once" : "at_most_once";
}

async function call(
  definition: HttpToolDefinition,
  args: Args,
  scope: ToolScope,
  deps: HttpToolDeps,
): Promise<Answer> {
  const { name, http, secret_headers = {}, timeout_seconds } = definition;
  const url = address(definition, args);
  const { origin } = url;
  const secret = revealHeaders(name, secret_headers, deps.secrets ?? (() => undefined));
  const response = await deps.egress.request(url.href, {
    method: http.method,
    ...content(definition, args, scope),
    signal: scope.signal,
    timeout_ms: timeout_seconds * 1000,
    // What changes something goes where the operator said, and nowhere else.
    ...(SAFE.includes(http.method) ? {} : { max_redirects: 0 }),
    secret_headers: { origin, headers: secret.headers },
    ...(deps.secrets && { operator_origin: origin }),
  });
  if (response.status >= 300) throw statusFailure(name, response, secret.values);
  const body = await contentOf(name, response, scope, secret.values, http.response !== undefined);
  return { body, status: response.status, input: args };
}

/** The filled address. @throws `tool_bad_arguments` when an argument would lead to another path */
function address({ name, http }: HttpToolDefinition, args: Args): URL {
  const text = fillText(http.url, args, (part) => {
    if (part === "") badArgument(name, "a part of the address is empty");
    return encodeURIComponent(part);
  });
  if (text === undefined) badArgument(name, "a part of the address is missing");
  const url = new URL(text);
  const [path = ""] = text.replace(/^https?:\/\/[^/?]*/i, "").split("?");
  // Dots that are a whole part of a path would be taken for steps upwards.
  if (url.pathname.split("/").length !== Math.max(2, path.split("/").length)) {
    badArgument(name, "a part of the address is . or ..");
  }
  for (const [key, value] of fillQuery(http.query, args)) url.searchParams.append(key, value);
  return url;
}

function content(
  { http }: HttpToolDefinition,
  args: Args,
  scope: ToolScope,
): { headers: Record<string, string>; body?: string } {
  const headers: Record<string, string> = { accept: "application/json, */*;q=0.5" };
  if (!SAFE.includes(http.method)) headers["idempotency-key"] = scope.idempotency_key;
  for (const [name, template] of Object.entries(http.headers)) {
    const value = fillText(template, args);
    if (value !== undefined) headers[name.toLowerCase()] = value;
  }
  const body = http.body === undefined ? undefined : fillJson(http.body, args);
  return body === undefined ? { headers } : { headers, body: encodeBody(body, headers) };
}

/** Writes a body as its `content-type` says; sets it to JSON when it is not set. */
export function encodeBody(body: Json, headers: Record<string, string>): string {
  const type = headers["content-type"] ??= "application/json";
  if (type.startsWith("application/x-www-form-urlencoded") && isObject(body)) {
    const fields = Object.entries(body).flatMap(([key, value]) =>
      [value ?? null].flat().map((item): [string, string] => [key, plainText(item)])
    );
    return new URLSearchParams(fields).toString();
  }
  return /\bjson\b/i.test(type) || typeof body !== "string" ? JSON.stringify(body) : body;
}

function isObject(value: Json): value is { [key: string]: Json | undefined } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What takes the result out of an answer: nothing, a JSON pointer or an expression. */
function selector(wanted: string | undefined, select: Select): ReturnType<Select> {
  if (wanted === undefined) return ({ body }) => Promise.resolve(body);
  if (wanted !== "" && !wanted.startsWith("/")) return select(wanted);
  return ({ body }) => Promise.resolve(atPointer(body, wanted));
}

/** What a JSON pointer (RFC 6901) leads to. */
function atPointer(value: Json, pointer: string): Json | undefined {
  let at: Json | undefined = value;
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, Json | undefined>)[key];
  }
  return at;
}
