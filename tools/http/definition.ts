/**
 * HTTP tools as data: what a file or a client writes, and what is wrong with it.
 *
 * @module
 */
import * as z from "zod";
import type { Issue } from "../../errors.ts";
import { type Json, type JsonSchema, parse, type Path, schemaProblems } from "../../json/mod.ts";
import { placeholders } from "./template.ts";

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
const SCALAR = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const SCHEMA = z.record(z.string(), z.unknown());

const headers = () =>
  z.record(z.string().regex(TOKEN, { error: "is not a valid header name" }), z.string());

/** Names of tools. */
export const TOOL_NAME = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, {
  error: "must be 1 to 64 lower-case letters, digits and `_`, starting with a letter",
});

/** What is common to tools from definitions and from OpenAPI documents. */
export const COMMON = {
  capability: z.enum(["compute", "read", "egress", "write"]).optional(),
  effect: z.enum(["none", "at_least_once", "at_most_once"]).optional(),
  /** For one call. */
  timeout_seconds: z.number().int().min(1).max(3600).default(30),
  /** False if no one else controls what it returns. */
  untrusted: z.boolean().default(true),
  /** Headers with `${ secrets.name }`, sent to the origin of the address only. */
  secret_headers: headers().optional(),
};

const DEFINITION = z.strictObject({
  name: TOOL_NAME,
  description: z.string().min(1).max(4000),
  input: SCHEMA.default({ type: "object", properties: {} }),
  output: SCHEMA.optional(),
  http: z.strictObject({
    method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]).default("GET"),
    url: z.string(),
    query: z.record(z.string(), SCALAR).default({}),
    headers: headers().default({}),
    /** Sent as JSON, as a form or as text, as its `content-type` header says; JSON without one. */
    body: z.json().optional(),
    /** What of the answer is the result: a JSON pointer (`/items`) or a JSONata expression. */
    response: z.string().optional(),
  }),
  ...COMMON,
});

/** A definition that is whole. */
export type HttpToolDefinition = z.output<typeof DEFINITION>;

/** What {@linkcode parseToolDefinition} found. */
export type ParsedDefinition =
  | { definition: HttpToolDefinition; issues?: undefined }
  | { definition?: undefined; issues: (Issue & { path: Path })[] };

/**
 * Reads a definition.
 *
 * @param options.operator true for the operator's own definitions: only these may use secrets, and
 *   say that they are less than a way out, or that what they return can be trusted
 */
export function parseToolDefinition(
  value: unknown,
  options: { operator?: boolean } = {},
): ParsedDefinition {
  const parsed = parse(DEFINITION, value);
  if (parsed.problems) {
    return { issues: parsed.problems.map(({ path, message }) => issue(path, message)) };
  }
  const issues = problems(parsed.data, options.operator ?? false);
  return issues.length > 0 ? { issues } : { definition: parsed.data };
}

function issue(path: Path, message: string) {
  return { location: `/${path.join("/")}`, message, path };
}

function problems(definition: HttpToolDefinition, operator: boolean): (Issue & { path: Path })[] {
  const { input, output, http } = definition;
  return [
    ...(input.type === "object" ? [] : [issue(["input", "type"], 'must be "object"')]),
    ...schemaProblems(input, ["input"]).map(({ path, message }) => issue(path, message)),
    ...(output ? schemaProblems(output, ["output"]) : []).map((p) => issue(p.path, p.message)),
    ...urlProblems(http.url),
    ...placeholderProblems(definition),
    ...(http.body !== undefined && (http.method === "GET" || http.method === "HEAD")
      ? [issue(["http", "body"], `a ${http.method} request has no body: remove it`)]
      : []),
    ...(operator ? [] : operatorsOnly(definition)),
  ];
}

/** What would weaken the rules for what text from outside may cause. */
function operatorsOnly({ secret_headers, capability, untrusted }: HttpToolDefinition) {
  const only = "only tools in the operator's files may";
  return [
    ...(secret_headers ? [issue(["secret_headers"], `${only} use secrets`)] : []),
    ...(capability === "compute" || capability === "read"
      ? [
        issue(
          ["capability"],
          `${only} be ${capability}, because this tool sends something outside`,
        ),
      ]
      : []),
    ...(untrusted ? [] : [issue(["untrusted"], `${only} be trusted`)]),
  ];
}

function urlProblems(url: string): (Issue & { path: Path })[] {
  const wrong = (message: string) => [issue(["http", "url"], message)];
  const [, origin = ""] = /^(https?:\/\/[^/?#]*)/i.exec(url) ?? [];
  if (!URL.canParse(origin)) return wrong("must be an http(s) URL");
  if (placeholders(origin).length > 0 || /[{}]/.test(origin)) {
    return wrong("must not have placeholders in its host: a tool has exactly one host");
  }
  const { username, password } = new URL(origin);
  if (username || password) return wrong("must not contain a password: use secret_headers instead");
  return url.includes("#") ? wrong("must not have a fragment") : [];
}

function placeholderProblems({ input, http }: HttpToolDefinition): (Issue & { path: Path })[] {
  const properties = Object.keys((input.properties ?? {}) as JsonSchema);
  const required = Array.isArray(input.required) ? input.required as unknown[] : [];
  const parts: [string, Json][] = Object.entries({
    url: http.url,
    query: http.query,
    headers: http.headers,
    body: http.body ?? null,
  });
  const unknown = parts.flatMap(([part, template]) =>
    placeholders(template).filter((name) => !properties.includes(name))
      .map((name) => issue(["http", part], `{${name}} is not a property of the input`))
  );
  const optional = placeholders(http.url)
    .filter((name) => properties.includes(name) && !required.includes(name))
    .map((name) =>
      issue(["input", "required"], `must include ${name}, because it is part of the address`)
    );
  return [...unknown, ...optional];
}
