/**
 * Definition files: every regular file directly in a folder, by the name it gives. They are used as
 * they were found: every file is read once.
 *
 * @module
 */
import { basename, extname, join } from "node:path";
import { type ErrorCode, type Issue, OrchestratorError, sentence } from "../../errors.ts";
import { type AgentProfile, parseProfile, promptIssues } from "../agent/mod.ts";

/** The longest file that is read, in bytes. */
const MAX_FILE_BYTES = 256 * 1024;

/** Folders; a later one overrides an earlier one, file by file. The first ones are built in. */
export interface DefinitionRoots {
  pipelines: string[];
  agents: string[];
  prompts: string[];
}

/** Paths of files by name. */
export type Files = Record<keyof DefinitionRoots, Map<string, string>>;

const EXTENSIONS = { pipelines: ".yaml", agents: ".md", prompts: ".md" } as const;
const KINDS = Object.keys(EXTENSIONS) as (keyof DefinitionRoots)[];

/** The user's files that are not read because of what they are or are called. */
export async function unreadDefinitions(roots: DefinitionRoots): Promise<Issue[]> {
  const found = KINDS.flatMap((kind) =>
    roots[kind].slice(1).map((folder) => unreadFiles(folder, EXTENSIONS[kind]))
  );
  return (await Promise.all(found)).flat();
}

/** The user's files that replace a built-in definition of the same name. */
export async function overriddenDefinitions(roots: DefinitionRoots): Promise<Issue[]> {
  const found = KINDS.map(async (kind) => {
    const replaced = await listFiles(roots[kind].slice(0, 1), EXTENSIONS[kind]);
    return [...await listFiles(roots[kind].slice(1), EXTENSIONS[kind])]
      .filter(([name]) => replaced.has(name))
      .map(([name, location]) => ({
        location,
        message: `replaces the built-in ${kind.slice(0, -1)} ${name}`,
      }));
  });
  return (await Promise.all(found)).flat();
}

/** True when the user has written, or overridden, any. */
export async function hasOwnDefinitions(roots: DefinitionRoots): Promise<boolean> {
  const own = KINDS.map((kind) => listFiles(roots[kind].slice(1), EXTENSIONS[kind]));
  return (await Promise.all(own)).some(({ size }) => size > 0);
}

/** Reads definition files. */
export class DefinitionFiles {
  #files?: Promise<Files>;
  #pipelines = new Map<string, Promise<string>>();
  #agents = new Map<string, Promise<AgentProfile>>();
  #prompts = new Map<string, Promise<string>>();

  constructor(private readonly roots: DefinitionRoots) {}

  /** The files that there are. */
  list(): Promise<Files> {
    this.#files ??= (async () => {
      const { pipelines, agents, prompts } = this.roots;
      return {
        pipelines: await listFiles(pipelines, EXTENSIONS.pipelines),
        agents: await listFiles(agents, EXTENSIONS.agents),
        prompts: await listFiles(prompts, EXTENSIONS.prompts),
      };
    })();
    return this.#files;
  }

  /** True for a file that came with the program. */
  isBuiltIn(kind: keyof DefinitionRoots, file: string): boolean {
    return file.startsWith(`${this.roots[kind][0]}/`);
  }

  /** The text of a pipeline file that there is. @throws `pipeline_invalid` */
  async pipeline(name: string): Promise<string> {
    return await memo(this.#pipelines, name, async () => {
      return await text((await this.list()).pipelines.get(name)!, "pipeline_invalid");
    });
  }

  /** An agent that there is. @throws `agent_invalid` */
  agent(name: string): Promise<AgentProfile> {
    return memo(this.#agents, name, async () => {
      const { agents, prompts } = await this.list();
      const file = agents.get(name)!;
      return parseProfile(await text(file, "agent_invalid"), name, [...prompts.keys()]);
    });
  }

  /** The text of a prompt that there is. @throws `prompt_invalid` */
  prompt(name: string): Promise<string> {
    return memo(this.#prompts, name, async () => {
      const file = (await this.list()).prompts.get(name)!;
      const prompt = await text(file, "prompt_invalid");
      const issues = await promptIssues(prompt);
      if (issues.length > 0) throw unusable("prompt_invalid", file, issues);
      return prompt;
    });
  }
}

/** The error for a definition that cannot be used. */
export function unusable(code: ErrorCode, file: string, issues: Issue[]): OrchestratorError {
  const [{ location, message }] = issues as [Issue];
  return new OrchestratorError(
    code,
    `Cannot use ${basename(file)}: ${location}: ${sentence(message)} Fix the file.`,
    { issues },
  );
}

async function text(file: string, code: ErrorCode): Promise<string> {
  const read = await readText(file);
  if ("text" in read) return read.text;
  throw unusable(code, file, [{ location: "line 1", message: read.problem }]);
}

/**
 * The files of some folders by name without extension; later folders override earlier ones. Folders
 * that do not exist are empty.
 */
async function listFiles(
  folders: string[],
  extension: string,
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const { name: file, isFile } of await entries(folder)) {
      const name = nameOf(file, extension);
      if (isFile && name !== undefined) files.set(name, join(folder, file));
    }
  }
  return new Map([...files].sort(([a], [b]) => a < b ? -1 : 1));
}

/** What lies in a folder and is not read as a definition, and why; hidden files need no reason. */
async function unreadFiles(folder: string, extension: string): Promise<Issue[]> {
  const found = (await entries(folder)).filter(({ name }) => !/^\.|^readme/i.test(name));
  return found.sort((a, b) => a.name < b.name ? -1 : 1).flatMap(({ name, isFile }) => {
    const message = !isFile
      ? "is ignored: only regular files directly in this folder are read"
      : nameOf(name, extension) === undefined
      ? `is ignored because of its name: rename it to ${readable(name, extension)}`
      : undefined;
    return message ? [{ location: join(folder, name), message }] : [];
  });
}

/** The name of the definition that a file holds, unless it holds none. */
function nameOf(file: string, extension: string): string | undefined {
  if (!file.endsWith(extension)) return undefined;
  const name = file.slice(0, -extension.length);
  return /^[a-z0-9][a-z0-9_-]*$/.test(name) ? name : undefined;
}

/** A name for a file that is read, as near as possible. */
function readable(file: string, extension: string): string {
  const stem = file.slice(0, file.length - extname(file).length).toLowerCase();
  const name = stem.replace(/[^a-z0-9_-]+/g, "_").replace(/^[_-]+/, "");
  return `${name || "name"}${extension}`;
}

async function entries(folder: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** A file's text, or why it cannot be used. */
async function readText(file: string): Promise<{ text: string } | { problem: string }> {
  try {
    if ((await Deno.stat(file)).size > MAX_FILE_BYTES) {
      return { problem: `the file is larger than ${MAX_FILE_BYTES} bytes; split it` };
    }
    return { text: await Deno.readTextFile(file) };
  } catch (error) {
    return {
      problem: `the file cannot be read: ${error instanceof Error ? error.message : error}`,
    };
  }
}

/** Keeps promises by key; one that fails is made again next time. */
export function memo<T>(
  map: Map<string, Promise<T>>,
  key: string,
  make: () => Promise<T>,
): Promise<T> {
  let promise = map.get(key);
  if (!promise) {
    promise = make();
    map.set(key, promise);
    promise.catch(() => map.delete(key));
  }
  return promise;
}
