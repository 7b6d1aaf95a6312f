/**
 * Every tool that there is, and the only place where one is called.
 *
 * Boundary: finds tools by name. How one runs is in `run_tool.ts`, what is kept of them in
 * `tool_records.ts`; whether a tool may be called is decided above, before.
 *
 * @module
 */
import { OrchestratorError, sentence, toOrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import { type Json, schemaProblems, unknownName } from "../json/mod.ts";
import { isDamaged } from "../store/mod.ts";
import { runTool } from "./run_tool.ts";
import type { Tool, ToolInfo, ToolScope, ToolSet } from "./tool.ts";
import {
  MAX_REGISTERED,
  type ToolFailure,
  type ToolRecord,
  ToolRecords,
  type ToolRecordsDeps,
} from "./tool_records.ts";

/** What a registry needs. */
export interface RegistryDeps extends ToolRecordsDeps {
  /** The first one that has a name wins. */
  sets: readonly ToolSet[];
  /** Makes a tool of a definition. @throws `validation_failed` */
  compile: (definition: Json) => Tool;
}

/** A tool and how it is doing. Plain JSON. */
export interface ToolStatus extends ToolInfo {
  enabled: boolean;
  /** Why it is held back until it is enabled; see {@linkcode Tool}. */
  held?: string;
  /** The last call that failed. */
  last_error?: ToolFailure;
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
   * @throws `tool_unknown`, `tool_disabled`, as {@linkcode runTool}
   */
  call(name: string, args: Json, scope: ToolScope): Promise<Json>;
  /**
   * Adds a tool, or replaces a registered one.
   *
   * @throws `conflict`, `tool_limit`
   */
  register(caller: Caller, definition: Json): Promise<ToolStatus>;
  /** Removes a registered tool. @throws `tool_unknown`, `conflict` when it is not a registered one */
  unregister(caller: Caller, name: string): Promise<void>;
  /** @throws `tool_unknown` */
  setEnabled(caller: Caller, name: string, enabled: boolean): Promise<ToolStatus>;
  problems(caller: Caller): Promise<SetProblem[]>;
  close(): Promise<void>;
}

/** Definitions that are kept compiled; the oldest one goes first. */
const MAX_COMPILED = MAX_REGISTERED;

/** Makes a registry. */
export function createRegistry(deps: RegistryDeps): Registry {
  return new ToolRegistry(deps);
}

class ToolRegistry implements Registry {
  /** By the text of their definitions: compiling takes longer than a call should. */
  private readonly compiled = new Map<string, Tool>();
  private readonly records: ToolRecords;

  constructor(private readonly deps: RegistryDeps) {
    this.records = new ToolRecords(deps);
  }

  async list(caller: Caller): Promise<ToolStatus[]> {
    const [tools, records] = await Promise.all([this.ofSets(caller), this.records.all(caller)]);
    for (const [name, { definition }] of records) {
      if (definition === undefined || tools.has(name)) continue;
      const tool = this.tryCompile(definition);
      if (tool) tools.set(name, tool);
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
    try {
      return await runTool(tool, args, scope);
    } catch (thrown) {
      scope.signal.throwIfAborted();
      const failure = toOrchestratorError(thrown);
      // What is wrong with the arguments is the caller's: the tool is well.
      if (failure.code !== "tool_bad_arguments") {
        await this.records.note(scope.caller, name, failure);
      }
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
    await this.records.register(caller, name, record);
    return statusOf(tool, record);
  }

  async unregister(caller: Caller, name: string): Promise<void> {
    // A record that cannot be read is removed, whatever it was.
    const found = await this.find(caller, name).catch(absentIfDamaged);
    if (found && found.record?.definition === undefined) {
      const why = "it was not registered over the API";
      throw new OrchestratorError("conflict", `Cannot remove ${name}: ${why}. Disable it instead.`);
    }
    await this.records.put(caller, name, undefined);
  }

  async setEnabled(caller: Caller, name: string, enabled: boolean): Promise<ToolStatus> {
    const { record = {}, set } = await this.findToReplace(caller, name);
    if (enabled) await set?.accept?.(caller, name);
    const { disabled: _disabled, ...rest } = record;
    const next: ToolRecord = enabled ? rest : { ...rest, disabled: true };
    await this.records.put(caller, name, next);
    return await this.get(caller, name);
  }

  async problems(caller: Caller): Promise<SetProblem[]> {
    const found = this.deps.sets.map(async (set) => {
      const message = await set.problem?.(caller);
      return message === undefined ? [] : [{ set: set.name, message }];
    });
    return (await Promise.all(found)).flat();
  }

  async close(): Promise<void> {
    await Promise.all(this.deps.sets.map((set) => set.close?.()));
  }

  /** @throws `tool_unknown` */
  private async find(
    caller: Caller,
    name: string,
  ): Promise<{ tool: Tool; record?: ToolRecord; set?: ToolSet }> {
    const record = await this.records.get(caller, name);
    const found = await this.findInSets(caller, name);
    if (found) return { ...found, record };
    if (record?.definition !== undefined) return { tool: this.compile(record.definition), record };
    const known = (await this.list(caller)).map((tool) => tool.name);
    throw new OrchestratorError(
      "tool_unknown",
      `Cannot find the tool: ${sentence(unknownName("tool", name, known))} See GET /v1/tools/list.`,
    );
  }

  private async findInSets(
    caller: Caller,
    name: string,
  ): Promise<{ tool: Tool; set: ToolSet } | undefined> {
    for (const set of this.deps.sets) {
      const tool = (await set.tools(caller)).find((tool) => tool.name === name);
      if (tool) return { tool, set };
    }
  }

  /** A tool of a set is found without its record, too: one that is damaged is replaced. */
  private async findToReplace(
    caller: Caller,
    name: string,
  ): Promise<{ record?: ToolRecord; set?: ToolSet }> {
    try {
      return await this.find(caller, name);
    } catch (error) {
      const found = isDamaged(error) && await this.findInSets(caller, name);
      if (!found) throw error;
      return found;
    }
  }

  private async ofSets(caller: Caller): Promise<Map<string, Tool>> {
    const found = new Map<string, Tool>();
    // Together: more than one of them may wait for a server.
    for (const tools of await Promise.all(this.deps.sets.map((set) => set.tools(caller)))) {
      for (const tool of tools) if (!found.has(tool.name)) found.set(tool.name, tool);
    }
    return found;
  }

  /** Nothing for a stored definition that is no longer valid: an error only for who needs that tool. */
  private tryCompile(definition: Json): Tool | undefined {
    try {
      return this.compile(definition);
    } catch (error) {
      if (toOrchestratorError(error).code !== "validation_failed") throw error;
    }
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
}

function absentIfDamaged(error: unknown): undefined {
  if (!isDamaged(error)) throw error;
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
    `Cannot register ${name}: its schemas are invalid. Fix the problems listed in \`errors\`.`,
    {
      issues: problems.map(({ path, message }) => ({ location: `/${path.join("/")}`, message })),
    },
  );
}

function disabled(name: string): OrchestratorError {
  return new OrchestratorError(
    "tool_disabled",
    `Cannot call ${name}: it is disabled. Enable it with POST /v1/tools/${name}/enable.`,
  );
}
