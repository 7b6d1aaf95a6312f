import { expect } from "expect";
import { startMcp } from "../../_mock/mcp.ts";
import { takesQ, text } from "../../_mock/mcp_server.ts";
import { Secret, test } from "./_setup.ts";
import { LOCAL } from "../../_caller.ts";

for (const json of [false, true]) {
  const how = json ? "plain JSON" : "event streams";
  test(`a server over HTTP lists and calls its tools, with ${how}`, async (bench) => {
    const server = startMcp([takesQ("getIssue")], {
      getIssue: ({ q }) => text(`issue ${q}`),
    }, { json });
    const set = bench.open({ url: server.url, headers: { Authorization: new Secret("Bearer t") } });
    expect(set.name).toBe("mcp:mock");
    const tool = await bench.tool(set, "mock_get_issue");
    expect(tool).toMatchObject({
      description: "Does getIssue.",
      source: "mcp",
      capability: "write",
      effect: "at_most_once",
      timeout_ms: 10_000,
      untrusted: true,
    });
    expect(await tool.run({ q: "1" }, bench.scope())).toEqual({ text: "issue 1" });
    const parallel = await Promise.all(
      ["2", "3", "4"].map((q) => tool.run({ q }, bench.scope())),
    );
    expect(parallel).toEqual([{ text: "issue 2" }, { text: "issue 3" }, { text: "issue 4" }]);
    expect(server.requests.every((headers) => headers.get("authorization") === "Bearer t"))
      .toBe(true);
    expect(server.sessions()).toBe(1);
    expect(set.health(LOCAL)).toMatchObject([{ name: "mcp:mock", status: "ok" }]);
    await set.close();
    expect(server.sessions()).toBe(0);
    await server.stop();
  });
}

test("a result's images and files become artifacts, its links stay links", async (bench) => {
  const server = startMcp([takesQ("draw")], {
    draw: () => ({
      content: [
        { type: "text", text: "here" },
        { type: "image", data: "AQID", mimeType: "image/png" },
        {
          type: "resource",
          resource: { uri: "file:///a/b.csv", mimeType: "text/csv", blob: "BA==" },
        },
        { type: "resource", resource: { uri: "file:///a/c.txt", text: "more" } },
        { type: "resource_link", uri: "https://x.example/d", name: "d" },
      ],
    }),
  });
  const tool = await bench.tool(bench.open({ url: server.url }), "mock_draw");
  expect(await tool.run({}, bench.scope())).toEqual({
    text: "here\nmore",
    files: [
      { id: "art_1", name: "mock_draw.png", type: "image/png", size: 3 },
      { id: "art_2", name: "b.csv", type: "text/csv", size: 1 },
    ],
    links: [{ name: "d", uri: "https://x.example/d" }],
  });
  expect(bench.files[0]?.bytes).toEqual(new Uint8Array([1, 2, 3]));
  await server.stop();
});

test("structured content is the result", async (bench) => {
  const outputSchema = { type: "object", properties: { n: { type: "number" } } };
  const server = startMcp([takesQ("count", { outputSchema }), takesQ("lie", { outputSchema })], {
    count: () => ({ ...text("1"), structuredContent: { n: 1 } }),
    lie: () => text("no structure"),
  });
  const set = bench.open({ url: server.url });
  const count = await bench.tool(set, "mock_count");
  expect(count.output).toEqual(outputSchema);
  expect(await count.run({}, bench.scope())).toEqual({ n: 1 });
  await expect((await bench.tool(set, "mock_lie")).run({}, bench.scope()))
    .rejects.toMatchObject({ code: "tool_bad_output" });
  await server.stop();
});

test("a tool that fails says why, and trying again does not help", async (bench) => {
  const server = startMcp([takesQ("fail"), takesQ("throw")], {
    fail: () => ({ ...text("no such issue"), isError: true }),
    throw: () => Promise.reject(new Error("broken inside")),
  });
  const set = bench.open({ url: server.url });
  const run = async (name: string) => await (await bench.tool(set, name)).run({}, bench.scope());
  await expect(run("mock_fail")).rejects.toMatchObject({
    code: "tool_failed",
    kind: "terminal",
    message: expect.stringContaining("no such issue"),
  });
  await expect(run("mock_throw")).rejects.toMatchObject({ code: "tool_failed", kind: "terminal" });
  expect(set.health(LOCAL)).toMatchObject([{ status: "ok" }]);
  await server.stop();
});

test("trusted annotations lower what a tool can do; others and settings do not raise it", async (bench) => {
  const server = startMcp([
    takesQ("look", { annotations: { readOnlyHint: true } }),
    takesQ("set", { annotations: { idempotentHint: true } }),
  ], {});
  const shown = async (fields: Parameters<typeof bench.open>[0]) =>
    (await bench.open({ url: server.url, ...fields }).tools(LOCAL))
      .map(({ capability, effect }) => [capability, effect]);
  expect(await shown({})).toEqual([["write", "at_most_once"], ["write", "at_most_once"]]);
  expect(await shown({ trust_annotations: true })).toEqual([
    ["egress", "none"],
    ["write", "at_least_once"],
  ]);
  expect(await shown({ capability: "read", effect: "none", tools: ["set"] })).toEqual([
    ["read", "none"],
  ]);
  await server.stop();
});

test("a hanging call ends at its time-out, a cancelled one at once, and the server is told", async (bench) => {
  const aborted: string[] = [];
  const { promise: both, resolve } = Promise.withResolvers<void>();
  const server = startMcp([takesQ("hang")], {
    hang: ({ q }, signal) =>
      new Promise((done) => {
        signal.addEventListener("abort", () => {
          aborted.push(String(q));
          if (aborted.length === 2) resolve();
          done(text(""));
        });
        if (q === "stop") cancel.abort(new Error("stop it"));
      }),
  });
  const cancel = new AbortController();
  const tool = await bench.tool(bench.open({ url: server.url, timeout_ms: 300 }), "mock_hang");
  await expect(tool.run({ q: "stop" }, bench.scope(cancel.signal))).rejects.toThrow("stop it");
  await expect(tool.run({ q: "late" }, bench.scope())).rejects.toMatchObject({
    code: "tool_timeout",
    kind: "retryable",
  });
  await both;
  expect(aborted).toEqual(["stop", "late"]);
  await server.stop();
});

for (const json of [false, true]) {
  test(`50 MB are refused, and the connection goes on (${json ? "JSON" : "events"})`, async (bench) => {
    const server = startMcp([takesQ("much")], {
      much: ({ q }) => text(q === "little" ? "ok" : "x".repeat(50 * 1024 * 1024)),
    }, { json });
    const tool = await bench.tool(bench.open({ url: server.url }), "mock_much");
    await expect(tool.run({}, bench.scope())).rejects.toMatchObject({
      code: "response_too_large",
      kind: "terminal",
    });
    expect(await tool.run({ q: "little" }, bench.scope())).toEqual({ text: "ok" });
    await server.stop();
  });
}
