/** Pipelines: where they come from, what their runs are started with, and the code of those. @module */
import type { Config } from "../config.ts";
import { createCrawler } from "../knowledge/mod.ts";
import {
  type Catalog,
  createCatalog,
  createDefinitionStore,
  createPrograms,
  createStoredPipelines,
} from "../pipeline/catalog/mod.ts";
import type { Definition } from "../pipeline/document/mod.ts";
import { ingestPrograms } from "../pipeline/ingest/mod.ts";
import type { Engine, RunFunction } from "../pipeline/kernel/mod.ts";
import type { Tasks } from "../pipeline/nodes/mod.ts";
import { createPipelineOffers, type PipelineOffers } from "../pipeline/plans/mod.ts";
import {
  createSummaries,
  type RememberDeps,
  remembering,
  wantsMemory,
} from "../pipeline/recall/mod.ts";
import { createProgram, type ProgramDeps, validateInput } from "../pipeline/walk/mod.ts";
import { type CatalogPort, createPreparation } from "../service/mod.ts";
import { definitionFolders } from "./definitions.ts";
import type { Base, Ports } from "./ports.ts";
import { builtInTasks, TASKS } from "./tasks.ts";

/** What pipelines are made with. */
interface PipelineParts extends Base {
  ports: Ports;
  engine: Engine;
  /** Tasks besides the built-in ones. */
  tasks: Tasks;
}

/** The catalog over the built-in folders, those of the home folder and the store, and its code. */
export function configuredPipelines(config: Config, parts: PipelineParts) {
  const { store, world, ports, tasks } = parts;
  const definitions = createDefinitionStore(store);
  const stored = createStoredPipelines(store, world.clock.now);
  const catalog = createCatalog({
    roots: definitionFolders(config.home),
    tasks: [...TASKS, ...Object.keys(tasks)],
    services: Object.keys(ports.services),
    stored,
    definitions,
  });
  const { egress, knowledge, models } = ports;
  const { max_bytes } = config.documents;
  const visit = createCrawler({ egress, knowledge, max_bytes, ...world.clock });
  const builtIn = ingestPrograms({ visit, knowledge });
  const prepare = createPreparation({ catalog, builtIn, models });
  const compile = compiler(config, { ...parts, catalog, prepare });
  return { catalog, stored, prepare, programs: createPrograms({ definitions, builtIn, compile }) };
}

/** Makes run functions, which have the memory of conversations around the walk. */
function compiler(
  config: Config,
  parts: PipelineParts & Pick<CatalogPort, "prepare"> & { catalog: Catalog },
): (definition: Definition) => RunFunction {
  const { store, world, ports, engine, catalog, prepare, log } = parts;
  const { models, services, tools, artifacts, search, cache, conversations, memory } = ports;
  const { clock: { now }, newId } = world;
  const plans: PipelineOffers = createPipelineOffers(catalog);
  const env = {
    models,
    model_retry: { max_attempts: config.models.max_attempts },
    tasks: { ...builtInTasks(ports, plans), ...parts.tasks },
    services,
    tools,
    keep: (run, step, file) => artifacts.put(run.caller, { run: run.id, step, key: step }, file),
    approvals: { store, now, newId },
    search,
    cache,
    plans,
    async resolvePipeline(caller, name, input) {
      const { version, definition } = await catalog.resolve(caller, name);
      validateInput(definition, input);
      return version;
    },
  } satisfies ProgramDeps;
  const remember: RememberDeps = {
    conversations,
    memory,
    limit: config.runs.conversation_messages,
    summarize: createSummaries({ prepare, engine, log }),
  };
  return (definition) =>
    remembering(createProgram(definition, env), remember, wantsMemory(definition));
}
