import FakeTimers from "@sinonjs/fake-timers";
import { expect } from "expect";
import { serve } from "../../guard/_setup.ts";
import { agent, test } from "./_setup.ts";
import { Secret } from "../../../config/secret.ts";
import { callerOf, LOCAL } from "../../_caller.ts";

test("an agent over HTTP gets the prompt, the user, the run and the context", async (bench) => {
  const bodies: unknown[] = [];
  const server = serve(async (request) => {
    bodies.push(await request.json());
    return Response.json({ answer: "42" });
  });
  const auth_token = new Secret("t0ken");
  const tools = bench.open({ agents: [agent({ url: `${server.url}/ask`, auth_token })] });
  expect((await tools.tools()).map(({ name }) => name)).toEqual([
    "external_agent",
    "agent_partner",
  ]);
  expect((await tools.tools())[1]).toMatchObject({
    source: "agent",
    capability: "write",
    effect: "at_least_once",
    untrusted: true,
    description: "A partner's agent.",
  });
  const args = { prompt: "Why?", context: { region: "north" } };
  expect(await bench.call(tools, "agent_partner", args)).toEqual({ answer: "42" });
  expect(
    await bench.call(tools, "external_agent", { prompt: "And?" }, {
      run: undefined,
    }),
  )
    .toEqual({ answer: "42" });
  expect(bodies).toEqual([
    {
      prompt: "Why?",
      user_id: "u1",
      metadata: { run_id: "run_1", step: "ask" },
      context: { region: "north" },
    },
    { prompt: "And?", user_id: "u1", metadata: {}, context: {} },
  ]);
  const { headers } = server.requests[0]!;
  expect(headers.get("authorization")).toBe("Bearer t0ken");
  expect(headers.get("idempotency-key")).toBe("key-1");
  expect(tools.health(LOCAL)).toMatchObject([{ name: "agent:partner", status: "ok" }]);
  await server.stop();
});

test("an answer is found where agents put it", async (bench) => {
  let answer = new Response();
  const server = serve(() => answer);
  const tools = bench.open({ agents: [agent({ url: server.url })] });
  const ask = () => bench.call(tools, "agent_partner", { prompt: "?" });
  for (
    const [body, expected] of [
      [{ answer: "a" }, "a"],
      [{ response: "b", id: 1 }, "b"],
      [{ output: { rows: [1] } }, { rows: [1] }],
      [{ result: 0 }, 0],
      [{ message: { role: "assistant", content: "c" } }, "c"],
      [{ message: "d" }, "d"],
      [{ answer: null, output: "e" }, "e"],
      [{ rows: [1, 2] }, { rows: [1, 2] }],
      [["x"], ["x"]],
    ] as const
  ) {
    answer = Response.json(body);
    expect(await ask()).toEqual({ answer: expected });
  }
  answer = new Response("plain words");
  expect(await ask()).toEqual({ answer: "plain words" });
  answer = new Response("{broken", { headers: { "content-type": "application/json" } });
  await expect(ask()).rejects.toMatchObject({ code: "tool_bad_output", kind: "terminal" });
  await server.stop();
});

for (
  const [status, kind, advice] of [
    [400, "terminal", "Check its address"],
    [401, "terminal", "Check its token"],
    [429, "retryable", "Try again later"],
    [500, "retryable", "Try again later"],
  ] as const
) {
  test(`an agent that answers ${status} has failed, ${kind}`, async (bench) => {
    const server = serve(() =>
      new Response("because", { status, headers: { "retry-after": "7" } })
    );
    const tools = bench.open({ agents: [agent({ url: server.url })] });
    const error = await bench.call(tools, "agent_partner", { prompt: "?" }).catch((error) => error);
    expect(error).toMatchObject({ code: "tool_failed", kind, retry_after_ms: 7000 });
    expect(error.message).toContain("because");
    expect(error.message).toContain(advice);
    await server.stop();
  });
}

test("an agent that fails for one tenant is asked for another", async (bench) => {
  let status = 500;
  const server = serve(() => Response.json({ answer: "fine" }, { status }));
  const tools = bench.open({ agents: [agent({ url: server.url })] });
  const ask = (tenant: string) =>
    bench.call(tools, "agent_partner", { prompt: "?" }, { caller: callerOf(tenant) })
      .catch(({ code }) => code);
  for (let call = 0; call < 5; call++) await ask("acme");
  status = 200;
  expect(await ask("acme")).toBe("circuit_open");
  expect(await ask("globex")).toEqual({ answer: "fine" });
  expect(tools.health(callerOf("acme"))).toMatchObject([{ status: "open" }]);
  expect(tools.health(callerOf("globex"))).toEqual([
    { name: "agent:partner", status: "ok", latency_ms: expect.any(Number) },
  ]);
  await server.stop();
});

test("an agent that keeps failing is left alone, then tried once, then used again", async (bench) => {
  const clock = FakeTimers.install({ toFake: ["Date"], now: 1_000_000 });
  let status = 500;
  const server = serve(() => Response.json({ answer: "back" }, { status }));
  const tools = bench.open({ agents: [agent({ url: server.url })] });
  const ask = () =>
    bench.call(tools, "agent_partner", { prompt: "?" }).catch(({ code, retry_after_ms }) => ({
      code,
      retry_after_ms,
    }));
  try {
    for (let call = 0; call < 5; call++) expect(await ask()).toMatchObject({ code: "tool_failed" });
    expect(await ask()).toEqual({ code: "circuit_open", retry_after_ms: 30_000 });
    expect(server.requests).toHaveLength(5);
    expect(tools.health(LOCAL)).toMatchObject([{ status: "open" }]);
    clock.setSystemTime(1_030_000);
    expect(await ask()).toMatchObject({ code: "tool_failed" });
    expect(await ask()).toMatchObject({ code: "circuit_open" });
    clock.setSystemTime(1_060_000);
    status = 200;
    expect(await ask()).toEqual({ answer: "back" });
    expect(tools.health(LOCAL)).toMatchObject([{ status: "ok" }]);
  } finally {
    clock.uninstall();
    await server.stop();
  }
});

test("an agent that does not answer in time is given up, and a caller that stops is followed", async (bench) => {
  const { promise: never, resolve } = Promise.withResolvers<Response>();
  const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>();
  const server = serve(() => {
    if (server.requests.length === 2) isAsked();
    return never;
  });
  const tools = bench.open({ agents: [agent({ url: server.url, timeout_ms: 100 })] });
  await expect(bench.call(tools, "agent_partner", { prompt: "?" })).rejects.toMatchObject({
    code: "egress_failed",
    kind: "retryable",
  });
  const stop = new AbortController();
  const patient = bench.open({ agents: [agent({ url: server.url })] });
  const call = bench.call(patient, "agent_partner", { prompt: "?" }, { signal: stop.signal });
  await asked;
  stop.abort(new Error("enough"));
  await expect(call).rejects.toThrow("enough");
  resolve(new Response());
  await server.stop();
});

test("a token does not follow a redirect to another origin, which may not be private", async (bench) => {
  const inside = serve(() => Response.json({ answer: "secret" }));
  const server = serve(() => Response.redirect(inside.url, 307));
  const auth_token = new Secret("t0ken");
  const tools = bench.open({ agents: [agent({ url: server.url, auth_token })] });
  await expect(bench.call(tools, "agent_partner", { prompt: "?" })).rejects.toMatchObject({
    code: "egress_denied",
  });
  expect(inside.requests).toEqual([]);
  await inside.stop();
  await server.stop();
});

test("an answer of 20 MB is refused", async (bench) => {
  const server = serve(() => new Response("x".repeat(20 * 1024 * 1024)));
  const tools = bench.open({ agents: [agent({ url: server.url })] });
  await expect(bench.call(tools, "agent_partner", { prompt: "?" })).rejects.toMatchObject({
    code: "response_too_large",
  });
  await server.stop();
});

test("the data source answers queries with JSON", async (bench) => {
  const bodies: unknown[] = [];
  const server = serve(async (request) => {
    bodies.push(await request.json());
    return Response.json([{ id: 1 }]);
  });
  const datasource = { url: server.url, auth_token: new Secret("d"), timeout_ms: 1000 };
  const tools = bench.open({ datasource });
  expect(
    (await tools.tools()).map(({ name, capability, untrusted }) => [name, capability, untrusted]),
  )
    .toEqual([["datasource", "read", true]]);
  const parameters = { day: "2026-01-01" };
  expect(await bench.call(tools, "datasource", { query: "orders", parameters })).toEqual([
    { id: 1 },
  ]);
  expect(bodies).toEqual([{ query: "orders", parameters, user_id: "u1" }]);
  expect(server.requests[0]?.headers.get("authorization")).toBe("Bearer d");
  expect(tools.health(LOCAL)).toMatchObject([{ name: "datasource", status: "ok" }]);
  await server.stop();
});
