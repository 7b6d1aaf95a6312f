/**
 * The set of tools that the operator's files define, those of OpenAPI documents included.
 *
 * Invariants: (1) files are read once, when the set is made; (2) an OpenAPI document is loaded with the
 * first question for tools, and one that failed again a minute after its failure at the earliest, in
 * the background; (3) what cannot be used is reported by `problem()`, the rest works.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { type Issue, OrchestratorError } from "../../errors.ts";
import type { Json } from "../../json/mod.ts";
import type { Tool, ToolSet } from "../tool.ts";
import { parseToolDefinition } from "./definition.ts";
import { type OpenapiEntry, readToolFiles } from "./files.ts";
import { openapiTools } from "./openapi.ts";
import type { HttpHost } from "./request.ts";
import type { Secrets } from "./secrets.ts";
import { httpTool, type HttpToolDeps } from "./tool.ts";

const RETRY_MS = 60_000;
const LOAD_TIMEOUT_MS = 10_000;
const MAX_DOCUMENT_BYTES = 10 * 1024 * 1024;

/** What the set needs. */
export interface FileToolsDeps extends Pick<HttpToolDeps, "egress" | "select"> {
  secrets: Secrets;
  /** Milliseconds since the epoch. */
  now: () => number;
  log: { warn(message: string, fields?: Record<string, unknown>): void };
}

/** The set, and what else is in the files. */
export interface FileTools extends ToolSet {
  /** For `http_request`. */
  readonly http_hosts: readonly HttpHost[];
}

/** An OpenAPI document that is being loaded, or was. */
interface Loaded {
  tools: Promise<Tool[]>;
  issues: Issue[];
  failed_at?: number;
}

/** Makes the set of the tools in files and folders. */
export function createFileTools(paths: readonly string[], deps: FileToolsDeps): FileTools {
  const files = readToolFiles(paths);
  const tools = files.definitions.map((one) => httpTool(one, { ...deps, source: "file" }));
  for (const issue of files.issues) deps.log.warn("a tool in a file cannot be used", { ...issue });
  const documents = files.openapi.map((entry) => createDocument(entry, deps));
  return {
    name: "files",
    http_hosts: files.http_hosts,
    async tools() {
      return [...tools, ...(await Promise.all(documents.map((one) => one.tools()))).flat()];
    },
    problem() {
      const issues = [...files.issues, ...documents.flatMap((one) => one.issues())];
      if (issues.length === 0) return undefined;
      return issues.map(({ location, message }) => `${location}: ${message}`).join("\n");
    },
  };
}

/**
 * Makes a tool of a definition that a client registered: it has no secrets and reaches public hosts
 * only.
 *
 * @throws `validation_failed`
 */
export function compileDefinition(
  value: Json,
  deps: Pick<HttpToolDeps, "egress" | "select">,
): Tool {
  const { definition, issues } = parseToolDefinition(value);
  if (definition) {
    const { egress, select } = deps;
    return httpTool(definition, { egress, select, source: "api" });
  }
  throw new OrchestratorError(
    "validation_failed",
    "Cannot register the tool: its definition is invalid. Fix the problems listed in `errors`.",
    { issues: issues.map(({ location, message }) => ({ location, message })) },
  );
}

function createDocument(entry: OpenapiEntry, deps: FileToolsDeps) {
  let loaded: Loaded | undefined;
  const load = () => {
    const next: Loaded = { tools: Promise.resolve([]), issues: [] };
    next.tools = toolsOf(entry, deps, next.issues).catch((error) => {
      const message = `its tools are not available: ${(error as Error).message}`;
      next.issues.push({ location: `${entry.file}, ${entry.document}`, message });
      next.failed_at = deps.now();
      deps.log.warn("an OpenAPI document cannot be used", { document: entry.document, error });
      return [];
    });
    return next;
  };
  return {
    tools(): Promise<Tool[]> {
      loaded ??= load();
      const { failed_at, tools } = loaded;
      if (failed_at === undefined || deps.now() - failed_at < RETRY_MS) return tools;
      // Who asks now does not wait for it.
      loaded = load();
      return tools;
    },
    issues: (): Issue[] => loaded?.issues ?? [],
  };
}

async function toolsOf(entry: OpenapiEntry, deps: FileToolsDeps, all: Issue[]): Promise<Tool[]> {
  const { document, file, secret_headers, timeout_seconds, untrusted, ...options } = entry;
  const { definitions, issues } = openapiTools(await readDocument(document, deps), {
    ...options,
    ...(isUrl(document) && { document_url: document }),
    common: { ...(secret_headers && { secret_headers }), timeout_seconds, untrusted },
  });
  for (const { location, message } of issues) {
    all.push({ location: `${file}, ${document}, ${location}`, message });
  }
  return definitions.map((one) => httpTool(one, { ...deps, source: "openapi" }));
}

function isUrl(document: string): boolean {
  return /^https?:/.test(document);
}

async function readDocument(document: string, { egress }: FileToolsDeps): Promise<unknown> {
  if (!isUrl(document)) return parseText(readFileSync(document, "utf8"));
  const { status, body } = await egress.request(document, {
    signal: new AbortController().signal,
    timeout_ms: LOAD_TIMEOUT_MS,
    max_bytes: MAX_DOCUMENT_BYTES,
    operator_origin: new URL(document).origin,
  });
  if (status >= 300) throw new Error(`the server answered ${status}`);
  return parseText(new TextDecoder().decode(body));
}

/** JSON is YAML, too, but large documents are read much faster as JSON. */
function parseText(text: string): unknown {
  return text.trimStart().startsWith("{") ? JSON.parse(text) : parse(text);
}
