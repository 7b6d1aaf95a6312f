/**
 * The pipelines of one tenant at one time: stored ones, then files, with what they are made of.
 *
 * @module
 */
import { basename } from "node:path";
import { type Issue, OrchestratorError, sentence } from "../../errors.ts";
import { type AgentProfile, takesTasks } from "../agent/mod.ts";
import { type DefinitionFiles, memo, unusable } from "./definition_files.ts";
import { canonicalJson, unknownName } from "../../json/mod.ts";
import {
  allNodes,
  type Definition,
  namesOf,
  parsePipeline,
  type Pipeline,
  type Schedule,
  useAnyAgent,
} from "../document/mod.ts";
import type { DamagedPipeline, StoredPipeline } from "./stored_pipelines.ts";

/** A definition with its version. */
export interface Resolved {
  /** `sha256:` and 32 hex digits. */
  version: string;
  definition: Definition;
}

/** Where a definition comes from: the program, the home folder or the API. */
export type Source = "builtin" | "home" | "stored";

/** One definition of the catalog. */
export interface CatalogEntry {
  name: string;
  source: Source;
  /** Path, unless it is stored. */
  file?: string;
  description?: string;
  /** Of a pipeline that can run. */
  version?: string;
  /** Of a stored pipeline: which of its versions this is. */
  number?: number;
  schedule?: Schedule[];
  /** Why it cannot be used, if so. */
  issues?: Issue[];
}

/** A pipeline's document as it was written. */
export interface Document {
  source: Source;
  text: string;
  stored?: StoredPipeline;
}

/** What pipelines are resolved from. */
export interface ResolverOptions {
  files: DefinitionFiles;
  /** Names of the tasks there are. */
  tasks: string[];
  /** Names of the services there are; without them references are not checked. */
  services?: string[];
  /** They come before files. */
  stored: ReadonlyMap<string, Pick<StoredPipeline, "text"> | DamagedPipeline>;
}

/** Resolves names to pipelines with everything they use. */
export class Resolver {
  #pipelines = new Map<string, Promise<Pipeline>>();
  #definitions = new Map<string, Promise<Resolved>>();

  constructor(private readonly options: ResolverOptions) {}

  /**
   * A pipeline with the agents and prompts that it uses and the versions of the pipelines it runs.
   *
   * @throws `not_found`, `pipeline_invalid`, `agent_invalid`, `prompt_invalid`
   */
  define(name: string): Promise<Resolved> {
    const { files } = this.options;
    return memo(this.#definitions, name, async () => {
      const pipeline = await this.#pipeline(name);
      await this.#refuseCycles([name], new Set());
      const profiles = await this.#agents(pipeline);
      const prompts = profiles.flatMap(({ prompt }) => prompt === undefined ? [] : [prompt]);
      const texts = await Promise.all(prompts.map((prompt) => files.prompt(prompt)));
      const inner = namesOf("pipeline", allNodes(pipeline.nodes));
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

  /** The names of all pipelines, in order; with `word` of those whose text holds it. */
  async names(word = ""): Promise<string[]> {
    const { pipelines } = await this.options.files.list();
    const all = [...new Set([...pipelines.keys(), ...this.options.stored.keys()])].sort();
    if (word === "") return all;
    // What cannot be read is kept: whoever looks at it hears why.
    const holds = (name: string) =>
      this.text(name).then((text) => text?.includes(word) ?? false, () => true);
    const found = await Promise.all(all.map(holds));
    return all.filter((_, index) => found[index]);
  }

  /** The text of a pipeline; `null` if it does not exist. @throws `pipeline_invalid`, `value_damaged` */
  async text(name: string): Promise<string | null> {
    const { files, stored } = this.options;
    const put = stored.get(name);
    if (put && "damaged" in put) throw put.damaged;
    if (put) return put.text;
    return (await files.list()).pipelines.has(name) ? await files.pipeline(name) : null;
  }

  /** The agents that a pipeline names, and those that it may let work besides. */
  async #agents({ nodes }: Pipeline): Promise<AgentProfile[]> {
    const { files } = this.options;
    const all = allNodes(nodes);
    const named = await Promise.all(namesOf("agent", all).map((agent) => files.agent(agent)));
    if (!useAnyAgent(all)) return named;
    const rest = [...(await files.list()).agents.keys()].sort()
      .filter((agent) => !named.some(({ name }) => name === agent));
    // One that cannot be read is not on offer; it breaks only what names it.
    const others = await Promise.all(rest.map((agent) => this.#offered(agent)));
    return [...named, ...others.flat()];
  }

  async #offered(name: string): Promise<AgentProfile[]> {
    const { files } = this.options;
    try {
      const profile = await files.agent(name);
      if (profile.prompt !== undefined) await files.prompt(profile.prompt);
      return takesTasks(profile) ? [profile] : [];
    } catch (error) {
      if (error instanceof OrchestratorError) return [];
      throw error;
    }
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
    const { nodes } = await this.#pipeline(name);
    for (const inner of namesOf("pipeline", allNodes(nodes))) {
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
    const { files, tasks, services, stored } = this.options;
    const [text, pipelines, { agents, pipelines: paths }] = await Promise.all([
      this.text(name),
      this.names(),
      files.list(),
    ]);
    if (text === null) {
      throw new OrchestratorError(
        "not_found",
        `Cannot run pipeline "${name}": ${sentence(unknownName("pipeline", name, pipelines))}`,
      );
    }
    const known = { agents: [...agents.keys()], tasks, services, pipelines };
    if (stored.has(name)) return await parsePipeline(text, name, known);
    return await parsePipeline(text, basename(paths.get(name)!), { ...known, name });
  }
}

async function versionOf(definition: Definition): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(definition));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return `sha256:${new Uint8Array(digest, 0, 16).toHex()}`;
}
