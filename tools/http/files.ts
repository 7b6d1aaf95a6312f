/**
 * The operator's tools files: definitions, OpenAPI documents, and the hosts of `http_request`.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import * as z from "zod";
import type { Issue } from "../../errors.ts";
import { parse, type Path } from "../../json/mod.ts";
import { COMMON, type HttpToolDefinition, parseToolDefinition } from "./definition.ts";
import type { HttpHost } from "./request.ts";

const FILE_NAME = /\.(ya?ml|json)$/;

const ORIGIN = z.url({ protocol: /^https?$/, error: "must be an http(s) URL" }).refine(
  (value) => URL.canParse(value) && new URL(value).href === `${new URL(value).origin}/`,
  { error: "must be an origin such as https://api.example.com, without a path or a password" },
);

const { secret_headers, timeout_seconds, untrusted } = COMMON;

const SECTIONS = z.strictObject({
  tools: z.array(z.unknown()).default([]),
  openapi: z.array(z.strictObject({
    /** A path, relative to the file, or an http(s) URL. */
    document: z.string().min(1),
    prefix: z.string().regex(/^[a-z][a-z0-9_]*$/).optional(),
    include: z.array(z.string()).optional(),
    base_url: z.url({ protocol: /^https?$/ }).optional(),
    ...{ secret_headers, timeout_seconds, untrusted },
  })).default([]),
  http_hosts: z.array(z.strictObject({
    origin: ORIGIN,
    methods: z.array(z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])).optional(),
    secret_headers,
  })).default([]),
});

/** An OpenAPI document that a file names. */
export type OpenapiEntry = z.output<typeof SECTIONS>["openapi"][number] & {
  /** The file, for messages. */
  file: string;
};

/** What is in the files. */
export interface ToolFiles {
  definitions: HttpToolDefinition[];
  openapi: OpenapiEntry[];
  http_hosts: HttpHost[];
  issues: Issue[];
}

/**
 * Reads files, and all YAML and JSON files of folders. A file holds one definition, or the sections
 * `tools`, `openapi` and `http_hosts`. Invalid entries are left out and reported.
 *
 * @param paths of files and folders
 */
export function readToolFiles(paths: readonly string[]): ToolFiles {
  const all: ToolFiles = { definitions: [], openapi: [], http_hosts: [], issues: [] };
  for (const file of paths.flatMap((path) => filesAt(path, all))) readFile(file, all);
  return all;
}

function filesAt(path: string, all: ToolFiles): string[] {
  if (!existsSync(path)) {
    all.issues.push({ location: path, message: "does not exist" });
    return [];
  }
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).filter((name) => FILE_NAME.test(name)).sort()
    .map((name) => join(path, name));
}

/** Tells where in a file a value is. */
type Locate = (path: Path) => string;

function readFile(file: string, all: ToolFiles): void {
  const counter = new LineCounter();
  const document = parseDocument(readFileSync(file, "utf8"), {
    lineCounter: counter,
    prettyErrors: false,
    stringKeys: true,
  });
  for (const { message, pos } of document.errors) {
    const { line } = counter.linePos(pos[0]);
    all.issues.push({ location: `${file}, line ${line}`, message });
  }
  if (document.errors.length > 0) return;
  const locate: Locate = (path) => {
    for (let depth = path.length; depth > 0; depth--) {
      const node = document.getIn(path.slice(0, depth), true) as { range?: number[] } | undefined;
      const offset = node?.range?.[0];
      if (offset === undefined) continue;
      return `${file}, line ${counter.linePos(offset).line}, ${path.join(".")}`;
    }
    return path.length > 0 ? `${file}, ${path.join(".")}` : file;
  };
  addValue(document.toJS({ maxAliasCount: 100 }), file, locate, all);
}

function addValue(value: unknown, file: string, locate: Locate, all: ToolFiles): void {
  if (typeof value === "object" && value !== null && "name" in value) {
    return addDefinition(value, [], locate, all);
  }
  // An OpenAPI document that lies beside the file that names it.
  if (typeof (value as { openapi?: unknown } | null)?.openapi === "string") return;
  const parsed = parse(SECTIONS, value ?? {});
  if (parsed.problems) {
    for (const { path, message } of parsed.problems) {
      all.issues.push({ location: locate(path), message });
    }
    return;
  }
  const { tools, openapi, http_hosts } = parsed.data;
  for (const [index, tool] of tools.entries()) addDefinition(tool, ["tools", index], locate, all);
  all.openapi.push(...openapi.map((entry) => ({
    ...entry,
    document: /^https?:/.test(entry.document)
      ? entry.document
      : resolve(dirname(file), entry.document),
    file,
  })));
  all.http_hosts.push(...http_hosts);
}

function addDefinition(value: unknown, at: Path, locate: Locate, all: ToolFiles): void {
  const { definition, issues = [] } = parseToolDefinition(value, { operator: true });
  for (const { path, message } of issues) {
    all.issues.push({ location: locate([...at, ...path]), message });
  }
  if (!definition) return;
  if (all.definitions.some(({ name }) => name === definition.name)) {
    const message = `is the second tool with the name ${definition.name}: rename one`;
    all.issues.push({ location: locate([...at, "name"]), message });
  } else all.definitions.push(definition);
}
