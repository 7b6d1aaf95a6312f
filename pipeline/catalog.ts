/**
 * The pipelines, agents and prompts on offer, and the definitions that runs were started with.
 *
 * Boundary: reads definition files, hands out definitions and compiled programs by version. Starts
 * no run.
 *
 * 1. A version names one content for ever: it is the hash of pipeline, agents and prompts together.
 * 2. A definition is in the store before anybody learns its version, another definition included.
 * 3. A file that was read is not read again before `reload()`.
 * 4. A broken file breaks only what uses it; it never falls back to the file that it overrides.
 *
 * @module
 */
import { basename } from "node:path";
import { type ErrorCode, type Issue, OrchestratorError } from "../errors.ts";
import { type AgentProfile, parseProfile } from "./agent/profile.ts";
import { promptIssues } from "./agent/prompt.ts";
import { listFiles, readText } from "./folders.ts";
import { canonicalJson } from "./graph/canonical_json.ts";
import type { Definition, Pipeline } from "./graph/document.ts";
import { namesOf } from "./graph/nodes.ts";
import { parsePipeline } from "./graph/parse.ts";
import { unknownName } from "./graph/suggest.ts";
import type { RunFunction } from "./kernel/context.ts";

const MAX_PROGRAMS = 100;

/** Where definitions are kept for the runs that were started with them. */
export interface DefinitionStore {
  get(version: string): Promise<string | null>;
  put(version: string, json: string): Promise<void>;
}

/** What a catalog needs. */
export interface CatalogOptions {
  /** Folders; a later one overrides an earlier one, file by file. */
  roots: { pipelines: string[]; agents: string[]; prompts: string[] };
  /** Names of the tasks there are. */
  tasks: string[];
  /** Names of the services there are; without them references are not checked. */
  services?: string[];
  definitions: DefinitionStore;
  /** Makes a run function, as `createProgram` does. */
  compile(definition: Definition): RunFunction;
}

/** A definition with its version. */
export interface Resolved {
  /** `sha256:` and 32 hex digits. */
  version: string;
  definition: Definition;
}

/** One file of the catalog. */
export interface CatalogEntry {
  name: string;
  file: string;
  description?: string;
  /** Of a pipeline that can run. */
  version?: string;
  /** Why it cannot be used, if so. */
  issues?: Issue[];
}

/** Everything on offer, by name. */
export interface CatalogList {
  pipelines: CatalogEntry[];
  agents: CatalogEntry[];
  prompts: CatalogEntry[];
}

/** The pipelines, agents and prompts on offer. */
export interface Catalog {
  /**
   * What a new run of a pipeline uses.
   *
   * @throws `not_found`, `pipeline_invalid`, `agent_invalid`, `prompt_invalid`
   */
  resolve(name: string): Promise<Resolved>;
  /** What a run was started with. @throws `not_found` */
  load(version: string): Promise<Definition>;
  /** The run function of a version; at once when it was used lately. @throws as `load` */
  program(version: string): RunFunction | Promise<RunFunction>;
  list(): Promise<CatalogList>;
  /** Forgets what was read; files are read again when they are needed. */
  reload(): void;
}

/** Makes a catalog. Nothing is read before it is needed. */
export function createCatalog(options: CatalogOptions): Catalog {
  const programs = new Map<string, RunFunction>();
  const stored = new Set<string>();
  let shelf = new Shelf(options);
  let resolved = new Map<string, Promise<Resolved>>();

  const resolve = async (name: string, from = shelf): Promise<Resolved> => {
    const result = await from.define(name);
    if (stored.has(result.version)) return result;
    for (const inner of Object.keys(result.definition.pipelines ?? {})) await resolve(inner, from);
    await options.definitions.put(result.version, canonicalJson(result.definition));
    stored.add(result.version);
    return result;
  };
  const load = async (version: string): Promise<Definition> => {
    const json = await options.definitions.get(version);
    if (json !== null) return JSON.parse(json);
    throw new OrchestratorError(
      "not_found",
      `Cannot load definition ${version}: it is not in the store. Restore the store's backup.`,
    );
  };
  return {
    load,
    resolve: (name) => memo(resolved, name, () => resolve(name)),
    program(version) {
      const known = programs.get(version);
      if (!known) {
        return load(version).then((definition) =>
          remember(programs, version, options.compile(definition))
        );
      }
      return remember(programs, version, known);
    },
    list: () => shelf.list(),
    reload() {
      shelf = new Shelf(options);
      resolved = new Map();
    },
  };
}

/** Keeps the {@linkcode MAX_PROGRAMS} programs that were used last. */
function remember(programs: Map<string, RunFunction>, version: string, program: RunFunction) {
  programs.delete(version);
  programs.set(version, program);
  if (programs.size > MAX_PROGRAMS) programs.delete(programs.keys().next().value!);
  return program;
}

/** Keeps promises by key; one that fails is made again next time. */
function memo<T>(map: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let promise = map.get(key);
  if (!promise) {
    promise = make();
    map.set(key, promise);
    promise.catch(() => map.delete(key));
  }
  return promise;
}

/** The definition files as they were found. */
class Shelf {
  #files?: Promise<Record<keyof CatalogList, Map<string, string>>>;
  #pipelines = new Map<string, Promise<Pipeline>>();
  #agents = new Map<string, Promise<AgentProfile>>();
  #prompts = new Map<string, Promise<string>>();
  #definitions = new Map<string, Promise<Resolved>>();

  constructor(private readonly options: CatalogOptions) {}

  /** A pipeline with the agents and prompts that it uses and the versions of the pipelines it runs. */
  define(name: string): Promise<Resolved> {
    return memo(this.#definitions, name, async () => {
      const pipeline = await this.#pipeline(name);
      await this.#refuseCycles([name], new Set());
      const used = namesOf("agent", pipeline.nodes);
      const profiles = await Promise.all(used.map((agent) => this.agent(agent)));
      const prompts = profiles.flatMap(({ prompt }) => prompt === undefined ? [] : [prompt]);
      const texts = await Promise.all(prompts.map((prompt) => this.prompt(prompt)));
      const inner = namesOf("pipeline", pipeline.nodes);
      const versions = await Promise.all(inner.map(async (child) => {
        return [child, (await this.define(child)).version] as const;
      }));
      const definition: Definition = {
        pipeline,
        agents: Object.fromEntries(profiles.map((profile) => [profile.name, profile])),
        prompts: Object.fromEntries(prompts.map((prompt, index) => [prompt, texts[index]!])),
        ...(versions.length > 0 ? { pipelines: Object.fromEntries(versions) } : {}),
      };
      return { version: await versionOf(definition), definition };
    });
  }

  agent(name: string): Promise<AgentProfile> {
    return memo(this.#agents, name, async () => {
      const { agents, prompts } = await this.#list();
      const file = agents.get(name)!;
      return parseProfile(await text(file, "agent_invalid"), name, [...prompts.keys()]);
    });
  }

  prompt(name: string): Promise<string> {
    return memo(this.#prompts, name, async () => {
      const file = (await this.#list()).prompts.get(name)!;
      const prompt = await text(file, "prompt_invalid");
      const issues = await promptIssues(prompt);
      if (issues.length > 0) throw unusable("prompt_invalid", file, issues);
      return prompt;
    });
  }

  async list(): Promise<CatalogList> {
    const { pipelines, agents, prompts } = await this.#list();
    return {
      pipelines: await entries(pipelines, async (name) => {
        const { version, definition } = await this.define(name);
        return { description: definition.pipeline.description, version };
      }),
      agents: await entries(agents, async (name) => {
        return { description: (await this.agent(name)).description };
      }),
      prompts: await entries(prompts, async (name) => void await this.prompt(name)),
    };
  }

  #pipeline(name: string): Promise<Pipeline> {
    return memo(this.#pipelines, name, () => this.#readPipeline(name));
  }

  /**
   * Before pipelines are defined one within the other: one that contains itself would never end.
   *
   * @param path the pipelines around and the one to look into
   * @param sound those that were looked into
   * @throws `pipeline_invalid`
   */
  async #refuseCycles(path: string[], sound: Set<string>): Promise<void> {
    const name = path.at(-1)!;
    for (const inner of namesOf("pipeline", (await this.#pipeline(name)).nodes)) {
      if (path.includes(inner)) {
        const round = [...path.slice(path.indexOf(inner)), inner].join(" → ");
        const message = `a pipeline must not contain itself: ${round}`;
        throw unusable("pipeline_invalid", `${name}.yaml`, [{ location: "nodes", message }]);
      }
      if (!sound.has(inner)) await this.#refuseCycles([...path, inner], sound);
    }
    sound.add(name);
  }

  async #readPipeline(name: string): Promise<Pipeline> {
    const { pipelines, agents } = await this.#list();
    const file = pipelines.get(name);
    if (file === undefined) {
      throw new OrchestratorError(
        "not_found",
        `Cannot run pipeline "${name}": ${unknownName("pipeline", name, pipelines.keys())}`,
      );
    }
    const known = {
      agents: [...agents.keys()],
      tasks: this.options.tasks,
      services: this.options.services,
      pipelines: [...pipelines.keys()],
      name,
    };
    return parsePipeline(await text(file, "pipeline_invalid"), basename(file), known);
  }

  #list() {
    this.#files ??= (async () => {
      const { pipelines, agents, prompts } = this.options.roots;
      return {
        pipelines: await listFiles(pipelines, ".yaml"),
        agents: await listFiles(agents, ".md"),
        prompts: await listFiles(prompts, ".md"),
      };
    })();
    return this.#files;
  }
}

async function versionOf(definition: Definition): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(definition));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return `sha256:${new Uint8Array(digest, 0, 16).toHex()}`;
}

async function text(file: string, code: ErrorCode): Promise<string> {
  const read = await readText(file);
  if ("text" in read) return read.text;
  throw unusable(code, file, [{ location: "line 1", message: read.problem }]);
}

function unusable(code: ErrorCode, file: string, issues: Issue[]): OrchestratorError {
  const [{ location, message }] = issues as [Issue];
  return new OrchestratorError(
    code,
    `Cannot use ${basename(file)}: ${location}: ${message}. Mend the file.`,
    { issues },
  );
}

function entries(
  files: Map<string, string>,
  describe: (name: string) => Promise<Partial<CatalogEntry> | void>,
): Promise<CatalogEntry[]> {
  return Promise.all([...files].map(async ([name, file]) => {
    try {
      return { name, file, ...await describe(name) };
    } catch (error) {
      if (!(error instanceof OrchestratorError)) throw error;
      return { name, file, issues: error.issues ?? [{ location: file, message: error.message }] };
    }
  }));
}
