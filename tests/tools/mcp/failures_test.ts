import { expect } from "expect";
import type { Caller } from "../../../guard/mod.ts";
import { startMcp } from "../../_mock/mcp.ts";
import { takesQ, text } from "../../_mock/mcp_server.ts";
import { test } from "./_setup.ts";
import { within } from "../../_yardstick.ts";
import { callerOf, LOCAL } from "../../_caller.ts";

test("a server that forgot its sessions is connected to again, without a failed call", async (bench) => {
  const server = startMcp([takesQ("echo")], { echo: ({ q }) => text(String(q)) });
  const tool = await bench.tool(bench.open({ url: server.url }), "mock_echo");
  await server.forget();
  expect(await tool.run({ q: "again" }, bench.scope())).toEqual({ text: "again" });
  expect(server.sessions()).toBe(1);
  await server.stop();
});

test("a server that is down delays nobody: its breaker opens, its last list stays", async (bench) => {
  const server = startMcp([takesQ("echo")], { echo: () => text("ok") });
  const set = bench.open({ url: server.url });
  const tool = await bench.tool(set, "mock_echo");
  await server.stop();
  const codes: string[] = [];
  for (let call = 0; call < 4; call++) {
    codes.push(await tool.run({}, bench.scope()).then(() => "ok", ({ code }) => code));
  }
  expect(codes).toEqual(["egress_failed", "egress_failed", "egress_failed", "circuit_open"]);
  const tools = await within(1_000, () => set.tools(LOCAL));
  expect(tools.map(({ name }) => name)).toEqual(["mock_echo"]);
  expect(set.health(LOCAL)).toMatchObject([{ status: "open", last_error: expect.any(String) }]);
});

test("a server whose calls fail for one tenant is called for another", async (bench) => {
  const server = startMcp([takesQ("echo")], { echo: () => text("ok") });
  const set = bench.open({ url: server.url });
  const [acme, globex] = [callerOf("acme"), callerOf("globex")];
  const tool = await bench.tool(set, "mock_echo");
  server.intercept = async (request) => {
    const { method } = await request.clone().json().catch(() => ({}));
    return method === "tools/call" ? new Response("no", { status: 503 }) : undefined;
  };
  const call = (caller: Caller) =>
    tool.run({}, { ...bench.scope(), caller }).then(() => "ok", ({ code }) => code);
  for (let n = 0; n < 3; n++) await call(acme);
  server.intercept = undefined;
  expect(await call(acme)).toBe("circuit_open");
  expect(await call(globex)).toBe("ok");
  expect([set.health(acme)[0]!.status, set.health(globex)[0]!.status]).toEqual(["open", "ok"]);
  expect(await set.problem(globex)).toBeUndefined();
  await server.stop();
});

test("a server that never answers is waited for once, and not to the end", async (bench) => {
  const server = startMcp([], {});
  const { promise: never, resolve } = Promise.withResolvers<Response>();
  server.intercept = () => never;
  const set = bench.open({ url: server.url });
  const both = await within(8_000, () => Promise.all([set.tools(LOCAL), set.tools(LOCAL)]));
  expect(both).toEqual([[], []]);
  expect(await within(1_000, () => set.tools(LOCAL))).toEqual([]);
  await set.close();
  resolve(new Response());
  await server.stop();
});

test("a stream that breaks in the middle fails its call at once, as worth another try", async (bench) => {
  const server = startMcp([takesQ("echo")], { echo: () => text("ok") });
  const tool = await bench.tool(bench.open({ url: server.url }), "mock_echo");
  server.intercept = async (request) => {
    const { method } = await request.clone().json().catch(() => ({}));
    if (method !== "tools/call") return undefined;
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(": going to crash\n\n"));
        queueMicrotask(() => controller.error(new Error("crash")));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  await expect(tool.run({}, bench.scope())).rejects.toMatchObject({ kind: "retryable" });
  await server.stop();
});

for (
  const [status, expected] of [
    [401, { code: "tool_failed", kind: "terminal" }],
    [418, { code: "tool_failed", kind: "terminal" }],
    [503, { code: "tool_failed", kind: "retryable" }],
  ] as const
) {
  test(`a call that is answered with ${status} is ${expected.kind}`, async (bench) => {
    const server = startMcp([takesQ("echo")], {});
    const tool = await bench.tool(bench.open({ url: server.url }), "mock_echo");
    server.intercept = () => new Response("no", { status });
    await expect(tool.run({}, bench.scope())).rejects.toMatchObject(expected);
    server.intercept = undefined;
    await server.stop();
  });
}

test("an answer that is no result is refused as bad output", async (bench) => {
  const server = startMcp([takesQ("echo")], {
    echo: () => ({ content: [{ type: "smell", strength: 3 }] }) as never,
  });
  server.intercept = async (request) => {
    const { method, id } = await request.clone().json().catch(() => ({}));
    if (method !== "tools/call") return undefined;
    return Response.json({ jsonrpc: "2.0", id, result: { content: [{ type: "smell" }] } });
  };
  const tool = await bench.tool(bench.open({ url: server.url }), "mock_echo");
  await expect(tool.run({}, bench.scope())).rejects.toMatchObject({ code: "tool_bad_output" });
  await server.stop();
});

test("a file that is no base64 is bad output", async (bench) => {
  const server = startMcp([takesQ("draw")], {});
  server.intercept = async (request) => {
    const { method, id } = await request.clone().json().catch(() => ({}));
    if (method !== "tools/call") return undefined;
    const content = [{ type: "image", data: "?", mimeType: "image/png" }];
    return Response.json({ jsonrpc: "2.0", id, result: { content } });
  };
  const tool = await bench.tool(bench.open({ url: server.url }), "mock_draw");
  await expect(tool.run({}, bench.scope())).rejects.toMatchObject({ code: "tool_bad_output" });
  await server.stop();
});

test("no address but the configured one may be private", async (bench) => {
  const inside = startMcp([takesQ("echo")], {});
  const server = startMcp([takesQ("echo")], {});
  server.intercept = () => Response.redirect(inside.url, 307);
  const set = bench.open({ url: server.url });
  expect(await set.tools(LOCAL)).toEqual([]);
  expect(inside.requests).toEqual([]);
  expect(await set.problem(LOCAL)).toContain("Cannot");
  expect(bench.warnings).toEqual(["the tools of an MCP server cannot be listed"]);
  await inside.stop();
  await server.stop();
});

test("a notification without an end is cut off", async (bench) => {
  const server = startMcp([takesQ("echo")], { echo: () => text("ok") });
  const { promise: cut, resolve } = Promise.withResolvers<void>();
  server.intercept = ({ method }) => {
    if (method !== "GET") return undefined;
    const chunk = new Uint8Array(1024 * 1024).fill(120);
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(chunk),
      cancel: () => resolve(),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  const tool = await bench.tool(bench.open({ url: server.url }), "mock_echo");
  await cut;
  expect(await tool.run({}, bench.scope())).toEqual({ text: "ok" });
  await server.stop();
});
