/**
 * The whole service in this process with two tenants: one fills it, the other walks every route with
 * the ids and names of the first, holding every grant there is, and finds nothing.
 */
import { expect } from "expect";
import { readConfig } from "../config.ts";
import type { Caller } from "../guard/mod.ts";
import { createOrchestrator, type Orchestrator } from "../orchestrator.ts";
import { createLogger } from "../telemetry/log.ts";
import { callerOf } from "./_caller.ts";

/** In everything that the first tenant keeps. */
const SECRET = "snowy-owl";
const OWNER = callerOf("acme", "ann", "*");
const STRANGER = callerOf("globex", "ann", "*");
/** Two users of one tenant, without any grant. */
const ANN = callerOf("initech", "ann");
const BOB = callerOf("initech", "bob");
const CALLERS = [OWNER, STRANGER, ANN, BOB];

const SAYS = `name: says
description: ${SECRET}
version: 1
schedule: [{ cron: "0 0 1 1 *" }]
start: a
nodes:
  a: { transform: "\${ { 'content': $string(input.messages) } }" }
`;
const ASKS = `name: asks
version: 1
start: a
nodes:
  a: { approval: { title: ${SECRET}, payload: ${SECRET} } }
`;
const FAILS =
  `name: fails\nversion: 1\nstart: a\nnodes:\n  a: { task: give_up, with: { reason: ${SECRET} } }\n`;
const TOOL = {
  name: "owl",
  description: SECRET,
  input: { type: "object", properties: {} },
  http: { method: "GET", url: "http://127.0.0.1:9/" },
};
const KEYED = { pipeline: "says", input: { messages: [{ role: "user", content: SECRET }] } };

/** What the first tenant has; ids and names that the other one tries. */
interface Things {
  run: string;
  failed: string;
  approval: string;
  artifact: string;
  document: string;
  fact: string;
  plan: string;
  workflow: string;
  conversation: string;
  pipeline: string;
  tool: string;
}

/** A request, and what comes of it for a stranger. */
interface Visit {
  /** Goes in place of the parameter in the path. */
  of?: keyof Things;
  query?: string;
  body?: unknown | ((things: Things) => unknown);
  headers?: Record<string, string>;
  status: number;
  /** What its answer holds. */
  answer?: object | ((things: Things) => object);
}

const hidden = (of: keyof Things, body?: unknown): Visit => ({ of, body, status: 404 });
const holds = (answer: Visit["answer"], query?: string): Visit => ({ status: 200, answer, query });
const open: Visit = { status: 200 };
const own = (body: unknown, status: number, answer?: object): Visit => ({ body, status, answer });

/** Every route, in the order in which they are visited: what makes something comes last. */
const ROUTES: Record<string, Visit> = {
  "GET /": open,
  "GET /health": open,
  "GET /livez": open,
  "GET /readyz": open,
  "GET /v1/approvals": holds({ approvals: [] }),
  "GET /v1/approvals/:id": hidden("approval"),
  "POST /v1/approvals/:id/decide": hidden("approval", { decision: "approve" }),
  "GET /v1/artifacts/:id": hidden("artifact"),
  "GET /v1/artifacts/:id/content": hidden("artifact"),
  "DELETE /v1/artifacts/:id": hidden("artifact"),
  "GET /v1/conversations": holds({ conversations: [] }),
  "GET /v1/conversations/:id": hidden("conversation"),
  "DELETE /v1/conversations/:id": hidden("conversation"),
  "GET /v1/dead-letters": holds({ dead_letters: [] }),
  "POST /v1/dead-letters/:id/redrive": hidden("failed"),
  "POST /v1/dead-letters/redrive": {
    body: ({ failed }: Things) => ({ ids: [failed] }),
    status: 202,
    answer: ({ failed }: Things) => ({ results: [{ id: failed, error: { code: "not_found" } }] }),
  },
  "GET /v1/documents": holds({ documents: [] }),
  "GET /v1/documents/:id": hidden("document"),
  "GET /v1/documents/:id/passages": hidden("document"),
  "GET /v1/documents/collections": holds({ collections: [] }),
  "POST /v1/documents/search": own({ query: SECRET }, 200, { results: [] }),
  "DELETE /v1/documents/:id": hidden("document"),
  "GET /v1/llm/models": open,
  "POST /v1/llm/test-connection": own({ provider: "offline" }, 200, { ok: true }),
  "GET /v1/memory": holds({ memories: [] }, "user_id=ann"),
  "GET /v1/memory/stats": holds({ conversations: 0, exchanges: 0, summaries: 0, memories: 0 }),
  "DELETE /v1/memory/:id": hidden("fact"),
  "GET /v1/pipelines": open,
  "GET /v1/pipelines/:name": hidden("pipeline"),
  "GET /v1/pipelines/:name/versions": hidden("pipeline"),
  "POST /v1/pipelines/:name/runs": hidden("pipeline", {}),
  "DELETE /v1/pipelines/:name": hidden("pipeline"),
  "GET /v1/plans": holds({ plans: [] }),
  "GET /v1/plans/:id": hidden("plan"),
  "GET /v1/plans/:id/events": hidden("plan"),
  "GET /v1/plans/:id/steps": hidden("plan"),
  "POST /v1/plans/:id/approve": hidden("plan", {}),
  "POST /v1/plans/:id/cancel": hidden("plan", {}),
  "POST /v1/plans/:id/reject": hidden("plan", {}),
  "GET /v1/runs": holds({ runs: [] }),
  "GET /v1/runs/:id": hidden("run"),
  "GET /v1/runs/:id/artifacts": hidden("run"),
  "GET /v1/runs/:id/events": hidden("run"),
  "GET /v1/runs/:id/journal": hidden("run"),
  "POST /v1/runs/:id/cancel": hidden("run", {}),
  "POST /v1/runs/:id/pause": hidden("run", {}),
  "POST /v1/runs/:id/redrive": hidden("failed", {}),
  "POST /v1/runs/:id/restart": hidden("run", { from: "a" }),
  "POST /v1/runs/:id/resume": hidden("run", {}),
  "POST /v1/runs/:id/signal": hidden("run", { name: "go" }),
  "GET /v1/schedules": holds({ schedules: [] }),
  "GET /v1/tools": open,
  "GET /v1/tools/:name": hidden("tool"),
  "GET /v1/tools/list": open,
  "POST /v1/tools/:name/disable": hidden("tool", {}),
  "POST /v1/tools/:name/enable": hidden("tool", {}),
  "POST /v1/tools/:name/execute": hidden("tool", {}),
  "DELETE /v1/tools/:name": hidden("tool"),
  "GET /workflow/:id/state": hidden("workflow"),
  "GET /workflow/:id/status": hidden("workflow"),
  "GET /workflows": holds({ workflows: [] }),
  "POST /workflow/:id/approve": hidden("workflow", {}),
  "POST /workflow/:id/reject": hidden("workflow", {}),
  "POST /workflow/start": {
    body: ({ artifact }: Things) => ({ user_goal: "x", dataset_url: `artifact://${artifact}` }),
    status: 422,
  },
  "GET /v1/chat/stream": { status: 426 },
  // The same names, bytes and keys as the first tenant's: something of their own each time.
  "POST /v1/pipelines/validate": own({ text: SAYS.replace(SECRET, "mine") }, 200, { valid: true }),
  "PUT /v1/pipelines/:name": {
    of: "pipeline",
    body: { text: SAYS.replace(SECRET, "mine") },
    status: 201,
    answer: { number: 1 },
  },
  "POST /v1/chat": own(
    { pipeline: "says", conversation_id: "talk", messages: [{ role: "user", content: "hi" }] },
    200,
    { status: "completed" },
  ),
  "POST /v1/runs": {
    body: { ...KEYED, input: { messages: [] } },
    headers: { "idempotency-key": "key-1" },
    status: 202,
    answer: { pipeline: "says" },
  },
  "POST /v1/tools/register": own({ ...TOOL, description: "mine" }, 201, { description: "mine" }),
  "POST /v1/artifacts": {
    query: "name=data.csv",
    headers: { "content-type": "text/csv", "idempotency-key": "key-1" },
    body: "mine",
    status: 201,
  },
  "POST /v1/documents": own({ text: "A bird.", name: "bird.txt" }, 201, { outcome: "created" }),
  "POST /v1/documents/crawl": own({ url: "http://127.0.0.1:9/" }, 202),
  "POST /v1/documents/reindex": own({}, 202),
  "POST /v1/memory": own({ user_id: "ann", text: "Mine." }, 201, { text: "Mine." }),
  "POST /v1/plans": own({ goal: "x", approve: true }, 202),
  "POST /v1/memory/clear": own({ all: true }, 200),
};

/** Requests of callers that are named in a header: what authentication will find out. */
class Client {
  constructor(private readonly service: Orchestrator, private readonly caller: Caller) {}

  async send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const isText = typeof body === "string";
    return await this.service.app.request(`http://localhost${path}`, {
      method,
      headers: {
        "x-caller": String(CALLERS.indexOf(this.caller)),
        ...(body === undefined || isText ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
  }

  // deno-lint-ignore no-explicit-any -- tests look into it freely
  async json(...request: Parameters<Client["send"]>): Promise<any> {
    const response = await this.send(...request);
    const text = await response.text();
    expect([...request.slice(0, 2), response.ok ? "ok" : text]).toEqual([
      ...request.slice(0, 2),
      "ok",
    ]);
    return JSON.parse(text);
  }

  /** Resolves with an event of a run. */
  async until(run: string, type: string) {
    const seen = Promise.withResolvers<Record<string, unknown>>();
    const watch = new AbortController();
    await this.service.engine.follow(this.caller, run, { signal: watch.signal }, (event) => {
      if (event.type !== type) return;
      seen.resolve(event as Record<string, unknown>);
      watch.abort();
    });
    return await seen.promise;
  }
}

async function withService(use: (service: Orchestrator) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  const variables = { HOME: home, ORCHESTRATOR_HOME: home, DRAIN_TIMEOUT_SECONDS: "1" };
  const service = await createOrchestrator({
    config: readConfig(variables),
    log: createLogger({ level: "error", format: "json", write: () => {} }),
    identify: ({ headers }) => CALLERS[Number(headers.get("x-caller"))]!,
  });
  try {
    await use(service);
  } finally {
    await service.close();
    await Deno.remove(home, { recursive: true });
  }
}

/** The first tenant fills the service. */
async function fill(owner: Client): Promise<Things> {
  for (const [name, text] of Object.entries({ says: SAYS, asks: ASKS, fails: FAILS })) {
    await owner.json("PUT", `/v1/pipelines/${name}`, { text });
  }
  const { id: run } = await owner.json("POST", "/v1/pipelines/asks/runs", {});
  const { approval } = await owner.until(run, "approval.requested");
  await owner.until(run, "run.waiting");
  const { id: failed } = await owner.json("POST", "/v1/pipelines/fails/runs", {});
  await owner.until(failed, "run.failed");
  await owner.json("POST", "/v1/runs", KEYED, { "idempotency-key": "key-1" });
  await owner.json("POST", "/v1/chat", {
    pipeline: "says",
    conversation_id: "talk",
    messages: [{ role: "user", content: SECRET }],
  });
  const file = await owner.json("POST", "/v1/artifacts?name=data.csv", `a\n${SECRET}\n`, {
    "content-type": "text/csv",
    "idempotency-key": "key-1",
  });
  const text = { text: `A bird. ${SECRET}`, title: SECRET, collection: "default" };
  const { id: document } = await owner.json("POST", "/v1/documents", text);
  await owner.json("POST", "/v1/documents", { text: "A bird.", name: "bird.txt" });
  const { id: fact } = await owner.json("POST", "/v1/memory", { user_id: "ann", text: SECRET });
  await owner.json("POST", "/v1/tools/register", TOOL);
  const plan = await owner.json("POST", "/v1/plans", { goal: SECRET, approve: true });
  await owner.until(plan.id, "run.waiting");
  const goal = { user_goal: SECRET, dataset_url: `artifact://${file.id}` };
  const { workflow_id: workflow } = await owner.json("POST", "/workflow/start", goal);
  const work = workflow.replace("wf-", "run_");
  await owner.json("POST", `/v1/runs/${work}/cancel`, {});
  await owner.until(work, "run.cancelled");
  return {
    run,
    failed,
    approval: String(approval),
    artifact: file.id,
    document,
    fact,
    plan: plan.id,
    workflow,
    conversation: "talk",
    pipeline: "says",
    tool: "owl",
  };
}

/** All that the first tenant sees of its own. */
async function viewOf(owner: Client, things: Things): Promise<Record<string, unknown>> {
  const pages = Object.entries(ROUTES).filter(([route, { status }]) =>
    route.startsWith("GET /") && !/health|livez|readyz|events|content|stream|llm/.test(route) &&
    [200, 404].includes(status)
  );
  const view: Record<string, unknown> = {};
  for (const [route, visit] of pages) {
    const path = pathOf(route, visit, things);
    view[route] = await owner.json("GET", path);
  }
  view.content = await (await owner.send("GET", `/v1/artifacts/${things.artifact}/content`)).text();
  return view;
}

function pathOf(route: string, { of, query }: Visit, things: Things): string {
  const path = route.slice(route.indexOf(" ") + 1)
    .replace(/:\w+/, () => encodeURIComponent(things[of!]));
  return query === undefined ? path : `${path}?${query}`;
}

Deno.test("every route is walked: a new one needs a line here", () =>
  withService(({ app }) => {
    const routes = app.routes.filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path}`);
    expect(Object.keys(ROUTES).sort()).toEqual([...new Set(routes)].sort());
    return Promise.resolve();
  }));

Deno.test("a tenant that tries every route with another one's ids and names finds and changes nothing", () =>
  withService(async (service) => {
    const owner = new Client(service, OWNER);
    const stranger = new Client(service, STRANGER);
    const things = await fill(owner);
    const before = await viewOf(owner, things);
    // Otherwise the walk would look for what is not there.
    expect(JSON.stringify(before).split(SECRET).length).toBeGreaterThan(30);
    for (const [route, visit] of Object.entries(ROUTES)) {
      const { body, status, headers, answer } = visit;
      const sent = typeof body === "function" ? body(things) : body;
      const path = pathOf(route, visit, things);
      const response = await stranger.send(route.split(" ")[0]!, path, sent, headers);
      const text = await response.text();
      expect([route, response.status, response.headers.get("idempotency-replayed")])
        .toEqual([route, status, null]);
      if (answer) {
        const wanted = typeof answer === "function" ? answer(things) : answer;
        expect([route, JSON.parse(text)]).toMatchObject([route, wanted]);
      }
      const given = JSON.stringify([path, sent]);
      const leaks = [SECRET, ...Object.values(things).filter((id) => id.includes("_"))]
        .filter((word) => text.includes(word) && !given.includes(word));
      expect([route, ...leaks]).toEqual([route]);
    }
    expect(await viewOf(owner, things)).toEqual(before);
  }));

Deno.test("a tenant finds and changes nothing of another one over its WebSocket", () =>
  withService(async (service) => {
    const owner = new Client(service, OWNER);
    const things = await fill(owner);
    const before = await viewOf(owner, things);
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, service.app.fetch);
    const headers = { "x-caller": String(CALLERS.indexOf(STRANGER)) };
    const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/v1/chat/stream`, { headers });
    await new Promise((opened) => socket.onopen = opened);
    const messages = [
      { type: "resume", run_id: things.run, after: 0 },
      { type: "cancel", run_id: things.run },
      { type: "chat", pipeline: "says", messages: [{ role: "user", content: "hi" }] },
    ];
    for (const message of messages) {
      const answer = new Promise<string>((resolve) =>
        socket.onmessage = ({ data }) => resolve(data)
      );
      socket.send(JSON.stringify(message));
      const text = await answer;
      expect(JSON.parse(text))
        .toMatchObject({ type: "error", error: { status: 404, code: "not_found" } });
      expect(text).not.toContain(SECRET);
    }
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
    await server.shutdown();
    expect(await viewOf(owner, things)).toEqual(before);
  }));

Deno.test("a user of the same tenant finds no conversation, memory or answer of another one", () =>
  withService(async (service) => {
    const [ann, bob] = [new Client(service, ANN), new Client(service, BOB)];
    await ann.json("PUT", "/v1/pipelines/says", { text: SAYS });
    const talk = {
      pipeline: "says",
      conversation_id: "talk",
      user_id: "ann",
      messages: [{ role: "user", content: SECRET }],
    };
    const key = { "idempotency-key": "key-1" };
    const said = await ann.json("POST", "/v1/chat", talk, key);
    await ann.json("POST", "/v1/memory", { user_id: "ann", text: SECRET });
    const { user_id: _user, ...unsigned } = talk;
    const refused: [method: string, path: string, body?: unknown][] = [
      ["GET", "/v1/conversations/talk"],
      ["DELETE", "/v1/conversations/talk"],
      ["POST", "/v1/chat", unsigned],
      ["POST", "/v1/chat", { ...unsigned, on_busy: "interrupt" }],
      ["POST", "/v1/runs", { pipeline: "says", conversation_id: "talk" }],
      ["POST", "/v1/chat", { ...talk, conversation_id: "other" }],
      ["GET", "/v1/memory?user_id=ann"],
      ["POST", "/v1/memory", { user_id: "ann", text: "Is a thief." }],
      ["POST", "/v1/memory/clear", { user_id: "ann" }],
      ["POST", "/v1/memory/clear", { conversation_id: "talk" }],
    ];
    for (const [method, path, body] of refused) {
      const response = await bob.send(method, path, body);
      const { code, detail } = await response.json();
      expect([method, path, response.status, code]).toEqual([method, path, 403, "forbidden"]);
      expect(detail).not.toContain(SECRET);
    }
    expect((await bob.json("GET", "/v1/conversations")).conversations).toEqual([]);
    expect(await bob.json("GET", "/v1/memory/stats")).toMatchObject({
      conversations: 0,
      memories: 0,
    });
    expect(await bob.json("POST", "/v1/memory/clear", { all: true }))
      .toEqual({ cleared: { exchanges: 0, memories: 0, cached: 0 } });

    // The same key and body as Ann's: an answer of his own.
    const mine = {
      ...unsigned,
      conversation_id: "bobs",
      messages: [{ role: "user", content: "hi" }],
    };
    await bob.json("POST", "/v1/chat", mine, key);
    const own = await bob.send("POST", "/v1/chat", mine, key);
    expect(own.headers.get("idempotency-replayed")).toBe("true");
    expect((await own.json()).run_id).not.toBe(said.run_id);
    const again = await ann.send("POST", "/v1/chat", talk, key);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await again.json()).run_id).toBe(said.run_id);

    expect(await ann.json("GET", "/v1/conversations/talk"))
      .toMatchObject({ owner: "ann", exchanges: [{ user: SECRET }] });
    expect((await ann.json("GET", "/v1/memory?user_id=ann")).memories).toHaveLength(1);
  }));

Deno.test("a run does not take a user or a conversation from its input that is not its starter's", () =>
  withService(async (service) => {
    const [ann, bob] = [new Client(service, ANN), new Client(service, BOB)];
    await ann.json("POST", "/v1/memory", { user_id: "ann", text: SECRET });
    const text = `name: thief
version: 1
start: a
nodes:
  a:
    task: remember
    with: { user_id: ann, text: x, facts: [{ text: Owes Bob money. }] }
`;
    await bob.json("PUT", "/v1/pipelines/thief", { text });
    const input = { user_id: "ann", messages: [{ role: "user", content: "What do I like?" }] };
    for (const body of [{ pipeline: "thief" }, { pipeline: "assistant", input }]) {
      const run = await bob.json("POST", "/v1/runs", body, { prefer: "wait=30" });
      expect([run.status, run.error?.code]).toEqual(["failed", "forbidden"]);
      expect(JSON.stringify(run)).not.toContain(SECRET);
    }
    expect((await ann.json("GET", "/v1/memory?user_id=ann")).memories).toHaveLength(1);
  }));
