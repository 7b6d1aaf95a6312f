import { expect } from "expect";
import type { Json } from "../../json/value.ts";
import { type Artifacts, createArtifacts, openStore } from "../../store/mod.ts";
import { createRegistry } from "../../tools/registry.ts";
import type { Tool } from "../../tools/tool.ts";
import { expectProblem, type Fixture, setup } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

const NOW = Date.UTC(2026, 0, 1);

function tool(name: string, run: Tool["run"]): Tool {
  return {
    name,
    description: `Tool ${name}`,
    input: { type: "object", properties: { q: { type: "string" } } },
    source: "built_in",
    capability: "compute",
    effect: "none",
    timeout_ms: 5_000,
    untrusted: false,
    run,
  };
}

async function bench(use: (fixture: Fixture & { artifacts: Artifacts }) => Promise<void>) {
  const { store, close } = await openStore(":memory:", {
    worker: "w1",
    now: () => NOW,
    sleep: () => Promise.resolve(),
    lease_ms: 1_000,
  });
  const artifacts = createArtifacts(store, {
    now: () => NOW,
    max_bytes: 10_000,
    keep_ms: 0,
  });
  const built_in = [
    tool(
      "echo",
      (args, { idempotency_key, caller }) =>
        Promise.resolve({ args, idempotency_key, user: caller.actor }),
    ),
    tool(
      "draw",
      async (_args, { keep }) =>
        await keep({
          name: "a.svg",
          type: "image/svg+xml",
          bytes: new Uint8Array(3),
        }) as unknown as Json,
    ),
  ];
  const tools = createRegistry({
    store,
    sets: [{ name: "built_in", tools: () => Promise.resolve(built_in) }],
    compile: (definition) => tool((definition as { name: string }).name, () => Promise.resolve(1)),
    now: () => NOW,
    log: { warn() {} },
  });
  try {
    await use({ ...setup({ deps: { tools, artifacts } }), artifacts });
  } finally {
    await close();
  }
}

Deno.test("tools are listed and looked at", () =>
  bench(async ({ app }) => {
    for (const path of ["/v1/tools/list", "/v1/tools"]) {
      const { tools, problems } = await (await app.request(path)).json();
      expect(tools.map(({ name }: Tool) => name)).toEqual(["draw", "echo"]);
      expect(problems).toEqual([]);
    }
    const echo = await (await app.request("/v1/tools/echo")).json();
    expect(echo).toMatchObject({
      name: "echo",
      enabled: true,
      capability: "compute",
      links: { execute: "/v1/tools/echo/execute" },
    });
    await expectProblem(await app.request("/v1/tools/ecko"), 404, "tool_unknown");
  }));

Deno.test("a tool is executed with the caller's key", () =>
  bench(async ({ post }) => {
    const body = { arguments: { q: "x" } };
    const answer = await post("/v1/tools/echo/execute", body, { "idempotency-key": "k1" });
    expect([answer.status, await answer.json()]).toEqual([200, {
      tool: "echo",
      output: { args: { q: "x" }, idempotency_key: "k1", user: expect.anything() },
      duration_ms: expect.any(Number),
    }]);
  }));

Deno.test("arguments that do not fit are refused before the tool", () =>
  bench(async ({ post }) => {
    const wrong = await post("/v1/tools/echo/execute", { arguments: { q: 1 } });
    const problem = await expectProblem(wrong, 422, "tool_bad_arguments");
    expect(problem.errors).toEqual([{ location: "/q", message: expect.any(String) }]);
    await expectProblem(
      await post("/v1/tools/echo/execute", { tenant: "x" }),
      422,
      "validation_failed",
    );
  }));

Deno.test("a file that a tool made is kept", () =>
  bench(async ({ post, artifacts }) => {
    const { output } = await (await post("/v1/tools/draw/execute", {})).json();
    expect(output).toMatchObject({ id: expect.stringMatching(/^art_/), size: 3 });
    expect(await artifacts.read(LOCAL, output.id)).toEqual(new Uint8Array(3));
  }));

Deno.test("a tool is registered, disabled, enabled and removed", () =>
  bench(async ({ app, post }) => {
    const made = await post("/v1/tools/register", { name: "mine" });
    expect([made.status, made.headers.get("location")]).toEqual([201, "/v1/tools/mine"]);
    expect((await (await post("/v1/tools/mine/disable", {})).json()).enabled).toBe(false);
    await expectProblem(await post("/v1/tools/mine/execute", {}), 409, "tool_disabled");
    expect((await (await post("/v1/tools/mine/enable", {})).json()).enabled).toBe(true);
    expect((await post("/v1/tools/mine/execute", {})).status).toBe(200);
    expect((await app.request("/v1/tools/mine", { method: "DELETE" })).status).toBe(204);
    await expectProblem(await app.request("/v1/tools/mine"), 404, "tool_unknown");
    await expectProblem(await app.request("/v1/tools/echo", { method: "DELETE" }), 409, "conflict");
    await expectProblem(await post("/v1/tools/register", []), 422, "validation_failed");
  }));
