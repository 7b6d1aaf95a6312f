/**
 * Every port that acts for a caller, over one store: a tenant fills it, then another one, holding
 * every grant there is, tries each method with what belongs to the first. The types of the tables ask
 * for a line for each method of a port.
 */
import { expect } from "expect";
import type { Caller } from "../guard/mod.ts";
import {
  type Conversations,
  createConversations,
  createKnowledge,
  createMemory,
  createRecollection,
  type Knowledge,
  type Memory,
  type Recollection,
} from "../knowledge/mod.ts";
import { createProbe, type Probe } from "../llm/mod.ts";
import { createOfflineModel } from "../offline/mod.ts";
import {
  type Approvals,
  createApprovals,
  requestApproval,
} from "../pipeline/calls/approvals/mod.ts";
import {
  type Authoring,
  type Catalog,
  createAuthoring,
  createCatalog,
  createDefinitionStore,
  createSchedules,
  createStoredPipelines,
  type Schedules,
} from "../pipeline/catalog/mod.ts";
import { createEngine, type Engine, realWorld, type RunFunction } from "../pipeline/kernel/mod.ts";
import { createResponseCache, type ResponseCache } from "../service/mod.ts";
import { createNodeCache, type NodeCache } from "../pipeline/walk/mod.ts";
import { type Artifacts, createArtifacts, type Store } from "../store/mod.ts";
import { createRegistry, type Registry, type Tool } from "../tools/mod.ts";
import { callerOf } from "./_caller.ts";
import { withStore } from "./pipeline/_memory_store.ts";

/** In everything that the first tenant keeps. */
const SECRET = "snowy-owl";
const OWNER = callerOf("acme", "ann", "*");
const STRANGER = callerOf("globex", "ann", "*");
const NEVER = new AbortController().signal;
const LATER = Date.now() + 60_000;
const SILENT = { info() {}, warn() {}, error() {} };
const DOCUMENT =
  `name: owl\ndescription: ${SECRET}\nversion: 1\nstart: a\nnodes:\n  a: { transform: 1 }\n`;

/** What the first tenant has. */
interface Things {
  run: string;
  failed: string;
  approval: string;
  artifact: string;
  document: string;
  fact: string;
}

/** What a stranger does with a method, or why that method is for nobody in particular. */
type Walk<Port> = {
  [Method in keyof Port]-?:
    | string
    | ((port: Port, stranger: Caller, things: Things) => unknown);
};

const ENGINE: Walk<Engine> = {
  start: async (engine, stranger) => {
    const idempotency = { key: "key-1", fingerprint: "f" };
    const request = { pipeline: "echo", version: "v", input: "mine", idempotency };
    const { replayed, result } = await engine.start(stranger, request);
    return { replayed, result: await result };
  },
  get: (engine, stranger, { run }) => engine.get(stranger, run),
  list: (engine, stranger) =>
    Promise.all([engine.list(stranger), engine.list(stranger, { status: "failed" })]),
  journal: (engine, stranger, { run }) => engine.journal(stranger, run),
  firstEvent: (engine, stranger, { run }) => engine.firstEvent(stranger, run),
  latestEvents: (engine, stranger, { run }) => Array.fromAsync(engine.latestEvents(stranger, run)),
  result: (engine, stranger, { failed }) => engine.result(stranger, failed),
  follow: async (engine, stranger, { run }) => {
    const events: unknown[] = [];
    const signal = AbortSignal.timeout(1_000);
    await engine.follow(stranger, run, { signal }, (event) => void events.push(event));
    return events;
  },
  cancel: (engine, stranger, { run }) => engine.cancel(stranger, run),
  redrive: (engine, stranger, { failed }) => engine.redrive(stranger, failed),
  signal: (engine, stranger, { run }) => engine.signal(stranger, run, "go", 1),
  pause: (engine, stranger, { run }) => engine.pause(stranger, run),
  resume: (engine, stranger, { run }) => engine.resume(stranger, run),
  restart: (engine, stranger, { run }) => engine.restart(stranger, run, { from: "work" }),
  stats: "figures of the process",
  open: "begins the process",
  drain: "ends the process",
};

const APPROVALS: Walk<Approvals> = {
  list: (approvals, stranger, { run }) =>
    Promise.all([
      approvals.list(stranger),
      approvals.list(stranger, { status: "pending" }),
      approvals.list(stranger, { run_id: run }),
    ]),
  get: (approvals, stranger, { approval }) => approvals.get(stranger, approval),
  decide: (approvals, stranger, { approval }) =>
    approvals.decide(stranger, approval, { decision: "approve" }),
};

const CATALOG: Walk<Catalog> = {
  resolve: (catalog, stranger) => catalog.resolve(stranger, "owl"),
  define: async (catalog, stranger) => {
    const text = `name: mine\nversion: 1\nstart: a\nnodes:\n  a: { pipeline: owl }\n`;
    return await catalog.define(stranger, "mine", text).catch(({ code }) => code);
  },
  keep: "keeps what was resolved, under the hash of its content",
  document: (catalog, stranger) => catalog.document(stranger, "owl"),
  load: "by the hash of the content, which only its owner has",
  pipelines: (catalog, stranger) => catalog.pipelines(stranger),
  list: (catalog, stranger) => catalog.list(stranger),
  refresh: "looks at the store again",
  reload: "looks at the files again",
};

const AUTHORING: Walk<Authoring> = {
  list: (authoring, stranger) => authoring.list(stranger),
  read: async (authoring, stranger) => [
    await authoring.read(stranger, "owl").catch(({ code }) => code),
    await authoring.read(stranger, "owl", 1).catch(({ code }) => code),
  ],
  versions: (authoring, stranger) => authoring.versions(stranger, "owl"),
  check: (authoring, stranger) => authoring.check(stranger, DOCUMENT.replace(SECRET, "mine")),
  remove: (authoring, stranger) => authoring.remove(stranger, "owl"),
  put: async (authoring, stranger) => {
    const text = DOCUMENT.replace(SECRET, "mine");
    return [
      await authoring.put(stranger, "owl", text, { none_match: ["*"] }),
      await authoring.read(stranger, "owl"),
    ];
  },
};

const SCHEDULES: Walk<Schedules> = {
  list: (schedules, stranger) => schedules.list(stranger),
  start: "begins the process",
  stop: "ends the process",
};

const KNOWLEDGE: Walk<Knowledge> = {
  get: (knowledge, stranger, { document }) => knowledge.get(stranger, document),
  list: async (knowledge, stranger, { document }) => [
    await knowledge.list(stranger, { limit: 9 }),
    await knowledge.list(stranger, { limit: 9, cursor: document }).catch(({ code }) => code),
  ],
  passages: (knowledge, stranger, { document }) =>
    knowledge.passages(stranger, document, { from: 0, limit: 9 }),
  remove: (knowledge, stranger, { document }) => knowledge.remove(stranger, document),
  collections: (knowledge, stranger) => knowledge.collections(stranger),
  search: async (knowledge, stranger) => {
    // The owner's copy is in memory.
    await knowledge.search(OWNER, { query: SECRET }, NEVER);
    return await knowledge.search(stranger, { query: SECRET }, NEVER);
  },
  stale: (knowledge, stranger) => knowledge.stale(stranger),
  embed: (knowledge, stranger, { document }) =>
    knowledge.embed(stranger, document, NEVER).catch(({ code }) => code),
  add: async (knowledge, stranger) => {
    const { outcome } = await knowledge.add(stranger, upload("Birds."), NEVER);
    return outcome === "created" ? outcome : `${SECRET} was there already`;
  },
  tidy: "clears away what a crash left",
};

const MEMORY: Walk<Memory> = {
  list: (memory, stranger) => memory.list(stranger, "ann"),
  remove: (memory, stranger, { fact }) => memory.remove(stranger, fact),
  clear: (memory, stranger) => memory.clear(stranger, "ann"),
  // Its id is made of the user and what it is about, so it is the same for both.
  remember: async (memory, stranger) => {
    const { text } = await memory.remember(stranger, "ann", {
      text: "Mine.",
      about: "bird",
      source: {},
    });
    return text;
  },
};

const CONVERSATIONS: Walk<Conversations> = {
  exchanges: (conversations, stranger) => conversations.exchanges(stranger, "talk", { limit: 9 }),
  oldest: (conversations, stranger) => conversations.oldest(stranger, "talk", { limit: 9 }),
  head: (conversations, stranger) => conversations.head(stranger, "talk"),
  summary: (conversations, stranger) => conversations.summary(stranger, "talk"),
  list: (conversations, stranger) => conversations.list(stranger, { limit: 9 }),
  keepSummary: (conversations, stranger) =>
    conversations.keepSummary(stranger, "talk", { text: "Mine.", upto: "run_9" }),
  remove: (conversations, stranger) => conversations.remove(stranger, "talk"),
  exchangeMutation: (conversations, stranger) =>
    conversations.exchangeMutation(stranger, "talk", "run_1", { user: "q", assistant: "a" })
      .map(({ key }) => key),
};

const RECOLLECTION: Walk<Recollection> = {
  stats: (recollection, stranger) => recollection.stats(stranger),
  forget: (recollection, stranger) => recollection.forget(stranger, { all: true }),
};

const RESPONSES: Walk<ResponseCache> = {
  ttl: "a time from the configuration",
  hash: async (responses, stranger) => {
    const question = { pipeline: "p", version: "v", input: 1, conversation_id: "talk" };
    const [mine, theirs] = await Promise.all(
      [stranger, OWNER].map((caller) => responses.hash(caller, question)),
    );
    return mine === theirs ? `${SECRET} has the same hash` : "different";
  },
  get: (responses, stranger) => responses.get(stranger, "hash"),
  keep: (responses, stranger, { failed }) =>
    responses.keep(stranger, failed, "hash", "mine", 9_999),
  remember: (responses, stranger) =>
    responses.remember(stranger, {
      conversation_id: "talk",
      user: "q",
      assistant: "a",
      answered_by: "run_1",
    }),
};

const NODE_CACHE: Walk<NodeCache> = {
  get: (cache, stranger) => cache.get(stranger, "hash"),
  put: (cache, stranger) =>
    cache.put(stranger, "hash", "mine", LATER).mutations.map(({ key }) => key),
  now: "the time",
};

const REGISTRY: Walk<Registry> = {
  list: (tools, stranger) => tools.list(stranger),
  get: (tools, stranger) => tools.get(stranger, "owl"),
  describe: (tools, stranger) => tools.describe(stranger, ["*"]),
  call: (tools, stranger) => tools.call("owl", {}, scopeOf(stranger)),
  unregister: (tools, stranger) => tools.unregister(stranger, "owl"),
  setEnabled: async (tools, stranger) => [
    await tools.setEnabled(stranger, "owl", false).catch(({ code }) => code),
    await tools.setEnabled(stranger, "flaky", false),
  ],
  problems: (tools, stranger) => tools.problems(stranger),
  register: (tools, stranger) => tools.register(stranger, { name: "owl" }),
  close: "ends the process",
};

const ARTIFACTS: Walk<Artifacts> = {
  get: (artifacts, stranger, { artifact }) => artifacts.get(stranger, artifact),
  read: (artifacts, stranger, { artifact }) => artifacts.read(stranger, artifact),
  list: (artifacts, stranger, { run }) => artifacts.list(stranger, run),
  remove: (artifacts, stranger, { artifact }) => artifacts.remove(stranger, artifact),
  put: async (artifacts, stranger, { run }) => {
    const place = { run, step: "work", key: "work" };
    const file = { name: "owl.txt", type: "text/plain", bytes: new Uint8Array(1) };
    const { id, size } = await artifacts.put(stranger, place, file);
    return { id, size };
  },
  sweep: "removes what is old",
};

const PROBE: Walk<Probe> = {
  offered: (probe, stranger) => probe.offered(stranger),
  test: (probe, stranger) => probe.test(stranger, {}),
};

/** A port with its table; erased, so that all are walked alike. */
function walked<Port extends object>(name: string, port: Port, walk: Walk<Port>) {
  return Object.entries<Walk<Port>[keyof Port]>(walk).flatMap(([method, visit]) =>
    typeof visit === "string"
      ? []
      : [{ name: `${name}.${method}()`, visit: (things: Things) => visit(port, STRANGER, things) }]
  );
}

const upload = (text: string) => ({ bytes: new TextEncoder().encode(text), type: "text/plain" });

const scopeOf = (caller: Caller) => ({
  caller,
  signal: NEVER,
  idempotency_key: "k",
  keep: () => Promise.reject(new Error("keeps nothing")),
});

const tool = (name: string, fields: Partial<Tool> = {}): Tool => ({
  name,
  description: "A tool.",
  input: { type: "object" },
  source: "built_in",
  capability: "compute",
  effect: "none",
  timeout_ms: 1_000,
  untrusted: false,
  run: () => Promise.resolve("done"),
  ...fields,
});

/** Whatever acts for a caller, over one store. */
function portsOf(store: Store) {
  const world = realWorld();
  const { newId, clock: { now } } = world;
  const asking = { store, now, newId };
  const programs: Record<string, RunFunction> = {
    echo: (_ctx, input) => Promise.resolve(input),
    fails: () => Promise.reject(new Error(SECRET)),
    async asks(ctx, input) {
      await ctx.step("work", () => input);
      return await requestApproval(ctx, "ask", { title: SECRET, payload: SECRET }, asking);
    },
  };
  const engine = createEngine({
    store,
    world,
    log: SILENT,
    concurrency: 10,
    queue_limit: 10,
    idempotency_ttl_ms: 60_000,
    lease_ms: 60_000,
    sweep_ms: 60_000,
  });
  const conversations = createConversations(store);
  const memory = createMemory(store, now);
  const stored = createStoredPipelines(store, now);
  const catalog = createCatalog({
    roots: { pipelines: [], agents: [], prompts: [] },
    tasks: [],
    stored,
    definitions: createDefinitionStore(store),
  });
  const tools = createRegistry({
    store,
    sets: [{
      name: "built_in",
      tools: () =>
        Promise.resolve([tool("flaky", { run: () => Promise.reject(new Error(SECRET)) })]),
    }],
    compile: (definition) => tool((definition as { name: string }).name),
    now,
    log: SILENT,
  });
  const cache = createNodeCache(store, now);
  const { clock } = world;
  const prepare = () => Promise.resolve({ version: "v" });
  return {
    programs,
    engine,
    approvals: createApprovals({ store, engine, now }),
    catalog,
    authoring: createAuthoring(catalog, stored),
    schedules: createSchedules({ catalog, stored, engine, prepare, store, clock, log: SILENT }),
    knowledge: createKnowledge({
      store,
      now,
      newId,
      limits: { max_bytes: 9_999, max_documents: 9, max_passages: 99, max_indexed: 99 },
    }),
    memory,
    conversations,
    recollection: createRecollection(store, conversations, memory),
    cache,
    responses: createResponseCache({
      store,
      cache,
      conversations,
      memory,
      engine,
      tools,
      pipelines: () => Promise.resolve(null),
      models: null,
      ttl_ms: 1,
      newId,
    }),
    tools,
    artifacts: createArtifacts(store, { now, max_bytes: 9_999, keep_ms: 0 }),
    probe: createProbe({
      provider: "offline",
      default_model: "offline",
      providers: {},
    }, { offline: createOfflineModel }),
  };
}

/** The first tenant fills them. */
async function fill(ports: ReturnType<typeof portsOf>, store: Store): Promise<Things> {
  const { engine, approvals, authoring, knowledge, memory, conversations, artifacts } = ports;
  const asked = Promise.withResolvers<string>();
  const waits = Promise.withResolvers<void>();
  const request = { pipeline: "asks", version: "v", input: SECRET };
  const { run } = await engine.start(OWNER, request, (event) => {
    if (event.type === "approval.requested") asked.resolve(event.approval);
    if (event.type === "run.waiting") waits.resolve();
  });
  const idempotency = { key: "key-1", fingerprint: "f" };
  const keyed = { ...request, pipeline: "echo", idempotency };
  await (await engine.start(OWNER, keyed)).result;
  const failed = await engine.start(OWNER, { ...request, pipeline: "fails" });
  await failed.result;
  await waits.promise;
  expect(await approvals.get(OWNER, await asked.promise)).toMatchObject({ title: SECRET });
  const schedule = 'schedule: [{ cron: "0 0 1 1 *" }]\n';
  await authoring.put(OWNER, "owl", DOCUMENT + schedule);
  const { document } = await knowledge.add(OWNER, upload(`${SECRET} nests here.`), NEVER);
  await knowledge.add(OWNER, upload("Birds."), NEVER);
  const fact = { text: SECRET, about: "bird", source: {} };
  const { id } = await memory.remember(OWNER, "ann", fact);
  const exchange = { user: SECRET, assistant: SECRET, owner: "ann" };
  const mutations = [
    ...conversations.exchangeMutation(OWNER, "talk", "run_1", exchange),
    ...ports.cache.put(OWNER, "hash", SECRET, LATER).mutations,
  ];
  await store.commit({ checks: [], mutations });
  await conversations.keepSummary(OWNER, "talk", { text: SECRET, upto: "run_1" });
  await ports.tools.register(OWNER, { name: "owl" });
  await ports.tools.call("flaky", {}, scopeOf(OWNER)).catch(() => {});
  const place = { run: run.id, step: "work", key: "work" };
  const file = { name: "owl.txt", type: "text/plain", bytes: new TextEncoder().encode(SECRET) };
  const artifact = await artifacts.put(OWNER, place, file);
  return {
    run: run.id,
    failed: failed.run.id,
    approval: await asked.promise,
    artifact: artifact.id,
    document: document.id,
    fact: id,
  };
}

/** Every key of the first tenant, with its version. */
async function keysOf(store: Store): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, versionstamp } of store.kv.list({ prefix: [] })) {
    if (key.includes(OWNER.tenant)) found.push(JSON.stringify([key, versionstamp]));
  }
  return found;
}

/** What a visit comes to, as text. A refusal names what the stranger named; nothing else may be in it. */
async function outcomeOf(visit: () => unknown, named: string[]): Promise<string> {
  try {
    const value = await visit();
    const text = value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
    return JSON.stringify(text) ?? "";
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    expect(["not_found", "tool_unknown"]).toContain(code);
    return named.reduce((text, name) => text.replaceAll(name, ""), message);
  }
}

Deno.test("a tenant finds and changes nothing of another one through any port", () =>
  withStore(async (store) => {
    const ports = portsOf(store);
    await ports.engine.open(({ pipeline }) => ports.programs[pipeline]!);
    const things = await fill(ports, store);
    const before = await keysOf(store);
    expect(before.length).toBeGreaterThan(30);
    const visits = [
      ...walked("engine", ports.engine, ENGINE),
      ...walked("approvals", ports.approvals, APPROVALS),
      ...walked("catalog", ports.catalog, CATALOG),
      ...walked("authoring", ports.authoring, AUTHORING),
      ...walked("schedules", ports.schedules, SCHEDULES),
      ...walked("knowledge", ports.knowledge, KNOWLEDGE),
      ...walked("memory", ports.memory, MEMORY),
      ...walked("conversations", ports.conversations, CONVERSATIONS),
      ...walked("responses", ports.responses, RESPONSES),
      ...walked("cache", ports.cache, NODE_CACHE),
      ...walked("recollection", ports.recollection, RECOLLECTION),
      ...walked("tools", ports.tools, REGISTRY),
      ...walked("artifacts", ports.artifacts, ARTIFACTS),
      ...walked("probe", ports.probe, PROBE),
    ];
    for (const { name, visit } of visits) {
      const ids = Object.values(things);
      const text = await outcomeOf(() => visit(things), ids);
      const leaks = [SECRET, OWNER.tenant, ...ids].filter((word) => text.includes(word));
      expect([name, ...leaks]).toEqual([name]);
      expect([name, await keysOf(store)]).toEqual([name, before]);
    }
    await ports.engine.drain(1_000);
  }));
