/**
 * The composition root: config → store → ports → engine → service → app. Ports meet their adapters
 * here and in `wiring/`, and nowhere else.
 *
 * @module
 */
import type { Hono } from "hono";
import type { Config } from "./config.ts";
import { createRecollection } from "./knowledge/mod.ts";
import { createProbe } from "./llm/mod.ts";
import { type Approvals, createApprovals } from "./pipeline/calls/approvals/mod.ts";
import { type Catalog, createAuthoring, createSchedules } from "./pipeline/catalog/mod.ts";
import { type Engine, realWorld } from "./pipeline/kernel/mod.ts";
import type { Tasks } from "./pipeline/nodes/mod.ts";
import { type AppEnv, createApp, type Identify, identifyLocal } from "./routes/mod.ts";
import type { CatalogPort } from "./service/mod.ts";
import type { OpenStore } from "./store/mod.ts";
import type { Logger } from "./telemetry/mod.ts";
import { configuredEngine } from "./wiring/engine.ts";
import { aboutProcess, createHealth, routeSettings } from "./wiring/http.ts";
import { createInstalledCheck } from "./wiring/installed.ts";
import { modelClients } from "./wiring/models.ts";
import { configuredPipelines } from "./wiring/pipelines.ts";
import { configuredPorts } from "./wiring/ports.ts";
import { configuredResponses } from "./wiring/responses.ts";
import { configuredRetention } from "./wiring/retention.ts";
import { configuredStore } from "./wiring/store.ts";

/** A whole service, not listening yet. */
export interface Orchestrator {
  readonly app: Hono<AppEnv>;
  readonly engine: Engine;
  readonly catalog: Catalog;
  /** See {@linkcode CatalogPort.prepare}. */
  readonly prepare: CatalogPort["prepare"];
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
  /** The store, if it is already being opened. */
  opening?: Promise<OpenStore>;
}

/**
 * Builds a service and resumes what its store holds.
 *
 * @throws `data_dir_locked`, `store_newer_schema`
 */
export async function createOrchestrator(options: OrchestratorOptions): Promise<Orchestrator> {
  const { config, log, tasks = {}, identify = identifyLocal, onFenced } = options;
  const { store, flight, close } = await (options.opening ?? configuredStore(config, log));
  const world = realWorld(store.after);
  const { clock, newId } = world;
  const base = { store, world, log };

  const ports = configuredPorts(config, base);
  const { conversations, memory, artifacts, knowledge, tools } = ports;

  const engine = configuredEngine(config, { ...base, flight, onFenced });
  const approvals = createApprovals({ store, engine, now: clock.now });
  const { catalog, stored, prepare, programs } = configuredPipelines(config, {
    ...base,
    ports,
    engine,
    tasks,
  });
  await engine.open(programs);

  const schedules = createSchedules({ catalog, stored, engine, prepare, store, clock, log });
  const retention = configuredRetention(config, { ...base, ports });

  const shutdown = new AbortController();
  const app = createApp({
    engine,
    approvals,
    catalog: { prepare },
    pipelines: createAuthoring(catalog, stored, createInstalledCheck(config, tools)),
    schedules,
    responses: configuredResponses(config, { ...base, ports, engine, catalog }),
    conversations,
    memory,
    recollection: createRecollection(store, conversations, memory),
    artifacts,
    knowledge,
    tools,
    llm: createProbe(config.models, modelClients(config)),
    settings: routeSettings(config),
    about: aboutProcess(config),
    health: createHealth(config, { ...ports, engine }),
    identify,
    log,
    newId,
    now: performance.now.bind(performance),
    shutdown: shutdown.signal,
  });
  return {
    app,
    engine,
    catalog,
    prepare,
    approvals,
    keepWatch() {
      schedules.start();
      retention.start();
    },
    async close() {
      shutdown.abort();
      await Promise.all([schedules.stop(), retention.stop()]);
      await engine.drain(config.server.drain_timeout_ms);
      await ports.close();
      await close();
    },
  };
}
