/**
 * The composition root: config → store → services → engine → app. Ports meet their adapters here
 * and nowhere else.
 *
 * @module
 */
import type { Hono } from "hono";
import type { Config } from "./config.ts";
import { createEgress } from "./guard/mod.ts";
import {
  createConversations,
  createCrawler,
  createMemory,
  createRecollection,
} from "./knowledge/mod.ts";
import { createProbe, watchModels } from "./llm/mod.ts";
import {
  type ApprovalDeps,
  type Approvals,
  createApprovals,
} from "./pipeline/calls/approvals/mod.ts";
import { createBudgetGate, keepsEvent } from "./pipeline/calls/mod.ts";
import { createNodeCache } from "./pipeline/walk/mod.ts";
import {
  type Catalog,
  createAuthoring,
  createSchedules,
  createStoredPipelines,
} from "./pipeline/catalog/mod.ts";
import { createEngine, createRetention, type Engine, realWorld } from "./pipeline/kernel/mod.ts";
import { createPrograms } from "./pipeline/ingest/mod.ts";
import { createRunLog } from "./service/mod.ts";
import { capabilitiesTask, createPipelineOffers } from "./pipeline/plans/mod.ts";
import {
  createResponseCache,
  createSummaries,
  keepSummaryTask,
  readConversationTask,
  type RememberDeps,
  rememberTask,
} from "./pipeline/recall/mod.ts";
import { createNotebook } from "./pipeline/notebook/mod.ts";
import type { Search, Task, Tasks } from "./pipeline/nodes/mod.ts";
import { type AppEnv, createApp, type Identify } from "./routes/mod.ts";
import { createArtifacts, type OpenStore } from "./store/mod.ts";
import type { Logger } from "./telemetry/mod.ts";
import { createSandbox } from "./tools/sandbox/mod.ts";
import { builtInTasks, configuredCatalog, type MADE, preparing } from "./wiring/definitions.ts";
import { createInstalledCheck } from "./wiring/installed.ts";
import { configuredKnowledge } from "./wiring/knowledge.ts";
import { configuredModels, modelClients } from "./wiring/models.ts";
import { configuredStore, LEASE_MS } from "./wiring/store.ts";
import { surfaceOf } from "./wiring/surface.ts";
import { configuredTools } from "./wiring/tools.ts";

const SWEEP_MS = 2_000;

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
  /** Finds out who sent a request; default: {@linkcode identifyLocal}. */
  identify?: Identify;
  /** Called once when another worker has taken over from this one. */
  onFenced?: () => void;
  /** The store, if somebody has begun to open it already. */
  opening?: Promise<OpenStore>;
}

/**
 * Builds a service and resumes what its store holds.
 *
 * @throws `data_dir_locked`, `store_newer_schema`
 */
export async function createOrchestrator(options: OrchestratorOptions): Promise<Orchestrator> {
  const { config, log } = options;
  const { store, flight, close } = await (options.opening ?? configuredStore(config, log));
  const world = realWorld(store.after);
  const models = watchModels(configuredModels(config), world.clock.now);
  const conversations = createConversations(store);
  const memory = createMemory(store, world.clock.now);
  const asking: ApprovalDeps = { store, now: world.clock.now, newId: world.newId };
  const keep_ms = config.runs.retention_ms;
  const max_bytes = config.server.max_artifact_bytes;
  const artifacts = createArtifacts(store, {
    now: world.clock.now,
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
  const parts = { store, world, log, egress, artifacts, sandbox, search };
  const { tools, services } = configuredTools(config, parts);
  const made: Record<typeof MADE[number], Task> = {
    capabilities: capabilitiesTask({
      offers: (caller) => createPipelineOffers(catalog).offers(caller),
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
      prepare: (...asked) => prepare(...asked),
      engine: () => engine,
      log,
    }),
  };
  const catalog: Catalog = configuredCatalog({
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
    keep: (run, step, file) => artifacts.put(run.caller, { run: run.id, step, key: step }, file),
  });
  const prepare = preparing(catalog, programs, models);
  const engine: Engine = createEngine({
    store,
    flight,
    world,
    log,
    observer: createRunLog(log),
    keepsEvent,
    gate: createBudgetGate(asking),
    concurrency: config.runs.concurrency,
    queue_limit: config.runs.queue_limit,
    queue_total: config.runs.queue_total,
    idempotency_ttl_ms: config.runs.idempotency_ttl_ms,
    lease_ms: LEASE_MS,
    sweep_ms: SWEEP_MS,
    onFenced: options.onFenced,
  });
  const approvals = createApprovals({ store, engine, now: world.clock.now });
  await engine.open(({ version }) => programs.run(version) ?? catalog.program(version));
  const { clock } = world;
  const schedules = createSchedules({ catalog, stored, engine, prepare, store, clock, log });
  const retention = createRetention({
    store,
    clock,
    log,
    keep_ms,
    sweepers: [artifacts.sweep, () => knowledge.tidy()],
  });
  const shutdown = new AbortController();
  const app = createApp({
    ...surfaceOf({
      config,
      identify: options.identify,
      log,
      engine,
      models,
      approvals,
      world,
      services,
      shutdown: shutdown.signal,
    }),
    artifacts,
    catalog: { prepare },
    pipelines: createAuthoring(catalog, stored, createInstalledCheck(config, tools)),
    knowledge,
    schedules,
    llm: createProbe(config.models, modelClients(config)),
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
      pipelines: async (caller) =>
        (await catalog.pipelines(caller)).map(({ name, version }) => [name, version ?? null]),
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
