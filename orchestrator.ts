/**
 * The composition root: config → store → services → engine → app. Ports meet their adapters here
 * and nowhere else.
 *
 * @module
 */
import type { Hono } from "hono";
import type { Config } from "./config.ts";
import type { Issue } from "./errors.ts";
import { createEgress, type Egress } from "./guard/egress.ts";
import { createConversations } from "./knowledge/conversations.ts";
import { createMemory } from "./knowledge/memory.ts";
import { createRecollection } from "./knowledge/recollection.ts";
import { createCrawler } from "./knowledge/crawler.ts";
import { createKnowledge, type Knowledge } from "./knowledge/mod.ts";
import { createQdrant } from "./knowledge/qdrant.ts";
import { createEmbedder } from "./llm/embeddings.ts";
import { configuredProviders, createModels, createProbe, type ModelClient } from "./llm/mod.ts";
import { agentStateTask } from "./pipeline/agent_state.ts";
import { type ApprovalDeps, type Approvals, createApprovals } from "./pipeline/approvals/mod.ts";
import { createBudgetGate } from "./pipeline/budget.ts";
import { createNodeCache } from "./pipeline/cache.ts";
import { createAuthoring } from "./pipeline/authoring.ts";
import { type Catalog, createCatalog } from "./pipeline/catalog.ts";
import {
  createProgram,
  type Definition,
  startOptions,
  validateInput,
} from "./pipeline/graph/mod.ts";
import {
  createEngine,
  createRetention,
  type Engine,
  realWorld,
  type World,
} from "./pipeline/kernel/mod.ts";
import { type BuiltInPrograms, createPrograms } from "./pipeline/ingest.ts";
import { createPipelineOffers } from "./pipeline/plans/mod.ts";
import { keepSummaryTask, readConversationTask, rememberTask } from "./pipeline/memory_tasks.ts";
import { capabilitiesTask } from "./pipeline/offers.ts";
import { type RememberDeps, remembering } from "./pipeline/remember.ts";
import { createResponseCache } from "./pipeline/response_cache.ts";
import { createSchedules } from "./pipeline/schedules.ts";
import { createStoredPipelines, type StoredPipelines } from "./pipeline/stored_pipelines.ts";
import type { Services } from "./pipeline/services.ts";
import {
  createNotebook,
  environmentsTask,
  giveUpTask,
  NOTEBOOK_SERVICES,
} from "./pipeline/notebook/mod.ts";
import { createSummaries } from "./pipeline/start_summary.ts";
import { select } from "./pipeline/select.ts";
import type { ToolCallDeps, Tools } from "./pipeline/tool_call.ts";
import { mergeReviewTask } from "./pipeline/steps/merge_review.ts";
import type { Task, Tasks } from "./pipeline/steps/mod.ts";
import type { Search } from "./pipeline/steps/retrieve.ts";
import { root } from "./resources.ts";
import { createApp } from "./routes/app.ts";
import type { AppDeps, AppEnv, CatalogPort, HealthParts } from "./routes/deps.ts";
import { createArtifacts, keys, openStore, setText, type Store } from "./store/mod.ts";
import type { Logger } from "./telemetry/log.ts";
import type { ServiceHealth } from "./tools/breaker.ts";
import { createExternalTools } from "./tools/external/mod.ts";
import { createMcpTools, createPins } from "./tools/mcp/mod.ts";
import { createCodeExecutor } from "./tools/code_executor.ts";
import { createDatasetTool } from "./tools/dataset/mod.ts";
import { createSandbox } from "./tools/sandbox/mod.ts";
import { createTools, type ToolSet } from "./tools/mod.ts";
import { createWebTools, toolFileIssues } from "./tools/web.ts";
import { createSearchDocuments } from "./tools/search_documents.ts";
import { version } from "./version.ts";

/** How long a worker is taken for alive after its last commit. */
const LEASE_MS = 15_000;
const SWEEP_MS = 2_000;
const PING_MS = 15_000;

/** A whole service, not listening yet. */
export interface Orchestrator {
  readonly app: Hono<AppEnv>;
  readonly engine: Engine;
  readonly catalog: Catalog;
  readonly approvals: Approvals;
  /** Starts scheduled runs and removes old ones from now on, as a server does. */
  keepWatch(): void;
  /** Lets runs reach a commit, gives the rest back and closes the store. */
  close(): Promise<void>;
}

/** What a service can be given besides its config. */
export interface OrchestratorOptions {
  config: Config;
  log: Logger;
  /** Tasks besides the built-in ones. */
  tasks?: Tasks;
  /** Called once when another worker has taken over from this one. */
  onFenced?: () => void;
}

/** The tasks that pipelines may call by name. */
function builtInTasks(services: Services): Tasks {
  return {
    merge_review: mergeReviewTask,
    agent_state: agentStateTask,
    environments: environmentsTask(services),
    give_up: giveUpTask,
  };
}

/** Those that are made with what the service remembers and has installed. */
const MADE = ["capabilities", "keep_summary", "read_conversation", "remember"] as const;

/**
 * Builds a service and resumes what its store holds.
 *
 * @throws `data_dir_locked`, `store_newer_schema`
 */
export async function createOrchestrator(options: OrchestratorOptions): Promise<Orchestrator> {
  const { config, log } = options;
  const world = realWorld();
  const { store, close } = await openStore(config.deploy ? undefined : config.data_dir, {
    worker: `worker_${world.newId()}`,
    now: world.clock.now,
    sleep: (ms) => world.clock.sleep(ms),
    lease_ms: LEASE_MS,
  });
  const models = configuredModels(config);
  const conversations = createConversations(store);
  const memory = createMemory(store, world.clock.now);
  const asking: ApprovalDeps = { store, now: world.clock.now, newId: world.newId };
  const approvals = createApprovals({ store, now: world.clock.now });
  const keep_ms = config.runs.retention_ms;
  const max_bytes = config.server.max_artifact_bytes;
  const artifacts = createArtifacts(store, {
    now: world.clock.now,
    newId: world.newId,
    max_bytes,
    keep_ms,
  });
  const egress = createEgress({ allowed_hosts: config.tools.egress_allowed_hosts, log });
  const knowledge = configuredKnowledge(config, { store, egress, world });
  const data = { egress, artifacts, max_bytes };
  const sandbox = createSandbox({ concurrency: config.tools.sandbox_concurrency });
  const callable = { ...createNotebook({ ...data, sandbox }), ...config.services };
  const visit = createCrawler({
    egress,
    knowledge,
    max_bytes: config.documents.max_bytes,
    ...world.clock,
  });
  const programs = createPrograms({ visit, knowledge });
  const stored = createStoredPipelines(store, world.clock.now);
  const search: Search = (...asked) => knowledge.search(...asked);
  const now = world.clock.now;
  const web = createWebTools(config, { egress, select, now, log });
  const built_in = [
    createSearchDocuments({ search }),
    createDatasetTool(data),
    createCodeExecutor({ sandbox, files: artifacts }),
    ...web.built_in,
  ];
  const services = configuredServiceTools(config, { store, egress, world, log });
  const tools = createTools({
    ...{ store, now, log, built_in },
    sets: [web.files, ...services],
    compile: web.compile,
  });
  const made: Record<typeof MADE[number], Task> = {
    capabilities: capabilitiesTask({
      offers: (tenant) => createPipelineOffers(catalog).offers(tenant),
      tools,
    }),
    keep_summary: keepSummaryTask(conversations),
    read_conversation: readConversationTask(conversations),
    remember: rememberTask(memory),
  };
  const tasks = { ...builtInTasks(callable), ...made, ...options.tasks };
  const remember: RememberDeps = {
    conversations,
    memory,
    limit: config.runs.conversation_messages,
    summarize: createSummaries({
      prepare: (name, input) => prepare(name, input),
      engine: () => engine,
      log,
    }),
  };
  const catalog: Catalog = createConfiguredCatalog({
    config,
    store,
    stored,
    models,
    tasks,
    callable,
    remember,
    approvals: asking,
    search,
    tools,
    keep: (run, step, file) => artifacts.put(run.tenant, { run: run.id, step, key: step }, file),
  });
  const prepare = preparing(catalog, programs);
  const engine: Engine = createEngine({
    store,
    world,
    log,
    programs: (run) => programs.run(run.version) ?? catalog.program(run.version),
    gate: createBudgetGate(asking),
    concurrency: config.runs.concurrency,
    queue_limit: config.runs.queue_limit,
    idempotency_ttl_ms: config.runs.idempotency_ttl_ms,
    lease_ms: LEASE_MS,
    sweep_ms: SWEEP_MS,
    onFenced: options.onFenced,
  });
  await engine.open();
  const { clock } = world;
  const schedules = createSchedules({ catalog, engine, prepare, store, clock, log });
  const retention = createRetention({
    store,
    clock,
    log,
    keep_ms,
    sweepers: [artifacts.sweep, () => knowledge.tidy()],
  });
  const shutdown = new AbortController();
  const app = createApp({
    ...appDeps({ config, log, engine, approvals, world, services, shutdown: shutdown.signal }),
    artifacts,
    catalog: { prepare },
    pipelines: createAuthoring(catalog, stored),
    knowledge,
    schedules,
    llm: createProbe(config.models),
    conversations,
    memory,
    recollection: createRecollection(store, conversations, memory),
    responses: createResponseCache({
      store,
      cache: createNodeCache(store, world.clock.now),
      conversations,
      memory,
      engine,
      tools,
      pipelines: async (tenant) =>
        (await catalog.pipelines(tenant)).map(({ name, version }) => [name, version ?? null]),
      models: [config.models.provider, config.models.default_model, config.models.fallbacks],
      ttl_ms: config.runs.response_cache_ms,
      newId: world.newId,
    }),
    tools,
  });
  return {
    app,
    engine,
    catalog,
    approvals,
    keepWatch() {
      schedules.start();
      retention.start();
    },
    async close() {
      shutdown.abort();
      await Promise.all([schedules.stop(), retention.stop()]);
      await engine.drain(config.server.drain_timeout_ms);
      await tools.close();
      await sandbox.close();
      await egress.close();
      await close();
    },
  };
}

/** The configured providers behind one client. */
export function configuredModels({ models }: Config): ModelClient {
  return createModels({
    providers: configuredProviders(models),
    default_provider: models.provider,
    default_model: models.default_model,
    fallbacks: models.fallbacks,
    timeout_ms: models.timeout_ms,
    stall_timeout_ms: models.stall_timeout_ms,
    prices: models.prices,
  });
}

/** Asks the chosen provider for its models. @throws `model_*` */
export async function ping(config: Config): Promise<{ latency_ms: number; models: string[] }> {
  const began = performance.now();
  const models = await configuredModels(config).models(AbortSignal.timeout(PING_MS));
  return { latency_ms: performance.now() - began, models };
}

/** What is wrong with the agents, prompts and pipelines of a home folder. */
export async function definitionProblems(config: Config): Promise<Issue[]> {
  const catalog = createCatalog({
    roots: definitionFolders(config.home),
    tasks: [...Object.keys(builtInTasks({})), ...MADE],
    services: [...NOTEBOOK_SERVICES, ...Object.keys(config.services)],
    definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
    compile: () => () => Promise.resolve(null),
  });
  const { pipelines, agents, prompts } = await catalog.list();
  const issues = [...pipelines, ...agents, ...prompts].flatMap(({ file, issues = [] }) =>
    issues.map(({ location, message }) => ({ location: `${file}, ${location}`, message }))
  );
  return [...issues, ...toolFileIssues(config)];
}

/** Tools of what others run, which tell how they are doing. */
type ServiceTools = ToolSet & { health(): ServiceHealth[] };

/** Configured MCP servers, agents and data. Nothing of them is connected to before it is used. */
function configuredServiceTools(
  { external }: Config,
  deps: { store: Store; egress: Egress; world: World; log: Logger },
): ServiceTools[] {
  const { store, egress, world: { clock }, log } = deps;
  const { mcp_allowed_commands: allowed_commands } = external;
  const pins = createPins(store);
  const others = createExternalTools(external, {
    egress,
    sleep: (...args) => clock.sleep(...args),
  });
  return [
    ...createMcpTools(external.mcp_servers, {
      egress,
      allowed_commands,
      pins,
      log,
      now: clock.now,
    }),
    ...(external.agents.length > 0 || external.datasource ? [others] : []),
  ];
}

/** Folders of the built-in and of the user's definitions. */
function definitionFolders(home: string) {
  return {
    pipelines: [`${root}/pipeline/definitions`, `${home}/pipelines`],
    agents: [`${root}/agents`, `${home}/agents`],
    prompts: [`${root}/prompts`, `${home}/prompts`],
  };
}

function createConfiguredCatalog(deps: {
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
        const mutations = setText(keys.definition(wanted), JSON.stringify(json));
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
        async resolvePipeline(tenant, name, input) {
          const { version, definition } = await catalog.resolve(name, tenant);
          validateInput(definition, input);
          return version;
        },
      });
      return remembering(program, remember, wantsMemory(definition));
    },
  });
  return catalog;
}

/** The documents, searched by meaning where a model is configured. */
function configuredKnowledge(
  config: Config,
  deps: { store: Store; egress: Egress; world: World },
): Knowledge {
  const { store, egress, world: { clock, newId } } = deps;
  const { embedding, vector_db, ...limits } = config.documents;
  return createKnowledge({
    store,
    now: clock.now,
    newId,
    limits: { ...limits, max_indexed: limits.max_passages },
    ...(embedding && {
      meaning: {
        embedder: createEmbedder({
          model: embedding.model,
          baseUrl: embedding.base_url,
          apiKey: embedding.api_key?.reveal(),
          timeout_ms: config.models.timeout_ms,
          sleep: clock.sleep,
        }),
        ...(vector_db && {
          db: createQdrant({
            egress,
            url: vector_db.url,
            apiKey: vector_db.api_key?.reveal(),
            model: embedding.model,
          }),
        }),
      },
    }),
  });
}

/** A pipeline whose input may hold `memory` gets it. */
function wantsMemory({ pipeline }: Definition): boolean {
  const properties = pipeline.input?.properties;
  return typeof properties === "object" && properties !== null && "memory" in properties;
}

/** What starting a run needs of its pipeline, its input checked. */
function preparing(catalog: Catalog, programs: BuiltInPrograms): CatalogPort["prepare"] {
  return async (name, input) => {
    const built_in = programs.prepare(name, input);
    if (built_in) return built_in;
    const { version, definition } = await catalog.resolve(name);
    validateInput(definition, input);
    const { cache } = definition.pipeline;
    return {
      version,
      ...await startOptions(definition, input),
      ...(cache ? { cache_seconds: cache.ttl_seconds } : {}),
    };
  };
}

function appDeps(deps: {
  config: Config;
  log: Logger;
  engine: Engine;
  approvals: Approvals;
  world: World;
  services: readonly ServiceTools[];
  shutdown: AbortSignal;
}): Omit<
  AppDeps,
  | "artifacts"
  | "catalog"
  | "conversations"
  | "knowledge"
  | "llm"
  | "memory"
  | "pipelines"
  | "recollection"
  | "responses"
  | "schedules"
  | "tools"
> {
  const { config, log, engine, approvals, world, services, shutdown } = deps;
  const { server, models } = config;
  return {
    engine,
    approvals,
    log,
    settings: {
      max_body_bytes: server.max_body_bytes,
      max_document_bytes: config.documents.max_bytes,
      max_message_bytes: server.max_message_bytes,
      max_artifact_bytes: server.max_artifact_bytes,
      allowed_hosts: [...server.allowed_hosts],
      allowed_origins: [...server.allowed_origins],
      base_url: server.base_url,
    },
    about: { name: "orchestrator", version, mode: config.deploy ? "deploy" : "embedded" },
    health: () =>
      Promise.resolve({
        ...healthOf(engine, models),
        ...(services.length > 0 ? { services: services.flatMap((set) => set.health()) } : {}),
      }),
    newId: (prefix) => `${prefix}_${world.newId()}`,
    now: () => performance.now(),
    shutdown,
  };
}

function healthOf(engine: Engine, { provider, default_model }: Config["models"]): HealthParts {
  return {
    store: { status: engine.stats().store_ok ? "ok" : "down" },
    model_provider: {
      name: provider,
      model: default_model,
      status: provider === "offline" ? "offline" : "ok",
    },
    configuration: { status: "ok" },
  };
}
