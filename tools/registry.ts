/**
 * Every tool that there is, and the only place where one is called.
 *
 * Boundary: finds tools by name, checks what goes in and what comes out, and ends what takes too long
 * or answers too much. Whether somebody may call a tool is decided above, before.
 *
 * 1. A tool gets arguments that fit its schema, and a caller gets a result that fits its schema and
 *    size, or a typed error.
 * 2. A call ends at its time-out, whether or not the tool listens.
 * 3. What tenants register, disable and saw fail is in the store.
 *
 * @module
 */
import { fromErrorJson, OrchestratorError, sentence, toErrorJson } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import { type Json, schemaIssues, schemaProblems, unknownName } from "../json/mod.ts";
import { keys, type Mutation, setJson, type Store } from "../store/mod.ts";
import { redact } from "./http/mod.ts";
import type { Tool, ToolInfo, ToolScope, ToolSet } from "./tool.ts";

/** What a registry needs. */
export interface RegistryDeps {
  store: Pick<Store, "get" | "list" | "commit">;
  /** The first one that has a name wins. */
  sets: readonly ToolSet[];
  /** Makes a tool of a definition. @throws `validation_failed` */
  compile: (definition: Json) => Tool;
  /** Milliseconds since the epoch. */
  now: () => number;
  log: { warn(message: string, fields?: Record<string, unknown>): void };
}

/** A tool and how it is doing. Plain JSON. */
export interface ToolStatus extends ToolInfo {
  enabled: boolean;
  /** Why it is held back until somebody enables it; see {@linkcode Tool}. */
  held?: string;
  /** The last call that failed. */
  last_error?: ToolFailure;
}

/** A call that failed. */
export interface ToolFailure {
  code: string;
  message: string;
  /** RFC 3339 UTC. */
  at: string;
}

/** A set that has something wrong with it. */
export interface SetProblem {
  set: string;
  message: string;
}

/** The tools. */
export interface Registry {
  /** Every tool of a tenant, by name. */
  list(caller: Caller): Promise<ToolStatus[]>;
  /** @throws `tool_unknown` */
  get(caller: Caller, name: string): Promise<ToolStatus>;
  /**
   * The enabled ones with these names, in this order; `*` at the end of a name stands for anything.
   * Unknown names are left out.
   */
  describe(caller: Caller, names: readonly string[]): Promise<ToolInfo[]>;
  /**
   * Makes one call.
   *
   * @throws `tool_unknown`, `tool_disabled`, `tool_bad_arguments`, `tool_timeout`, `tool_bad_output`,
   *   `tool_output_too_large`, `tool_failed`, what the tool itself throws, what aborted the signal
   */
  call(name: string, args: Json, scope: ToolScope): Promise<Json>;
  /**
   * Adds a tool, or puts another one in place of one that was registered.
   *
   * @throws `conflict`, `tool_limit`
   */
  register(caller: Caller, definition: Json): Promise<ToolStatus>;
  /** Removes a registered tool. @throws `tool_unknown`, `conflict` when it is not a registered one */
  unregister(caller: Caller, name: string): Promise<void>;
  /** @throws `tool_unknown` */
  setEnabled(caller: Caller, name: string, enabled: boolean): Promise<ToolStatus>;
  problems(caller: Caller): SetProblem[];
  close(): Promise<void>;
}

/** What is kept of a tool for a tenant. */
interface ToolRecord {
  /** What was registered; absent for a tool of a set. */
  definition?: Json;
  disabled?: true;
  last_error?: ToolFailure;
}

/** The most a result may hold, in characters of JSON. */
export const MAX_OUTPUT_CHARS = 1_000_000;

/** Tools that a tenant may register: looking for one reads the definitions of all. */
export const MAX_REGISTERED = 200;

/** Definitions that are kept compiled; the oldest one goes first. */
const MAX_COMPILED = MAX_REGISTERED;

/** Makes a registry. */
export function createRegistry(deps: RegistryDeps): Registry {
  return new ToolRegistry(deps);
}

class ToolRegistry implements Registry {
  /** By the text of their definitions: compiling takes longer than a call should. */
  private readonly compiled = new Map<string, Tool>();
  /** The registration before: they are counted one after the other. */
  private before: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: RegistryDeps) {}

  async list(caller: Caller): Promise<ToolStatus[]> {
    const [tools, records] = await Promise.all([this.ofSets(caller), this.records(caller)]);
    for (const [name, { definition }] of records) {
      if (definition !== undefined && !tools.has(name)) tools.set(name, this.compile(definition));
    }
    return [...tools.values()].map((tool) => statusOf(tool, records.get(tool.name)))
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }

  async get(caller: Caller, name: string): Promise<ToolStatus> {
    const { tool, record } = await this.find(caller, name);
    return statusOf(tool, record);
  }

  async describe(caller: Caller, names: readonly string[]): Promise<ToolInfo[]> {
    if (names.length === 0) return [];
    const all = (await this.list(caller)).filter(({ enabled }) => enabled);
    const wanted = names.flatMap((name) =>
      name.endsWith("*")
        ? all.filter((tool) => tool.name.startsWith(name.slice(0, -1)))
        : all.filter((tool) => tool.name === name)
    );
    return [...new Set(wanted)].map(infoOf);
  }

  async call(name: string, args: Json, scope: ToolScope): Promise<Json> {
    const { tool, record } = await this.find(scope.caller, name);
    if (record?.disabled) throw disabled(name);
    const fitting = mustFit(tool, args);
    try {
      return checked(tool, clean(tool, await inTime(tool, fitting, scope)));
    } catch (error) {
      scope.signal.throwIfAborted();
      const known = error instanceof OrchestratorError ? error : failed(name, error);
      const failure = cleanError(tool, known);
      // What is wrong with the arguments is the caller's: the tool is well.
      if (failure.code !== "tool_bad_arguments") await this.note(scope.caller, name, failure);
      throw failure;
    }
  }

  async register(caller: Caller, definition: Json): Promise<ToolStatus> {
    const tool = this.deps.compile(definition);
    mustBeWhole(tool);
    const { name } = tool;
    if ((await this.ofSets(caller)).has(name)) {
      const why = "a tool that is not registered over the API has this name";
      throw new OrchestratorError("conflict", `Cannot register ${name}: ${why}. Choose another.`);
    }
    const record: ToolRecord = { definition };
    await this.inTurn(async () => {
      await this.mustHaveRoom(caller, name);
      await this.put(caller, name, record);
    });
    return statusOf(tool, record);
  }

  async unregister(caller: Caller, name: string): Promise<void> {
    const { record } = await this.find(caller, name);
    if (record?.definition === undefined) {
      const why = "it was not registered over the API";
      throw new OrchestratorError("conflict", `Cannot remove ${name}: ${why}. Disable it instead.`);
    }
    await this.put(caller, name, undefined);
  }

  async setEnabled(caller: Caller, name: string, enabled: boolean): Promise<ToolStatus> {
    const { record = {}, set } = await this.find(caller, name);
    if (enabled) await set?.accept?.(caller, name);
    const { disabled: _disabled, ...rest } = record;
    const next: ToolRecord = enabled ? rest : { ...rest, disabled: true };
    await this.put(caller, name, next);
    return await this.get(caller, name);
  }

  problems(caller: Caller): SetProblem[] {
    return this.deps.sets.flatMap((set) => {
      const message = set.problem?.(caller);
      return message === undefined ? [] : [{ set: set.name, message }];
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.deps.sets.map((set) => set.close?.()));
  }

  /** @throws `tool_unknown` */
  private async find(
    caller: Caller,
    name: string,
  ): Promise<{ tool: Tool; record?: ToolRecord; set?: ToolSet }> {
    const record = (await this.deps.store.get<ToolRecord>(keys.tool(caller.tenant, name)))?.value;
    for (const set of this.deps.sets) {
      const tool = (await set.tools(caller)).find((tool) => tool.name === name);
      if (tool) return { tool, record, set };
    }
    if (record?.definition !== undefined) return { tool: this.compile(record.definition), record };
    const known = (await this.list(caller)).map((tool) => tool.name);
    throw new OrchestratorError(
      "tool_unknown",
      `Cannot find the tool: ${sentence(unknownName("tool", name, known))} See GET /v1/tools/list.`,
    );
  }

  private async ofSets(caller: Caller): Promise<Map<string, Tool>> {
    const found = new Map<string, Tool>();
    // Together: more than one of them may wait for a server.
    for (const tools of await Promise.all(this.deps.sets.map((set) => set.tools(caller)))) {
      for (const tool of tools) if (!found.has(tool.name)) found.set(tool.name, tool);
    }
    return found;
  }

  private async records({ tenant }: Caller): Promise<Map<string, ToolRecord>> {
    const records = new Map<string, ToolRecord>();
    for await (
      const { key, value } of this.deps.store.list<ToolRecord>({ prefix: keys.tools(tenant) })
    ) {
      records.set(key.at(-1) as string, value);
    }
    return records;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.before.then(work);
    this.before = done.catch(() => {});
    return done;
  }

  /** @throws `tool_limit` */
  private async mustHaveRoom(caller: Caller, name: string): Promise<void> {
    const records = await this.records(caller);
    if (records.get(name)?.definition !== undefined) return;
    const count = [...records.values()].filter(({ definition }) => definition !== undefined).length;
    if (count < MAX_REGISTERED) return;
    throw new OrchestratorError(
      "tool_limit",
      `Cannot register ${name}: there are ${count} registered tools already, as many as there may ` +
        "be. Remove one with DELETE /v1/tools/{name}, or define tools in a file.",
    );
  }

  private compile(definition: Json): Tool {
    const text = JSON.stringify(definition);
    let tool = this.compiled.get(text);
    if (!tool) {
      tool = this.deps.compile(definition);
      if (this.compiled.size >= MAX_COMPILED) {
        this.compiled.delete(this.compiled.keys().next().value!);
      }
      this.compiled.set(text, tool);
    }
    return tool;
  }

  /** Keeps what is known of a tool; without a record there is nothing to know. */
  private async put({ tenant }: Caller, name: string, record?: ToolRecord): Promise<void> {
    const key = keys.tool(tenant, name);
    const mutations: Mutation[] = record ? setJson(key, record) : [{ key, delete: true }];
    const stamp = await this.deps.store.commit({ checks: [], mutations });
    if (stamp === null) throw new Error(`tool ${name} of ${tenant} was not written`);
  }

  /** Keeps why a call failed. A store that cannot be written must not hide the failure itself. */
  private async note({ tenant }: Caller, name: string, error: OrchestratorError): Promise<void> {
    const { code, message } = toErrorJson(error);
    const last_error = { code, message, at: new Date(this.deps.now()).toISOString() };
    const key = keys.tool(tenant, name);
    try {
      const before = await this.deps.store.get<ToolRecord>(key);
      const record: ToolRecord = { ...before?.value, last_error };
      const checks = [{ key, versionstamp: before?.versionstamp ?? null }];
      await this.deps.store.commit({ checks, mutations: setJson(key, record) });
    } catch (cause) {
      this.deps.log.warn("a tool's failure could not be kept", { tool: name, error: cause });
    }
  }
}

function infoOf(
  { name, description, input, output, source, capability, ...rest }: ToolInfo,
): ToolInfo {
  const { effect, timeout_ms, cost_usd, untrusted, untrusted_with, finds_urls } = rest;
  return {
    name,
    description,
    input,
    ...(output ? { output } : {}),
    source,
    capability,
    effect,
    timeout_ms,
    ...(cost_usd === undefined ? {} : { cost_usd }),
    untrusted,
    ...(untrusted_with ? { untrusted_with } : {}),
    ...(finds_urls ? { finds_urls } : {}),
  };
}

function statusOf(tool: Tool, record: ToolRecord = {}): ToolStatus {
  const { disabled = false, last_error } = record;
  const { held } = tool;
  return {
    ...infoOf(tool),
    enabled: !disabled && held === undefined,
    ...(held === undefined ? {} : { held }),
    ...(last_error ? { last_error } : {}),
  };
}

/** @throws `validation_failed`: a broken schema would refuse every call */
function mustBeWhole({ name, input, output }: Tool): void {
  const problems = [
    ...schemaProblems(input, ["input"]),
    ...(output ? schemaProblems(output, ["output"]) : []),
  ];
  if (problems.length === 0) return;
  throw new OrchestratorError(
    "validation_failed",
    `Cannot register ${name}: its schemas are not usable. Mend them.`,
    {
      issues: problems.map(({ path, message }) => ({ location: `/${path.join("/")}`, message })),
    },
  );
}

/** @throws `tool_bad_arguments` */
function mustFit({ name, input }: Tool, args: Json): Record<string, Json> {
  const issues = schemaIssues(input, args);
  if (issues.length === 0 && typeof args === "object" && args !== null && !Array.isArray(args)) {
    return args as Record<string, Json>;
  }
  const [first] = issues;
  const why = first ? `${first.location}: ${first.message}` : "they are not an object";
  throw new OrchestratorError(
    "tool_bad_arguments",
    `Cannot call ${name}: the arguments do not fit its schema: ${sentence(why)} Mend them.`,
    { issues },
  );
}

/** @throws `tool_timeout`, also when the tool does not listen to its signal */
async function inTime(tool: Tool, args: Record<string, Json>, scope: ToolScope): Promise<Json> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(timedOut(tool)), tool.timeout_ms);
  const signal = AbortSignal.any([scope.signal, late.signal]);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([tool.run(args, { ...scope, signal }), over]);
  } finally {
    clearTimeout(timer);
  }
}

/** A result without the secrets that the tool's requests carry. */
function clean({ secrets }: Tool, value: Json): Json {
  const values = secrets?.() ?? [];
  if (values.length === 0) return value;
  const text = JSON.stringify(value ?? null);
  const redacted = redact(text, values);
  return redacted === text ? value : JSON.parse(redacted);
}

function cleanError({ secrets }: Tool, error: OrchestratorError): OrchestratorError {
  const values = secrets?.() ?? [];
  const json = JSON.stringify(toErrorJson(error));
  const redacted = redact(json, values);
  return redacted === json ? error : fromErrorJson(JSON.parse(redacted));
}

/** @throws `tool_output_too_large`, `tool_bad_output` */
function checked({ name, output }: Tool, value: Json): Json {
  const text = JSON.stringify(value ?? null);
  if (text.length > MAX_OUTPUT_CHARS) {
    throw new OrchestratorError(
      "tool_output_too_large",
      `Cannot use the result of ${name}: it has ${text.length} characters, more than ${MAX_OUTPUT_CHARS}. Ask for less.`,
    );
  }
  const [issue] = output ? schemaIssues(output, value) : [];
  if (!issue) return value ?? null;
  throw new OrchestratorError(
    "tool_bad_output",
    `Cannot use the result of ${name}: it does not fit the tool's own schema: ${issue.location}: ${
      sentence(issue.message)
    } Mend the tool or its schema.`,
  );
}

function timedOut({ name, timeout_ms }: Tool): OrchestratorError {
  return new OrchestratorError(
    "tool_timeout",
    `Cannot wait for ${name} any longer: it took more than ${timeout_ms} ms. Ask for less, or raise its time-out.`,
    { kind: "retryable" },
  );
}

function disabled(name: string): OrchestratorError {
  return new OrchestratorError(
    "tool_disabled",
    `Cannot call ${name}: it is disabled. Enable it with POST /v1/tools/${name}/enable.`,
  );
}

function failed(name: string, cause: unknown): OrchestratorError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new OrchestratorError("tool_failed", `Cannot get a result of ${name}: ${sentence(why)}`, {
    cause,
  });
}
