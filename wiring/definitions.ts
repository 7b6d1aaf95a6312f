/** Pipelines, agents and prompts of a configuration, and what compiling and starting them takes. @module */
import type { Config } from "../config.ts";
import type { Issue } from "../errors.ts";
import { localCaller } from "../guard/mod.ts";
import {
  agentStateTask,
  environmentsTask,
  giveUpTask,
  NOTEBOOK_SERVICES,
} from "../pipeline/notebook/mod.ts";
import type { ApprovalDeps } from "../pipeline/calls/approvals/mod.ts";
import { createNodeCache, createProgram, validateInput } from "../pipeline/walk/mod.ts";
import {
  type Catalog,
  createCatalog,
  DefinitionFiles,
  hasOwnDefinitions,
  overriddenDefinitions,
  type StoredPipelines,
  unreadDefinitions,
} from "../pipeline/catalog/mod.ts";
import { type Definition, startOptions } from "../pipeline/document/mod.ts";
import type { BuiltInPrograms } from "../pipeline/ingest/mod.ts";
import { createPipelineOffers } from "../pipeline/plans/mod.ts";
import { type RememberDeps, remembering } from "../pipeline/recall/mod.ts";
import type { Services, ToolCallDeps, Tools } from "../pipeline/calls/mod.ts";
import { mergeReviewTask } from "../pipeline/compose/mod.ts";
import type { Search, Tasks } from "../pipeline/nodes/mod.ts";
import { root } from "../resources.ts";
import type { CatalogPort, Prepared } from "../service/mod.ts";
import { keys, setText, type Store } from "../store/mod.ts";
import { type ModelClient, mustBePriced } from "../llm/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import { toolFileIssues } from "../tools/mod.ts";
import { agentModelProblems, agentWarnings, pipelineWarnings } from "./definition_warnings.ts";

/** The tasks that pipelines may call by name. */
export function builtInTasks(services: Services): Tasks {
  return {
    merge_review: mergeReviewTask,
    agent_state: agentStateTask,
    environments: environmentsTask(services),
    give_up: giveUpTask,
  };
}

/** Those that are made with what the service remembers and has installed. */
export const MADE = ["capabilities", "keep_summary", "read_conversation", "remember"] as const;

/** What is wrong with a home folder's definitions, what is likely a mistake, and what they replace. */
export interface DefinitionFindings {
  problems: Issue[];
  warnings: Issue[];
  overrides: Issue[];
}

/**
 * What is wrong with the agents, prompts, pipelines and tools of a home folder.
 *
 * @param options `models: false` leaves out whether the agents' models are configured
 */
export async function definitionFindings(
  config: Config,
  { models = true }: { models?: boolean } = {},
): Promise<DefinitionFindings> {
  const roots = definitionFolders(config.home);
  const catalog = createCatalog({
    roots,
    tasks: [...Object.keys(builtInTasks({})), ...MADE],
    services: [...NOTEBOOK_SERVICES, ...Object.keys(config.services)],
    definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
    compile: () => () => Promise.resolve(null),
  });
  const { pipelines, agents, prompts } = await catalog.list(localCaller());
  const issues = [...pipelines, ...agents, ...prompts].flatMap(({ file, issues = [] }) =>
    issues.map(({ location, message }) => ({ location: `${file}, ${location}`, message }))
  );
  const unconfigured = models ? await agentModelProblems(agents, config) : [];
  return {
    problems: [...issues, ...unconfigured, ...toolFileIssues(config)],
    warnings: [
      ...await unreadDefinitions(roots),
      ...await pipelineWarnings(pipelines, config),
      ...await agentWarnings(agents, config),
    ],
    overrides: await overriddenDefinitions(roots),
  };
}

/**
 * Logs a warning for each definition that cannot be used, with the first thing that is wrong with it,
 * and for each file that is not read: what nobody asks for would stay silent otherwise. Never fails.
 */
export async function tellIssues(
  catalog: Pick<Catalog, "list">,
  { home }: Pick<Config, "home">,
  log: Logger,
): Promise<void> {
  try {
    const folders = definitionFolders(home);
    for (const { location, message } of await unreadDefinitions(folders)) {
      log.warn("a definition file is ignored", {
        file: location,
        issue: message,
      });
    }
    // Reading what came with the program costs memory that an idle server does without.
    if (!await hasOwnDefinitions(folders)) return;
    const { pipelines, agents, prompts } = await catalog.list(localCaller(), { own: true });
    for (const { name, file = name, issues } of [...pipelines, ...agents, ...prompts]) {
      const [first] = issues ?? [];
      if (first) log.warn("a definition cannot be used", { file, issue: textOf(first) });
    }
  } catch (error) {
    log.error("the definitions cannot be listed", { error });
  }
}

function textOf({ location, message }: Issue): string {
  return `${location}: ${message}`;
}

/** Names of the pipelines of the program and of a home folder. */
export async function pipelineNames({ home }: Pick<Config, "home">): Promise<string[]> {
  const { pipelines } = await new DefinitionFiles(definitionFolders(home)).list();
  return [...pipelines.keys()];
}

/** Folders of the built-in and of the user's definitions. */
function definitionFolders(home: string) {
  return {
    pipelines: [`${root}/pipeline/definitions`, `${home}/pipelines`],
    agents: [`${root}/agents`, `${home}/agents`],
    prompts: [`${root}/prompts`, `${home}/prompts`],
  };
}

/** The catalog over the built-in folders, those of the home folder, and the store. */
export function configuredCatalog(deps: {
  config: Config;
  store: Store;
  stored: StoredPipelines;
  models: ModelClient;
  tasks: Tasks;
  callable: Services;
  remember: RememberDeps;
  approvals: ApprovalDeps;
  search: Search;
  tools: Tools;
  keep: ToolCallDeps["keep"];
}): Catalog {
  const {
    config,
    store,
    stored,
    models,
    tasks,
    remember,
    approvals,
    tools,
    keep,
    callable: services,
  } = deps;
  const model_retry = { max_attempts: config.models.max_attempts };
  const cache = createNodeCache(store, approvals.now);
  const catalog: Catalog = createCatalog({
    roots: definitionFolders(config.home),
    tasks: Object.keys(tasks),
    services: Object.keys(services),
    stored,
    definitions: {
      get: async (wanted) => (await store.get<string>(keys.definition(wanted)))?.value ?? null,
      put: async (wanted, json) => {
        const mutations = [setText(keys.definition(wanted), JSON.stringify(json))];
        await store.commit({ checks: [], mutations });
      },
    },
    compile: (definition) => {
      const program = createProgram(definition, {
        models,
        model_retry,
        tasks,
        services,
        tools,
        keep,
        approvals,
        search: deps.search,
        cache,
        plans: createPipelineOffers(catalog),
        async resolvePipeline(caller, name, input) {
          const { version, definition } = await catalog.resolve(caller, name);
          validateInput(definition, input);
          return version;
        },
      });
      return remembering(program, remember, wantsMemory(definition));
    },
  });
  return catalog;
}

/** A pipeline whose input may hold `memory` gets it. */
function wantsMemory({ pipeline }: Definition): boolean {
  const properties = pipeline.input?.properties;
  return typeof properties === "object" && properties !== null && "memory" in properties;
}

/** What starting a run needs of its pipeline, its input checked. */
export function preparing(
  catalog: Catalog,
  programs: BuiltInPrograms,
  models: ModelClient,
): CatalogPort["prepare"] {
  return async (caller, name, input) => {
    const built_in = programs.prepare(name, input);
    if (built_in) return built_in;
    const { version, definition } = await catalog.resolve(caller, name);
    validateInput(definition, input);
    const { cache, budget } = definition.pipeline;
    const unpriced = () => unpricedIn(definition, models);
    if (budget?.cost_usd !== undefined) mustBePriced(unpriced());
    const prepared: Prepared = { ...await startOptions(definition, input), version, unpriced };
    if (cache) prepared.cache_seconds = cache.ttl_seconds;
    return prepared;
  };
}

/** Models of a definition's agents whose price is not known. */
function unpricedIn({ agents }: Definition, models: ModelClient): string[] {
  const names = Object.values(agents).flatMap(({ model }) => models.unpriced?.(model) ?? []);
  return [...new Set(names)];
}
