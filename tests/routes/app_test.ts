import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import { expectProblem, setup, user } from "./_setup.ts";

const ASK = { messages: [user("hi")] };

Deno.test("GET / tells what there is", async () => {
  const { app } = setup({ settings: { base_url: "https://o.test/" } });
  const about = await (await app.request("/")).json();
  expect(about).toMatchObject({
    name: "orchestrator",
    version: "0.1.0",
    links: { chat: "https://o.test/v1/chat", chat_stream: "wss://o.test/v1/chat/stream" },
  });
  expect(about.endpoints).toEqual(expect.arrayContaining(["POST /v1/chat", "GET /v1/runs/:id"]));
});

Deno.test("GET /health says mode, sessions, store, model provider and configuration", async () => {
  const { app, post, open } = setup();
  await post("/v1/runs", { pipeline: "gated" });
  const stream = await app.request("/v1/runs/run_00000000000000000000000001/events");
  expect(await (await app.request("/health")).json()).toEqual({
    status: "ok",
    name: "orchestrator",
    version: "0.1.0",
    mode: "embedded",
    active_sessions: 1,
    runs: { running: 0, queued: 0, accepting: true },
    store: { status: "ok" },
    model_provider: { name: "offline", status: "offline" },
    configuration: { status: "ok" },
  });
  open();
  await stream.text();
  expect((await (await app.request("/health")).json()).active_sessions).toBe(0);
});

Deno.test("GET /health is 503 when the store is down, and says when it is degraded", async () => {
  const { app, engine } = setup();
  engine.state.accepting = false;
  const draining = await app.request("/health");
  expect([draining.status, (await draining.json()).status]).toEqual([200, "degraded"]);
  engine.state.store_ok = false;
  const down = await app.request("/health");
  expect([down.status, (await down.json()).status]).toEqual([503, "down"]);
});

Deno.test("GET /readyz is 503 while draining or without a store; /livez is not", async () => {
  const { app, engine } = setup();
  expect((await app.request("/readyz")).status).toBe(200);
  engine.state.accepting = false;
  const response = await app.request("/readyz");
  expect([response.status, (await response.json()).reason]).toEqual([503, "draining"]);
  engine.state.store_ok = false;
  expect((await (await app.request("/readyz")).json()).reason).toBe("store down");
  expect((await app.request("/livez")).status).toBe(200);
});

Deno.test("an unknown path is 404, a known path with another method 405 with Allow", async () => {
  const { app } = setup();
  await expectProblem(await app.request("/nope"), 404, "not_found");
  await expectProblem(await app.request("/v1/runs/a/b/c", { method: "POST" }), 404, "not_found");
  const cases: [method: string, path: string, allow: string][] = [
    ["GET", "/v1/chat", "POST"],
    ["DELETE", "/v1/runs", "POST, GET, HEAD"],
    ["PUT", "/v1/runs/run_1", "GET, HEAD"],
    ["GET", "/v1/runs/run_1/cancel", "POST"],
    ["POST", "/health", "GET, HEAD"],
    ["POST", "/v1/chat/stream", "GET, HEAD"],
  ];
  for (const [method, path, allow] of cases) {
    const response = await app.request(path, { method });
    expect([path, response.headers.get("allow")]).toEqual([path, allow]);
    await expectProblem(response, 405, "method_not_allowed");
  }
});

Deno.test("GET /v1/chat/stream without an upgrade is 426", async () => {
  const { app } = setup();
  const response = await app.request("/v1/chat/stream");
  expect(response.headers.get("upgrade")).toBe("websocket");
  await expectProblem(response, 426, "upgrade_required");
  const fake = await app.request("/v1/chat/stream", { headers: { upgrade: "websocket" } });
  await expectProblem(fake, 400, "invalid_request");
});

Deno.test("X-Request-Id comes back when it is sane and is made otherwise", async () => {
  const { app } = setup();
  const id = async (given?: string) => {
    const headers = given === undefined ? undefined : { "x-request-id": given };
    return (await app.request("/livez", { headers })).headers.get("x-request-id");
  };
  expect(await id("abc-1.2:3_4")).toBe("abc-1.2:3_4");
  for (const odd of [undefined, "a b", "<x>", "a".repeat(129), ""]) {
    expect(await id(odd)).toMatch(/^req_\d+$/);
  }
});

Deno.test("every answer carries the security headers", async () => {
  const { app, post } = setup();
  const stream = await post("/v1/chat", { ...ASK, stream: true });
  for (const response of [await app.request("/"), await app.request("/nope"), stream]) {
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(response.headers.get("cache-control")).toMatch(/^no-(store|cache)$/);
  }
  await stream.text();
});

Deno.test("each request but a probe is logged, without its query", async () => {
  const { app, log } = setup();
  for (const path of ["/health", "/livez", "/readyz"]) await app.request(path);
  expect(log).toEqual([]);
  await app.request("/v1/runs?status=failed", { headers: { "x-request-id": "r1" } });
  expect(log).toEqual([{
    level: "info",
    message: "request",
    fields: {
      method: "GET",
      path: "/v1/runs",
      status: 200,
      ms: expect.any(Number),
      request_id: "r1",
    },
  }]);
});

for (const path of ["/v1/runs", "/v1/dead-letters", "/v1/plans", "/v1/approvals", "/workflows"]) {
  Deno.test(`GET ${path} refuses a cursor that it did not give`, async () => {
    const { app } = setup();
    for (const cursor of ["zzz", "run_01jd", "doc_00000000000000000000000001"]) {
      const response = await app.request(`${path}?cursor=${cursor}`);
      const { errors } = await expectProblem(response, 400, "invalid_request");
      expect(errors[0]).toMatchObject({
        location: "?cursor",
        message: expect.stringMatching(/next_cursor/),
      });
    }
  });
}

Deno.test("a host that is not ours is 421, except for probes", async () => {
  const { app } = setup();
  const get = (path: string, host: string) => app.request(path, { headers: { host } });
  for (const host of ["evil.test", "evil.test:8000", "localhost.evil.test", "[::2]:80", ""]) {
    await expectProblem(await get("/health", host), 421, "misdirected_request");
  }
  for (
    const host of ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "Orchestrator.test"]
  ) {
    expect([host, (await get("/health", host)).status]).toEqual([host, 200]);
  }
  expect((await get("/readyz", "10.0.0.7:8000")).status).toBe(200);
});

Deno.test("a foreign origin is 403 on what changes something, and starts nothing", async () => {
  const { app, post, engine } = setup();
  const host = "localhost:8000";
  for (const origin of ["https://evil.test", "null", "http://localhost:9999", "http://localhost"]) {
    const response = await post("/v1/chat", ASK, { origin, host });
    await expectProblem(response, 403, "forbidden_origin");
    const headers = { origin, host, upgrade: "websocket" };
    const socket = await app.request("/v1/chat/stream", { headers });
    await expectProblem(socket, 403, "forbidden_origin");
  }
  expect(engine.started).toEqual([]);
  for (const origin of ["http://localhost:8000", "http://localhost:3000"]) {
    expect((await post("/v1/chat", ASK, { origin, host })).status).toBe(200);
  }
});

Deno.test("an allowed origin may read answers and ask before it posts; others may not", async () => {
  const { app } = setup();
  const ask = (origin: string) =>
    app.request("/v1/chat", {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST" },
    });
  const allowed = await ask("http://localhost:3000");
  expect(allowed.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
  expect((await ask("https://evil.test")).headers.get("access-control-allow-origin")).toBeNull();
  const none = setup({ settings: { allowed_origins: [] } });
  await expectProblem(
    await none.app.request("/v1/chat", { method: "OPTIONS" }),
    405,
    "method_not_allowed",
  );
});

Deno.test("a body that is not JSON by its type is 415", async () => {
  const { post, app, engine } = setup();
  for (
    const type of ["text/plain", "application/jsonx", "multipart/form-data; boundary=x", "json"]
  ) {
    const response = await post("/v1/chat", ASK, { "content-type": type });
    await expectProblem(response, 415, "unsupported_media_type");
  }
  const bare = await app.request("/v1/chat", { method: "POST" });
  await expectProblem(bare, 415, "unsupported_media_type");
  expect(engine.started).toEqual([]);
  for (
    const type of ["application/json; charset=utf-8", "application/vnd.x+json", "Application/JSON"]
  ) {
    expect((await post("/v1/chat", ASK, { "content-type": type })).status).toBe(200);
  }
});

Deno.test("a body over the limit is 413, declared or not, and exactly at the limit fine", async () => {
  const { app, post, engine } = setup({ settings: { max_body_bytes: 100 } });
  const body = JSON.stringify({ messages: [user("x".repeat(200))] });
  const refused = await expectProblem(await post("/v1/chat", body), 413, "payload_too_large");
  expect(refused.detail).toContain("100 bytes. Send less, or raise MAX_BODY_BYTES.");
  const declared = { "content-length": String(body.length) };
  await expectProblem(await post("/v1/chat", body, declared), 413, "payload_too_large");
  await expectProblem(
    await post("/v1/chat", body, { "content-length": "5" }),
    413,
    "payload_too_large",
  );
  let pulled = 0;
  const endless = new ReadableStream({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(50));
    },
  });
  const streamed = await app.request("/v1/chat", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: endless,
  });
  await expectProblem(streamed, 413, "payload_too_large");
  expect(pulled).toBeLessThan(6);
  expect(engine.started).toEqual([]);
  const fits = JSON.stringify(ASK).padEnd(100);
  expect((await post("/v1/chat", fits)).status).toBe(200);
});

Deno.test("a body that breaks off is 400 and no error of the server", async () => {
  const { app, engine, log } = setup();
  const type = { "content-type": "application/json" };
  for (const headers of [type, { ...type, "content-length": "50" }]) {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) });
    const broken = await app.request("/v1/chat", { method: "POST", headers, body });
    const { detail } = await expectProblem(broken, 400, "invalid_request");
    expect(detail).toContain("the connection closed before all of it arrived");
  }
  expect(engine.started).toEqual([]);
  expect(log.filter(({ level }) => level === "error")).toEqual([]);
});

Deno.test("a body without a declared length is put together from its pieces", async () => {
  const { app, engine } = setup();
  const pieces = ['{"messages":[{"role":"user",', '"content":"h\u00e9llo"}]}'];
  const response = await app.request("/v1/chat", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: ReadableStream.from(pieces.map((piece) => new TextEncoder().encode(piece))),
  });
  expect(response.status).toBe(200);
  expect(engine.started[0]?.input).toEqual({ messages: [user("héllo")] });
});

Deno.test("invalid JSON is 400 with line and column", async () => {
  const { post, engine } = setup();
  const problem = await expectProblem(
    await post("/v1/chat", '{\n  "messages": [}'),
    400,
    "invalid_request",
  );
  expect(problem.errors).toEqual([
    { location: "line 2, column 16", message: "is not valid JSON from here on" },
  ]);
  await expectProblem(await post("/v1/chat", ""), 400, "invalid_request");
  expect(engine.started).toEqual([]);
});

Deno.test("a body that is not UTF-8 is 400, and the next one is read as if there had been none", async () => {
  const { app, post } = setup();
  for (const bytes of [[0x22, 0xff, 0x22], [0x22, 0xe2, 0x82]]) {
    const response = await app.request("/v1/chat", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new Uint8Array(bytes),
    });
    await expectProblem(response, 400, "invalid_request");
    expect((await post("/v1/chat", ASK)).status).toBe(200);
  }
});

Deno.test("JSON deeper than 64 levels is 400, 64 are fine", async () => {
  const { post, engine } = setup();
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  const ask = (levels: number) =>
    post(
      "/v1/chat",
      `{"messages":[{"role":"user","content":"x"}],"context":{"a":${nested(levels)}}}`,
    );
  await expectProblem(await ask(63), 400, "invalid_request");
  await expectProblem(await ask(100_000), 400, "invalid_request");
  expect(engine.started).toEqual([]);
  expect((await ask(62)).status).toBe(200);
});

Deno.test("__proto__ and duplicate members do no harm", async () => {
  const { post, engine } = setup();
  const body = '{"messages":[{"role":"user","content":"x"}],"__proto__":{"a":1},' +
    '"context":{"__proto__":{"polluted":true},"k":1,"k":2}}';
  expect((await post("/v1/chat", body)).status).toBe(200);
  expect(JSON.stringify(engine.started[0]?.input)).toBe(
    '{"messages":[{"role":"user","content":"x"}],"context":{"k":2}}',
  );
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

Deno.test("an error nobody expected is logged whole and hidden from the client", async () => {
  const secret = new TypeError("secret detail");
  const { app, log } = setup({ deps: { health: () => Promise.reject(secret) } });
  const response = await app.request("/health");
  const problem = await expectProblem(response, 500, "internal");
  expect(JSON.stringify(problem)).not.toContain("secret");
  expect(log[0]).toMatchObject({ level: "error", fields: { error: secret, path: "/health" } });
});

Deno.test("a server that stops answers 503 with Retry-After, and logs no fault", async () => {
  const { post, engine, log } = setup();
  engine.state.fail = new OrchestratorError("shutting_down", "Cannot start: stopping.");
  const response = await post("/v1/chat", ASK);
  expect(response.headers.get("retry-after")).toBe("1");
  await expectProblem(response, 503, "shutting_down");
  const ended = log.find(({ message }) => message === "request ended: the server is stopping");
  expect(ended).toMatchObject({ level: "info", fields: { path: "/v1/chat" } });
  expect(log.every(({ fields }) => fields?.error === undefined)).toBe(true);
});

Deno.test("503 of a store that is gone comes with a warning", async () => {
  const { post, engine, log } = setup();
  engine.state.fail = new OrchestratorError("store_unavailable", "Cannot write: the disk is gone.");
  await expectProblem(await post("/v1/chat", ASK), 503, "store_unavailable");
  expect(log.some(({ level }) => level === "warn")).toBe(true);
});

Deno.test("a stream that the store breaks off ends, and the log says why", async () => {
  const { app, post, engine, log, open } = setup();
  await post("/v1/runs", { pipeline: "gated" });
  const down = new OrchestratorError("store_unavailable", "Cannot read: the disk is gone.");
  engine.follow = () => Promise.reject(down);
  await (await app.request("/v1/runs/run_00000000000000000000000001/events")).text();
  expect(log).toContainEqual({
    level: "error",
    message: "event stream interrupted",
    fields: { run_id: "run_00000000000000000000000001", error: down },
  });

  engine.journal = () => Promise.reject(down);
  const headers = { "idempotency-key": "k" };
  await post("/v1/chat", ASK, headers);
  await (await post("/v1/chat", ASK, { ...headers, accept: "text/event-stream" })).text();
  const line = log.find(({ message }) => message === "chat stream interrupted");
  expect(line).toMatchObject({
    level: "error",
    fields: { run_id: "run_00000000000000000000000002", error: down },
  });
  open();
});

Deno.test("shutdown ends open streams", async () => {
  const { app, post, shutdown, open } = setup();
  await post("/v1/runs", { pipeline: "gated" });
  const response = await app.request("/v1/runs/run_00000000000000000000000001/events");
  shutdown.abort();
  expect(await response.text()).toContain("run.started");
  const late = await app.request("/v1/runs/run_00000000000000000000000001/events");
  await late.text();
  open();
});
