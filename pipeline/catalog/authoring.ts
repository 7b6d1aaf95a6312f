/**
 * Pipelines as people write them: read, check, put and delete documents.
 *
 * A document's tag is the hash of its text, whether it comes from a file or from the store, so that a
 * change that was made from another text than the current one can be refused.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type Issue, OrchestratorError } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import type { JsonSchema } from "../../llm/mod.ts";
import type { Catalog } from "./catalog.ts";
import type { CatalogEntry, Document, Resolved, Source } from "./resolver.ts";
import {
  type Definition,
  invalidPipeline,
  loosenings,
  type Pipeline,
  type Schedule,
} from "../document/mod.ts";
import { readYaml } from "../language/mod.ts";
import type { Json } from "../kernel/mod.ts";
import type { CurrentPipeline, StoredPipeline, StoredPipelines } from "./stored_pipelines.ts";

/** A pipeline with its document. */
export interface PipelineDetail {
  name: string;
  description?: string;
  source: Source;
  /** Content hash of the definition; absent when it is not valid. */
  version?: string;
  /** Which version this is, when it is or was stored. */
  number?: number;
  created_at?: string;
  by?: string;
  /** The document as it was written. */
  text: string;
  /** The document as JSON; `null` when it is no YAML. */
  document: Json;
  /** Names of the agents that it uses. */
  agents: string[];
  /** JSON Schema of a run's input. */
  input?: JsonSchema;
  schedule?: Schedule[];
  valid: boolean;
  issues: Issue[];
  /** Hash of `text`. */
  tag: string;
}

/** One version in a history. */
export type PipelineVersion = Omit<StoredPipeline, "text" | "deleted" | "grants">;

/** What must hold for a change: tags as {@linkcode PipelineDetail.tag}; `*` stands for any. */
export interface Condition {
  /** The current document must have one of these tags. */
  match?: string[];
  /** The current document must have none of these tags. */
  none_match?: string[];
}

/** What a put did. */
export interface PutResult {
  outcome: "created" | "changed" | "same";
  number: number;
}

/** Reads and changes pipelines. */
export interface Authoring {
  list(caller: Caller): Promise<CatalogEntry[]>;
  /** The current document, or one of its stored versions. @throws `not_found` */
  read(caller: Caller, name: string, number?: number): Promise<PipelineDetail>;
  /** The stored versions, newest first; empty for a file. @throws `not_found` */
  versions(caller: Caller, name: string): Promise<PipelineVersion[]>;
  /** Everything that is wrong with a document. */
  check(caller: Caller, text: string): Promise<Issue[]>;
  /**
   * Stores a document as the current one.
   *
   * @throws `pipeline_invalid`, `agent_invalid`, `prompt_invalid`, `precondition_failed`, `conflict`;
   *   `forbidden` when it calls tools with fewer approvals than the caller may let it
   */
  put(caller: Caller, name: string, text: string, condition?: Condition): Promise<PutResult>;
  /**
   * Deletes the stored document; a file with that name shows again.
   *
   * @throws `not_found`, `precondition_failed`, `conflict`
   */
  remove(caller: Caller, name: string, condition?: Condition): Promise<void>;
}

/**
 * What of a document that can be used is not there: a tool, the provider of a model. Only authors are
 * stopped by it: tools and keys may come and go, and a run fails only where it needs one.
 */
export type InstalledCheck = (
  caller: Caller,
  text: string,
  definition: Definition,
) => Promise<Issue[]>;

/** Makes the authoring of a catalog's pipelines. */
export function createAuthoring(
  catalog: Catalog,
  stored: StoredPipelines,
  missing: InstalledCheck = () => Promise.resolve([]),
): Authoring {
  return new CatalogAuthoring(catalog, stored, missing);
}

class CatalogAuthoring implements Authoring {
  constructor(
    private readonly catalog: Catalog,
    private readonly stored: StoredPipelines,
    private readonly missing: InstalledCheck,
  ) {}

  list(caller: Caller): Promise<CatalogEntry[]> {
    return this.catalog.pipelines(caller);
  }

  async read(caller: Caller, name: string, number?: number): Promise<PipelineDetail> {
    if (number === undefined) return await this.latest(caller, name);
    const record = await this.stored.version(caller.tenant, name, number);
    if (!record) throw unknownPipeline(name, number);
    const { text, version } = record;
    const definition = await this.catalog.load(version);
    return detail(name, { source: "stored", text, stored: record }, { version, definition });
  }

  async versions(caller: Caller, name: string): Promise<PipelineVersion[]> {
    const [all, document] = await Promise.all([
      this.stored.versions(caller.tenant, name),
      this.catalog.document(caller, name),
    ]);
    if (all.length === 0 && !document) throw unknownPipeline(name);
    return all.map(({ text: _text, deleted: _deleted, grants: _grants, ...version }) => version);
  }

  async check(caller: Caller, text: string): Promise<Issue[]> {
    const name = nameOf(text) ?? "";
    const { resolved, issues } = await attempt(() => this.catalog.define(caller, name, text));
    if (!resolved) return issues;
    return [...ungranted(caller, text), ...await this.missing(caller, text, resolved.definition)];
  }

  async put(caller: Caller, name: string, text: string, condition?: Condition): Promise<PutResult> {
    const { catalog, stored } = this;
    const before = await this.current(caller, name, condition);
    if (isCurrent(before, text)) return { outcome: "same", number: before!.value.number };
    const resolved = await catalog.define(caller, name, text);
    if (resolved.definition.pipeline.name !== name) throw otherName(name);
    const refused = ungranted(caller, text);
    if (refused.length > 0) throw forbidden(name, refused);
    const issues = await this.missing(caller, text, resolved.definition);
    if (issues.length > 0) throw invalidPipeline(name, issues);
    const version = await catalog.keep(caller, resolved);
    const { number } = await stored.put(caller, { name, text, version }, before);
    catalog.refresh();
    return { outcome: before && !before.value.deleted ? "changed" : "created", number };
  }

  async remove(caller: Caller, name: string, condition?: Condition): Promise<void> {
    const before = await this.current(caller, name, condition);
    if (!before || before.value.deleted) throw notStored(name);
    await this.stored.remove(caller.tenant, before);
    this.catalog.refresh();
  }

  /** The stored record. @throws `precondition_failed` */
  private async current(
    caller: Caller,
    name: string,
    condition: Condition = {},
  ): Promise<CurrentPipeline> {
    const { catalog, stored } = this;
    catalog.refresh(); // a condition is about what there is now
    const record = await stored.current(caller.tenant, name);
    const text = record && !record.value.deleted
      ? record.value.text
      : (await catalog.document(caller, name))?.text;
    demand(name, condition, text);
    return record;
  }

  private async latest(caller: Caller, name: string): Promise<PipelineDetail> {
    const { catalog } = this;
    const document = await catalog.document(caller, name);
    if (!document) throw unknownPipeline(name);
    const { resolved, issues } = await attempt(() => catalog.define(caller, name, document.text));
    return detail(name, document, { ...resolved, issues });
  }
}

/** What in a sound document the caller has no grant for. */
function ungranted(caller: Caller, text: string): Issue[] {
  if (caller.may("tools:unasked")) return [];
  const message = "lets a tool be called without an approval, which you may not decide";
  return loosenings(text).map((location) => ({ location, message }));
}

function forbidden(name: string, issues: Issue[]): OrchestratorError {
  const [{ location, message }] = issues as [Issue];
  return new OrchestratorError(
    "forbidden",
    `Cannot store pipeline ${name}: ${location} ${message}. Remove it, or ask for the grant ` +
      "tools:unasked.",
    { issues },
  );
}

/** The hash of a document's text. */
export function tagOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function isCurrent(current: CurrentPipeline, text: string): boolean {
  return current !== null && !current.value.deleted && current.value.text === text;
}

/** @throws `precondition_failed` when the current text (none: there is no such pipeline) is another one */
function demand(name: string, { match, none_match }: Condition, text?: string): void {
  const tag = text === undefined ? undefined : tagOf(text);
  const among = (tags: string[]) => tag !== undefined && (tags.includes("*") || tags.includes(tag));
  if ((!match || among(match)) && (!none_match || !among(none_match))) return;
  const why = match
    ? "it does not match If-Match"
    : "it already exists, which If-None-Match excludes";
  throw new OrchestratorError(
    "precondition_failed",
    `Cannot change pipeline ${name}: ${why}. Read it again with GET /v1/pipelines/${name}, then decide.`,
  );
}

/** A definition, or why it cannot be used. */
async function attempt(
  define: () => Promise<Resolved>,
): Promise<{ resolved?: Resolved; issues: Issue[] }> {
  try {
    return { resolved: await define(), issues: [] };
  } catch (error) {
    if (!(error instanceof OrchestratorError)) throw error;
    return { issues: error.issues ?? [{ location: "", message: error.message }] };
  }
}

function detail(
  name: string,
  { source, text, stored }: Document,
  { version, definition, issues = [] }: Partial<Resolved> & { issues?: Issue[] },
): PipelineDetail {
  const { description, input, schedule } = definition?.pipeline ?? {} as Partial<Pipeline>;
  return {
    name,
    ...(description === undefined ? {} : { description }),
    source,
    ...(version === undefined ? {} : { version }),
    ...(stored ? { number: stored.number, created_at: stored.created_at, by: stored.by } : {}),
    text,
    document: readYaml(text).value as Json | undefined ?? null,
    agents: Object.keys(definition?.agents ?? {}),
    ...(input ? { input } : {}),
    ...(schedule ? { schedule } : {}),
    valid: issues.length === 0,
    issues,
    tag: tagOf(text),
  };
}

function nameOf(text: string): string | undefined {
  const { value } = readYaml(text);
  const name = typeof value === "object" && value !== null && "name" in value && value.name;
  return typeof name === "string" ? name : undefined;
}

function unknownPipeline(name: string, number?: number): OrchestratorError {
  const what = number === undefined ? `pipeline ${name}` : `version ${number} of pipeline ${name}`;
  return new OrchestratorError(
    "not_found",
    `Cannot find ${what}. List pipelines with GET /v1/pipelines.`,
  );
}

function notStored(name: string): OrchestratorError {
  return new OrchestratorError(
    "not_found",
    `Cannot delete pipeline ${name}: it was not stored over the API. To remove a file, delete it from its folder.`,
  );
}

function otherName(name: string): OrchestratorError {
  const message = `must match the name in the path: write "${name}"`;
  return new OrchestratorError(
    "pipeline_invalid",
    `Cannot store pipeline ${name}: its name ${message}.`,
    { issues: [{ location: "name", message }] },
  );
}
