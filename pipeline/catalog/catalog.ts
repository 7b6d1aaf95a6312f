/**
 * The pipelines, agents and prompts on offer, and the definitions that runs were started with.
 *
 * Boundary: hands out definitions, by name and by version. Compiles nothing and starts no run.
 *
 * 1. A version names one content for ever: it is the hash of pipeline, agents and prompts together.
 * 2. A definition is in the store before its version is used anywhere, including in another definition.
 * 3. A file that was read is not read again before `reload()`. What another process stored is seen
 *    within {@linkcode FRESH_MS}.
 * 4. A broken definition breaks only what uses it; it never falls back to what it overrides.
 *
 * @module
 */
import { type Issue, OrchestratorError } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import { DefinitionFiles, type DefinitionRoots, memo } from "./definition_files.ts";
import { canonicalJson } from "../../json/mod.ts";
import type { Definition } from "../document/mod.ts";
import { type DefinitionStore, loadDefinition } from "./programs.ts";
import { type CatalogEntry, type Document, type Resolved, Resolver } from "./resolver.ts";
import type { Snapshot, StoredPipelines } from "./stored_pipelines.ts";

export type { CatalogEntry, Document, Resolved, Source } from "./resolver.ts";

/** How long stored pipelines are taken for current without a look, in milliseconds. */
const FRESH_MS = 1_000;
const NOTHING: Snapshot = { stamp: null, pipelines: new Map() };

/** What a catalog needs. */
export interface CatalogOptions {
  roots: DefinitionRoots;
  definitions: DefinitionStore;
  /** Names of the tasks there are. */
  tasks: string[];
  /** Names of the services there are; without them references are not checked. */
  services?: string[];
  /** Pipelines besides the files. */
  stored?: Pick<StoredPipelines, "snapshot">;
  /** Milliseconds from any fixed point. */
  now?: () => number;
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
  resolve(caller: Caller, name: string): Promise<Resolved>;
  /** What `text` would be as pipeline `name`. @throws as `resolve` */
  define(caller: Caller, name: string, text: string): Promise<Resolved>;
  /** Stores a definition for the runs to come. @returns its version */
  keep(caller: Caller, resolved: Resolved): Promise<string>;
  /** A pipeline as it was written; `null` if it does not exist. */
  document(caller: Caller, name: string): Promise<Document | null>;
  /** What a run was started with. @throws `not_found` */
  load(version: string): Promise<Definition>;
  /** With `mentioning` only those whose text holds that word: the others need not be read. */
  pipelines(caller: Caller, mentioning?: string): Promise<CatalogEntry[]>;
  /** With `own` only what did not come with the program. */
  list(caller: Caller, options?: { own?: boolean }): Promise<CatalogList>;
  /** Looks for changes of stored pipelines with the next call. */
  refresh(): void;
  /** Forgets what was read; files are read again when they are needed. */
  reload(): void;
}

/** Makes a catalog. Nothing is read before it is needed. */
export function createCatalog(options: CatalogOptions): Catalog {
  return new FileCatalog(options);
}

/** What a tenant has. */
interface View {
  resolver: Resolver;
  snapshot: Snapshot;
  checked: number;
  resolved: Map<string, Promise<Resolved>>;
}

class FileCatalog implements Catalog {
  private readonly written = new Set<string>();
  private readonly now: () => number;
  private files: DefinitionFiles;
  private views = new Map<string, View>();
  private looks = new Map<string, Promise<View>>();
  /** Counts what makes a look that is under way too old. */
  private turn = 0;

  constructor(private readonly options: CatalogOptions) {
    this.now = options.now ?? (() => performance.now());
    this.files = new DefinitionFiles(options.roots);
  }

  resolve({ tenant }: Caller, name: string): Promise<Resolved> {
    const view = this.fresh(tenant);
    if (view) return this.resolveIn(view, name);
    return this.look(tenant).then((looked) => this.resolveIn(looked, name));
  }

  async define({ tenant }: Caller, name: string, text: string): Promise<Resolved> {
    const { snapshot } = await this.view(tenant);
    const stored = new Map<string, { text: string }>(snapshot.pipelines).set(name, { text });
    return await this.resolverOf(stored).define(name);
  }

  async keep({ tenant }: Caller, resolved: Resolved): Promise<string> {
    const { resolver } = await this.view(tenant);
    return (await this.writeAll(resolver, resolved)).version;
  }

  async document({ tenant }: Caller, name: string): Promise<Document | null> {
    const { resolver, snapshot } = await this.view(tenant);
    const text = await resolver.text(name);
    if (text === null) return null;
    const stored = snapshot.pipelines.get(name);
    if (stored) return { source: "stored", text, stored };
    const file = (await this.files.list()).pipelines.get(name)!;
    return { source: this.sourceOf("pipelines", file), text };
  }

  load(version: string): Promise<Definition> {
    return loadDefinition(this.options.definitions, version);
  }

  pipelines({ tenant }: Caller, mentioning = ""): Promise<CatalogEntry[]> {
    return this.describePipelines(tenant, mentioning, () => true);
  }

  private async describePipelines(
    tenant: string,
    mentioning: string,
    isWanted: (entry: CatalogEntry) => boolean,
  ): Promise<CatalogEntry[]> {
    const { resolver, snapshot } = await this.view(tenant);
    const { pipelines } = await this.files.list();
    const entry = (name: string): CatalogEntry => {
      const stored = snapshot.pipelines.get(name);
      if (stored) return { name, source: "stored", number: stored.number };
      const file = pipelines.get(name)!;
      return { name, source: this.sourceOf("pipelines", file), file };
    };
    return await Promise.all(
      (await resolver.names(mentioning)).map(entry).filter(isWanted).map((wanted) =>
        described(wanted, async () => {
          const { version, definition } = await resolver.define(wanted.name);
          const { description, schedule } = definition.pipeline;
          return { description, version, ...(schedule ? { schedule } : {}) };
        })
      ),
    );
  }

  async list({ tenant }: Caller, { own = false } = {}): Promise<CatalogList> {
    const { files } = this;
    const isWanted = ({ source }: CatalogEntry) => !own || source !== "builtin";
    const all = (kind: "agents" | "prompts", describe: (name: string) => Promise<About>) =>
      files.list().then((found) =>
        Promise.all(
          [...found[kind]]
            .map(([name, file]) => ({ name, source: this.sourceOf(kind, file), file }))
            .filter(isWanted)
            .map((entry) => described(entry, () => describe(entry.name))),
        )
      );
    return {
      pipelines: await this.describePipelines(tenant, "", isWanted),
      agents: await all("agents", async (name) => {
        return { description: (await files.agent(name)).description };
      }),
      prompts: await all("prompts", async (name) => {
        await files.prompt(name);
        return {};
      }),
    };
  }

  refresh(): void {
    this.turn++;
    this.looks.clear();
    for (const view of this.views.values()) view.checked = -Infinity;
  }

  reload(): void {
    this.refresh();
    this.files = new DefinitionFiles(this.options.roots);
    this.views.clear();
  }

  private resolveIn(view: View, name: string): Promise<Resolved> {
    return memo(view.resolved, name, () => this.write(view.resolver, name));
  }

  /** Defines a pipeline and stores it, after those that it runs (invariant 2). */
  private async write(resolver: Resolver, name: string): Promise<Resolved> {
    return await this.writeAll(resolver, await resolver.define(name));
  }

  private async writeAll(resolver: Resolver, result: Resolved): Promise<Resolved> {
    if (this.written.has(result.version)) return result;
    for (const inner of Object.keys(result.definition.pipelines ?? {})) {
      await this.write(resolver, inner);
    }
    await this.options.definitions.put(result.version, canonicalJson(result.definition));
    this.written.add(result.version);
    return result;
  }

  private async view(tenant: string): Promise<View> {
    return this.fresh(tenant) ?? await this.look(tenant);
  }

  /** The view that can be used without a look at the store. */
  private fresh(tenant: string): View | undefined {
    const view = this.views.get(tenant);
    return view && this.now() - view.checked < FRESH_MS ? view : undefined;
  }

  /** Looks whether stored pipelines have changed: once, however many ask. */
  private look(tenant: string): Promise<View> {
    const { looks } = this;
    let look = looks.get(tenant);
    if (!look) {
      look = this.update(tenant).finally(() => {
        if (looks.get(tenant) === look) looks.delete(tenant);
      });
      looks.set(tenant, look);
    }
    return look;
  }

  private async update(tenant: string): Promise<View> {
    const { turn } = this;
    const known = this.views.get(tenant);
    const checked = this.now();
    const snapshot = await this.options.stored?.snapshot(tenant, known?.snapshot) ?? NOTHING;
    const view: View = known && known.snapshot === snapshot
      ? known
      : { resolver: this.resolverOf(snapshot.pipelines), snapshot, checked, resolved: new Map() };
    if (turn === this.turn) this.views.set(tenant, Object.assign(view, { checked }));
    return view;
  }

  private resolverOf(stored: ReadonlyMap<string, { text: string }>): Resolver {
    const { tasks, services } = this.options;
    return new Resolver({ files: this.files, tasks, services, stored });
  }

  private sourceOf(kind: keyof DefinitionRoots, file: string): "builtin" | "home" {
    return this.files.isBuiltIn(kind, file) ? "builtin" : "home";
  }
}

/** What a definition says of itself. */
type About = Pick<CatalogEntry, "description" | "version" | "schedule">;

/** An entry with what its definition says, or with what is wrong with that. */
async function described(
  entry: CatalogEntry,
  describe: () => Promise<About>,
): Promise<CatalogEntry> {
  try {
    return { ...entry, ...await describe() };
  } catch (error) {
    if (!(error instanceof OrchestratorError)) throw error;
    return { ...entry, issues: error.issues ?? [issueOf(entry, error)] };
  }
}

function issueOf({ file, name }: CatalogEntry, { message }: OrchestratorError): Issue {
  return { location: file ?? name, message };
}
