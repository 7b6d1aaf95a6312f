/** What is wrong with the pipelines, agents and prompts of a configuration. @module */
import type { Config } from "../config.ts";
import type { Issue } from "../errors.ts";
import { localCaller } from "../guard/mod.ts";
import {
  type Catalog,
  createCatalog,
  DefinitionFiles,
  hasOwnDefinitions,
  overriddenDefinitions,
  unreadDefinitions,
} from "../pipeline/catalog/mod.ts";
import { NOTEBOOK_SERVICES } from "../pipeline/notebook/mod.ts";
import { root } from "../resources.ts";
import type { Logger } from "../telemetry/mod.ts";
import { toolFileIssues } from "../tools/mod.ts";
import { agentModelProblems, agentWarnings, pipelineWarnings } from "./definition_warnings.ts";
import { TASKS } from "./tasks.ts";

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
    tasks: [...TASKS],
    services: [...NOTEBOOK_SERVICES, ...Object.keys(config.services)],
    definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
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
 * and for each file that is ignored: unused ones would stay silent otherwise. Never fails.
 */
export async function logUnusableDefinitions(
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
export function definitionFolders(home: string) {
  return {
    pipelines: [`${root}/pipeline/definitions`, `${home}/pipelines`],
    agents: [`${root}/agents`, `${home}/agents`],
    prompts: [`${root}/prompts`, `${home}/prompts`],
  };
}
